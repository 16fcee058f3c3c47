// Pinned host memory in which uploads wait for their turn.
#pragma once
#include <cstddef>
#include <vector>

#include "cuda/runtime.h"

namespace ink::cuda {

// A ring of pinned buffers: an upload is copied into the next one, which the device reads when the
// stream comes to it, so that the caller may go on at once and change its memory. A buffer is used
// again only when the device has read it; larger uploads than a buffer wait for the device.
class Staging {
 public:
  void upload(void* device, const void* host, size_t bytes);

 private:
  // More uploads than a training step makes, so that a step waits for none of its own.
  static constexpr size_t kBytes = size_t{256} << 10, kBuffers = 128;
  struct Buffer {
    void* data = nullptr;
    cudaEvent_t read = nullptr;
  };
  Buffer& next();

  std::vector<Buffer> ring_;
  size_t at_ = 0;
};

}  // namespace ink::cuda
