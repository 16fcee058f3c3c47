// The stream of each thread, and the device it belongs to.
#include "cuda/stream.h"

#include <atomic>
#include <cstdio>

namespace ink::cuda {
namespace {

thread_local cudaStream_t current = nullptr;
std::atomic<uint64_t> waited{0};

Properties read_properties() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();  // the failure is told below; later calls shall not find it again
  check(status == cudaSuccess && count > 0, "cuda: this machine has no usable CUDA device (",
        status == cudaSuccess ? "none found" : cudaGetErrorString(status),
        "); run on the CPU with --device cpu");
  expect_success(cudaSetDevice(0), "choosing the device");
  cudaDeviceProp read;
  expect_success(cudaGetDeviceProperties(&read, 0), "reading the device's properties");
  return {.name = read.name,
          .processors = read.multiProcessorCount,
          .major = read.major,
          .minor = read.minor,
          .memory = read.totalGlobalMem,
          .shared_per_block = read.sharedMemPerBlockOptin};
}

cudaStream_t own_stream() {
  static const cudaStream_t made = [] {
    properties();
    cudaStream_t s = nullptr;
    expect_success(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "making a stream");
    return s;
  }();
  return made;
}

}  // namespace

void expect_success(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();
  fail("cuda: ", doing, ": ", cudaGetErrorString(status));
}

cudaError_t wait_for_stream() {
  waited.fetch_add(1, std::memory_order_relaxed);
  return cudaStreamSynchronize(stream());
}
uint64_t waits() { return waited.load(std::memory_order_relaxed); }

cudaStream_t stream() { return current ? current : own_stream(); }

StreamScope::StreamScope(cudaStream_t stream) : before_(current) { current = stream; }
StreamScope::~StreamScope() { current = before_; }

std::string Properties::description() const {
  char text[160];
  std::snprintf(text, sizeof text, ", compute capability %d.%d, %.1f GiB", major, minor,
                static_cast<double>(memory) / (1 << 30));
  return name + text;
}

const Properties& properties() {
  static const Properties read = read_properties();
  return read;
}

}  // namespace ink::cuda
