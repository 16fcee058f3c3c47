// Pinned host memory of recorded work, from which every replay sends the same bytes.
#pragma once
#include <cstddef>
#include <vector>

#include "cuda/runtime.h"

namespace ink::cuda {

// What one recording keeps. When it is gone, its blocks serve others, as soon as the device has
// passed the last replay. They never go back to the driver, which would wait for all that the
// device has under way: where another process is gone, that does not end.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  // Where these bytes lie from now on.
  const void* keep(const void* host, size_t bytes);
  // What this thread's stream has been asked for so far reads them.
  void mark_read();

  struct Block {
    std::byte* data;
    size_t bytes;
  };

 private:
  std::vector<Block> blocks_;
  size_t used_ = 0;             // of the last block
  cudaEvent_t read_ = nullptr;  // null: no replay yet
};

}  // namespace ink::cuda
