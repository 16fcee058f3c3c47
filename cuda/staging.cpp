// Uploads through pinned memory.
#include "cuda/staging.h"

#include <cstring>

#include "cuda/stream.h"

namespace ink::cuda {

Staging::Buffer& Staging::next() {
  if (ring_.size() < kBuffers) {
    Buffer made;
    expect_success(cudaMallocHost(&made.data, kBytes), "allocating pinned memory");
    expect_success(cudaEventCreateWithFlags(&made.read, cudaEventDisableTiming), "making an event");
    ring_.push_back(made);
    return ring_.back();
  }
  Buffer& buffer = ring_[at_];
  at_ = (at_ + 1) % kBuffers;
  expect_success(cudaEventSynchronize(buffer.read), "waiting for an upload");
  return buffer;
}

void Staging::upload(void* device, const void* host, size_t bytes) {
  if (bytes > kBytes) {
    expect_success(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream()),
                   "copying to the device");
    expect_success(wait_for_stream(), "copying to the device");
    return;
  }
  Buffer& buffer = next();
  std::memcpy(buffer.data, host, bytes);
  expect_success(cudaMemcpyAsync(device, buffer.data, bytes, cudaMemcpyHostToDevice, stream()),
                 "copying to the device");
  expect_success(cudaEventRecord(buffer.read, stream()), "marking an upload");
}

}  // namespace ink::cuda
