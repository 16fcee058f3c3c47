// Where tensors get their memory: a pool that keeps released blocks for the next step.
//
// A training step allocates the same sizes again and again; from the second step on nothing reaches
// the system. Where sizes vary, at most a quarter of the highest use is kept beyond it (or 8 MiB).
// Blocks are aligned to 64 bytes and may be read (never written) up to 64 bytes past their end, so
// kernels can load whole vectors. All members may be called from any thread.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ink {

class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(size_t bytes) = 0;  // never null; raises Error when memory is exhausted
  virtual void release(void* data, size_t bytes) noexcept = 0;
};

struct AllocatorStatistics {
  size_t in_use = 0;                // bytes handed out now
  size_t peak = 0;                  // largest in_use since reset_peak()
  size_t cached = 0;                // bytes kept for reuse
  uint64_t system_allocations = 0;  // how often the system was asked
};

Allocator& pool();  // the process-wide pool of host memory
AllocatorStatistics pool_statistics();
void reset_peak();
void release_cached();          // gives what is kept back to the system, forgets the highest use
void limit_pool(size_t bytes);  // allocations beyond it raise Error; 0 = no limit
// Test aid: hands out blocks full of NaN, so that an element nobody wrote shows.
void fill_blocks(bool with_nan);

// A standard allocator over the pool, for containers inside ops: a steady step never calls malloc.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT: allocators must convert implicitly
  T* allocate(size_t n) { return static_cast<T*>(pool().allocate(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { pool().release(p, n * sizeof(T)); }
  bool operator==(const PoolAllocator&) const = default;
};

}  // namespace ink
