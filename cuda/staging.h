// Pinned host memory in which uploads wait for their turn.
#pragma once
#include <array>
#include <cstddef>
#include <mutex>

#include "cuda/runtime.h"

namespace ink::cuda {

// A ring of pinned buffers: an upload is copied into the next ones, which the device reads when the
// stream comes to them, so that the caller may go on at once and change its memory. A buffer is
// used again only when the device has read it. Uploads beyond kLargest wait for the device instead.
// May be used from several threads.
class Staging {
 public:
  void upload(void* device, const void* host, size_t bytes);

 private:
  // Enough for all that a training step uploads, so that a step waits for none of its own.
  static constexpr size_t kBytes = size_t{64} << 10, kBuffers = 256;
  static constexpr size_t kLargest = size_t{4} << 20;
  struct Buffer {
    std::byte* data = nullptr;
    cudaEvent_t read = nullptr;
  };
  void make_ring();
  void upload_piece(std::byte* device, const std::byte* host, size_t bytes);

  std::mutex mutex_;
  std::array<Buffer, kBuffers> ring_;
  size_t at_ = 0;
  bool made_ = false;
};

}  // namespace ink::cuda
