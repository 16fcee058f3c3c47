// Device memory: a caching allocator in stream order.
//
// A released block serves the next request of its size class at once: its former user's work stands
// earlier in the same stream. (Work on another stream must be joined by events before a block
// goes back.) After the first step nothing reaches the driver, whose allocations wait for the
// device. When memory runs out, cached blocks go back to the driver before the Error.
#pragma once
#include "tensor/allocator.h"

namespace ink::cuda {

Allocator& device_memory();
// Memory that is no tensor's and never released.
void* lasting_workspace(size_t bytes);
AllocatorStatistics device_statistics();
void reset_device_peak();
void release_device_cache();             // waits for the device
void limit_device_memory(size_t bytes);  // allocations beyond it raise Error; 0 = no limit
// Test aid: hands out blocks full of NaN.
void fill_device_blocks(bool with_nan);
// Test aid: whether blocks of some MiB are cut from slabs; returns whether they were.
bool cut_slabs(bool on);

// Blocks that go from hand to hand among those who allocate here, and to nobody else while this
// lives: a graph writes to them whenever it is replayed. It takes released blocks of everybody's
// before it asks the driver: those that the same work has used when it was done as usual.
class Reserve {
 public:
  Reserve() = default;
  ~Reserve();
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
};

// This thread allocates from a reserve while it lives, to record a graph: nothing goes back to the
// driver until then.
class ReserveScope {
 public:
  explicit ReserveScope(Reserve& reserve);
  ~ReserveScope();
  ReserveScope(const ReserveScope&) = delete;
  ReserveScope& operator=(const ReserveScope&) = delete;

 private:
  Reserve* before_;
};

}  // namespace ink::cuda
