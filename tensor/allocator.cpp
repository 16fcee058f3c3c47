// The pool: free lists by size class, eight classes to a doubling, so a block of its own class
// wastes at most an eighth.
//
// Sizes that never come back would let the lists grow without end. So what is kept is bounded:
// where a new block would lift the total over kSpare times the highest use, a request is served by
// a free block of up to twice its size, and failing that, free blocks go back to the system first.
// Sizes that repeat stay below the bound and always find blocks of their own class.
#include "tensor/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "tensor/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

namespace ink {
namespace {

constexpr size_t kAlignment = 64, kSlack = 64, kHugePage = size_t{2} << 20;
constexpr size_t kClasses = 64 * 8, kClassesToDouble = 8;
constexpr size_t kMapped = size_t{1} << 20;  // blocks from here on are whole pages
constexpr double kSpare = 1.25;
constexpr size_t kSmall = size_t{8} << 20;  // bytes that may always be kept

// Class c holds blocks of (8 + c % 8) · 2^(c / 8) units of 16 bytes: 128, 144, …, 240, 256, 288, …
size_t bytes_of(size_t c) { return (8 + c % 8) << (c / 8 + 4); }
size_t class_of(size_t bytes) {
  if (bytes <= 128) return 0;
  const size_t units = (bytes + 15) / 16 - 1;  // ≥ 8
  const auto octave = static_cast<size_t>(std::bit_width(units)) - 4;
  return octave * 8 + (units >> octave) - 8 + 1;
}

size_t rounded_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

class Pool final : public Allocator {
 public:
  void* allocate(size_t bytes) override {
    check(bytes < size_t{1} << 56, "pool: cannot allocate ", bytes, " bytes");
    const size_t c = class_of(bytes + kSlack), block = bytes_of(c);
    const std::lock_guard lock(mutex_);
    size_t own = c;  // the class of the block that serves
    void* p = take(c);
    if (!p) p = take_larger(c, own);
    if (!p) p = ask_system(bytes, block);
    if (fill_) std::memset(p, 0xff, bytes_of(own));
    class_at(p, c) = own;
    statistics_.in_use += bytes_of(own);
    if (statistics_.in_use > statistics_.peak) statistics_.peak = statistics_.in_use;
    if (statistics_.in_use > highest_) highest_ = statistics_.in_use;
    return p;
  }

  void release(void* p, size_t bytes) noexcept override {
    if (!p) return;
    const size_t c = class_at(p, class_of(bytes + kSlack));
    const std::lock_guard lock(mutex_);
    statistics_.in_use -= bytes_of(c);
    statistics_.cached += bytes_of(c);
    *static_cast<void**>(p) = free_[c];
    free_[c] = p;
    // The link stays readable: the leak check follows no pointers in poisoned memory.
    ASAN_POISON_MEMORY_REGION(static_cast<void**>(p) + 1, bytes_of(c) - sizeof(void*));
  }

  AllocatorStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.in_use;
  }
  void release_cached() {
    const std::lock_guard lock(mutex_);
    trim(0);
    highest_ = statistics_.in_use;
  }
  void limit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  void fill(bool with_nan) {
    const std::lock_guard lock(mutex_);
    fill_ = with_nan;
  }

 private:
  // Where a block in use notes its class: behind the bytes asked for, in the last of its slack.
  static size_t& class_at(void* p, size_t asked) {
    return *reinterpret_cast<size_t*>(static_cast<char*>(p) + bytes_of(asked) - sizeof(size_t));
  }

  // What may be in use and kept together once another block is.
  size_t bound(size_t block) const {
    const size_t most = std::max(highest_, statistics_.in_use + block);
    return static_cast<size_t>(kSpare * static_cast<double>(most)) + kSmall;
  }

  void* take(size_t c) {
    void* p = free_[c];
    if (!p) return nullptr;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes_of(c));
    free_[c] = *static_cast<void**>(p);
    statistics_.cached -= bytes_of(c);
    return p;
  }

  // A free block of up to twice the size, where a new one would exceed the bound; sets its class.
  void* take_larger(size_t c, size_t& own) {
    const size_t block = bytes_of(c);
    if (statistics_.in_use + statistics_.cached + block <= bound(block)) return nullptr;
    for (size_t larger = c + 1; larger <= std::min(c + kClassesToDouble, kClasses - 1); ++larger) {
      if (void* p = take(larger)) {
        own = larger;
        return p;
      }
    }
    return nullptr;
  }

  void* ask_system(size_t bytes, size_t block) {
    const size_t most = limit_ ? std::min(limit_, bound(block)) : bound(block);
    if (statistics_.in_use + statistics_.cached + block > most)
      trim(most - std::min(most, statistics_.in_use + block));
    void* p = nullptr;
    if (!limit_ || statistics_.in_use + block <= limit_) p = map(block);
    if (!p) {
      trim(0);
      if (!limit_ || statistics_.in_use + block <= limit_) p = map(block);
    }
    check(p != nullptr, "out of memory: ", bytes, " bytes requested, ", statistics_.in_use,
          " in use (peak ", statistics_.peak, "), limit ", limit_ ? limit_ : SIZE_MAX,
          "; use a smaller batch or accumulate gradients over several");
    ++statistics_.system_allocations;
    return p;
  }

  // Large blocks are mappings of their own: what is given back then leaves the process at once, and
  // no hole stays in the heap.
  static void* map(size_t block) {
    if (block < kMapped) return std::aligned_alloc(kAlignment, rounded_up(block, kAlignment));
    const bool huge = block >= 2 * kHugePage;  // fewer address translations for large matrices
    const size_t surplus = huge ? kHugePage : 0;
    void* start = ::mmap(nullptr, block + surplus, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return nullptr;
    if (!huge) return start;
    const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage) % kHugePage;
    char* const p = static_cast<char*>(start) + before;
    if (before > 0) ::munmap(start, before);
    if (before < surplus) ::munmap(p + block, surplus - before);
    ::madvise(p, block, MADV_HUGEPAGE);
    return p;
  }

  static void unmap(void* p, size_t block) {
    if (block < kMapped) {
      std::free(p);
    } else {
      ::munmap(p, block);
    }
  }

  // Gives free blocks back, the largest first, until no more than `keep` bytes are left.
  void trim(size_t keep) {
    for (size_t c = kClasses; c-- > 0 && statistics_.cached > keep;) {
      while (statistics_.cached > keep) {
        void* p = take(c);
        if (!p) break;
        unmap(p, bytes_of(c));
      }
    }
  }

  std::mutex mutex_;
  std::array<void*, kClasses> free_{};
  AllocatorStatistics statistics_;
  size_t highest_ = 0;  // in_use ever, since release_cached()
  size_t limit_ = 0;
  bool fill_ = false;
};

// Never destroyed: tensors with static lifetime may release memory after main.
Pool& the_pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

Allocator& pool() { return the_pool(); }
AllocatorStatistics pool_statistics() { return the_pool().statistics(); }
void reset_peak() { the_pool().reset_peak(); }
void release_cached() { the_pool().release_cached(); }
void limit_pool(size_t bytes) { the_pool().limit(bytes); }
void fill_blocks(bool with_nan) { the_pool().fill(with_nan); }

}  // namespace ink
