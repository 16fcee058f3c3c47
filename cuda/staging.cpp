// Uploads through pinned memory.
#include "cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "cuda/stream.h"

namespace ink::cuda {

// One allocation: each takes the driver tens of microseconds.
void Staging::make_ring() {
  void* all = nullptr;
  expect_success(cudaMallocHost(&all, kBytes * kBuffers), "allocating pinned memory");
  auto* next = static_cast<std::byte*>(all);
  for (Buffer& buffer : ring_) {
    buffer.data = next;
    next += kBytes;
    expect_success(cudaEventCreateWithFlags(&buffer.read, cudaEventDisableTiming),
                   "making an event");
  }
  made_ = true;
}

// An event that was never recorded counts as done.
void Staging::upload_piece(std::byte* device, const std::byte* host, size_t bytes) {
  const Buffer& buffer = ring_[at_];
  at_ = (at_ + 1) % kBuffers;
  expect_success(wait_for(buffer.read), "waiting for an upload");
  std::memcpy(buffer.data, host, bytes);
  expect_success(cudaMemcpyAsync(device, buffer.data, bytes, cudaMemcpyHostToDevice, stream()),
                 "copying to the device");
  expect_success(cudaEventRecord(buffer.read, stream()), "marking an upload");
}

void Staging::upload(void* device, const void* host, size_t bytes) {
  if (bytes > kLargest) {
    expect_success(wait_for_stream(), "copying to the device");  // as for a download
    expect_success(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream()),
                   "copying to the device");
    expect_success(cudaStreamSynchronize(stream()), "copying to the device");
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!made_) make_ring();
  auto* to = static_cast<std::byte*>(device);
  const auto* from = static_cast<const std::byte*>(host);
  for (size_t done = 0; done < bytes; done += kBytes)
    upload_piece(to + done, from + done, std::min(kBytes, bytes - done));
}

}  // namespace ink::cuda
