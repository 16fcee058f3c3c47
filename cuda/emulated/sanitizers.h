// What AddressSanitizer and ThreadSanitizer must be told; nothing in builds without them.
//
// The files of cuda/emulated are compiled without ThreadSanitizer's instrumentation (their own
// bookkeeping is no part of a kernel); INK_THREAD_SANITIZER says that the rest of the build has it.
// Functions of the C library are seen from there too: see Unseen.
#pragma once
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define INK_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INK_ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(INK_THREAD_SANITIZER) && defined(__SANITIZE_THREAD__)
#define INK_THREAD_SANITIZER 1
#endif

extern "C" {
#if INK_ADDRESS_SANITIZER
void __asan_poison_memory_region(const volatile void* p, size_t bytes);
void __asan_unpoison_memory_region(const volatile void* p, size_t bytes);
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t bytes);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* bytes);
#endif
#if INK_THREAD_SANITIZER
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* p);
void __tsan_release(void* p);
void __tsan_read_range(void* p, unsigned long bytes);
void __tsan_write_range(void* p, unsigned long bytes);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
#endif
}

namespace ink::cuda::emulated {

// ── memory that must not be touched ─────────────────────────────────────────────────────────────

#if INK_ADDRESS_SANITIZER
inline constexpr bool kPoisons = true;
inline void poison(const void* p, size_t bytes) { __asan_poison_memory_region(p, bytes); }
inline void unpoison(const void* p, size_t bytes) { __asan_unpoison_memory_region(p, bytes); }
#else
inline constexpr bool kPoisons = false;
inline void poison(const void*, size_t) {}
inline void unpoison(const void*, size_t) {}
#endif

// ── threads as ThreadSanitizer sees them ────────────────────────────────────────────────────────

#if INK_THREAD_SANITIZER
inline constexpr bool kSeesThreads = true;
using SeenThread = void*;
inline SeenThread seen_thread() { return __tsan_get_current_fiber(); }
inline void end_seen_thread(SeenThread t) { __tsan_destroy_fiber(t); }
// What follows is done by thread t; by itself this orders nothing.
inline void act_as(SeenThread t) { __tsan_switch_to_fiber(t, 1); }
// Everything this thread did so far happens before what the new thread does.
inline SeenThread new_seen_thread() { return __tsan_create_fiber(0); }
// What this thread did before release(p) happens before what follows an acquire(p).
inline void release(void* p) { __tsan_release(p); }
inline void acquire(void* p) { __tsan_acquire(p); }
// What code without instrumentation reads and writes.
inline void see_access(const void* p, size_t bytes, bool writes) {
  (writes ? __tsan_write_range : __tsan_read_range)(const_cast<void*>(p), bytes);
}
inline void begin_unseen() { __tsan_ignore_thread_begin(); }
inline void end_unseen() { __tsan_ignore_thread_end(); }
#else
inline constexpr bool kSeesThreads = false;
using SeenThread = void*;
inline SeenThread seen_thread() { return nullptr; }
inline void end_seen_thread(SeenThread) {}
inline void act_as(SeenThread) {}
inline SeenThread new_seen_thread() { return nullptr; }
inline void release(void*) {}
inline void acquire(void*) {}
inline void see_access(const void*, size_t, bool) {}
inline void begin_unseen() {}
inline void end_unseen() {}
#endif

// While it lives, what this thread does with memory is the emulator's bookkeeping. ThreadSanitizer
// sees memset, memcmp, malloc and the like wherever they are called, and takes mmap for a write of
// all bytes; unseen, mmap makes it forget what was done there.
class Unseen {
 public:
  Unseen() { begin_unseen(); }
  ~Unseen() { end_unseen(); }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;
};

// What follows comes after what thread t did so far.
inline void comes_after(SeenThread t) {
  if (!kSeesThreads) return;
  char point = 0;
  const SeenThread self = seen_thread();
  act_as(t);
  release(&point);
  act_as(self);
  acquire(&point);
}

}  // namespace ink::cuda::emulated
