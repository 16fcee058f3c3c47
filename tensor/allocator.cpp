// The pool: free lists by size class, eight classes to a doubling, so at most an eighth of a block
// is wasted.
#include "tensor/allocator.h"

#include <sys/mman.h>

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
constexpr size_t kClasses = 64 * 8;

// Class c holds blocks of (8 + c % 8) · 2^(c / 8) units of 16 bytes: 128, 144, …, 240, 256, 288, …
size_t bytes_of(size_t c) { return (8 + c % 8) << (c / 8 + 4); }
size_t class_of(size_t bytes) {
  if (bytes <= 128) return 0;
  const size_t units = (bytes + 15) / 16 - 1;  // ≥ 8
  const auto octave = static_cast<size_t>(std::bit_width(units)) - 4;
  return octave * 8 + (units >> octave) - 8 + 1;
}

class Pool final : public Allocator {
 public:
  void* allocate(size_t bytes) override {
    check(bytes < size_t{1} << 56, "pool: cannot allocate ", bytes, " bytes");
    const size_t c = class_of(bytes + kSlack), block = bytes_of(c);
    const std::lock_guard lock(mutex_);
    void* p = take(c);
    if (!p) p = ask_system(bytes, block);
    if (fill_) std::memset(p, 0xff, block);
    statistics_.in_use += block;
    if (statistics_.in_use > statistics_.peak) statistics_.peak = statistics_.in_use;
    return p;
  }

  void release(void* p, size_t bytes) noexcept override {
    if (!p) return;
    const size_t c = class_of(bytes + kSlack);
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
    trim();
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
  void* take(size_t c) {
    void* p = free_[c];
    if (!p) return nullptr;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes_of(c));
    free_[c] = *static_cast<void**>(p);
    statistics_.cached -= bytes_of(c);
    return p;
  }

  void* ask_system(size_t bytes, size_t block) {
    if (limit_ && statistics_.in_use + statistics_.cached + block > limit_) trim();
    void* p = nullptr;
    if (!limit_ || statistics_.in_use + block <= limit_) p = map(block);
    if (!p) {
      trim();
      if (!limit_ || statistics_.in_use + block <= limit_) p = map(block);
    }
    check(p != nullptr, "out of memory: ", bytes, " bytes requested, ", statistics_.in_use,
          " in use (peak ", statistics_.peak, "), limit ", limit_ ? limit_ : SIZE_MAX,
          "; use a smaller batch or accumulate gradients over several");
    ++statistics_.system_allocations;
    return p;
  }

  static void* map(size_t block) {
    const bool huge = block >= 2 * kHugePage;  // fewer address translations for large matrices
    const size_t alignment = huge ? kHugePage : kAlignment;
    void* p = std::aligned_alloc(alignment, (block + alignment - 1) / alignment * alignment);
    if (p && huge) madvise(p, block, MADV_HUGEPAGE);
    return p;
  }

  void trim() {
    for (size_t c = 0; c < kClasses; ++c) {
      while (void* p = take(c)) std::free(p);
    }
  }

  std::mutex mutex_;
  std::array<void*, kClasses> free_{};
  AllocatorStatistics statistics_;
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
