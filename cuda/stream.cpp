// The stream of each thread, and the device it belongs to.
#include "cuda/stream.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

namespace ink::cuda {
namespace {

thread_local cudaStream_t current = nullptr;
std::atomic<uint64_t> waited{0};
std::atomic<int> wanted{0};
std::atomic<bool> in_use{false};
std::function<void()> watch;

const char* why_unusable(cudaError_t status) {
  if (status == cudaSuccess) return "none found";
  // What the runtime says itself, that the driver is too old, misleads where there is none.
  if (status == cudaErrorInsufficientDriver)
    return "no NVIDIA driver, or one too old for CUDA 13, which takes 580 or newer";
  return cudaGetErrorString(status);
}

int device_count() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();  // the failure is told below; later calls shall not find it again
  check(status == cudaSuccess && count > 0, "cuda: this machine has no usable CUDA device (",
        why_unusable(status), "); run on the CPU with --device cpu");
  return count;
}

Properties read_properties() {
  const int number = wanted % device_count();
  expect_success(cudaSetDevice(number), "choosing the device");
  cudaDeviceProp read;
  expect_success(cudaGetDeviceProperties(&read, number), "reading the device's properties");
  char address[32] = {};
  expect_success(cudaDeviceGetPCIBusId(address, sizeof address, number),
                 "reading the device's address");
  check(read.major >= 8, "cuda: ", read.name, " has compute capability ", read.major, ".",
        read.minor, "; kernels are built for 8.0 and newer; run on the CPU with --device cpu");
  in_use = true;
  return {.number = number,
          .name = read.name,
          .address = address,
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

// A thread begins on device 0, whatever the others have chosen.
void join_device() {
  thread_local bool joined = false;
  if (joined) return;
  const int number = properties().number;
  if (number != 0) expect_success(cudaSetDevice(number), "choosing the device");
  joined = true;
}

// Until query() says something else than that the device is busy.
template <class Query>
cudaError_t poll(Query query) {
  constexpr std::chrono::microseconds kPause(50);
  cudaError_t status = query();
  for (; status == cudaErrorNotReady; status = query()) {
    cudaGetLastError();  // to be busy is no failure
    watch();
    std::this_thread::sleep_for(kPause);
  }
  return status;
}

}  // namespace

void expect_success(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();
  fail("cuda: ", doing, ": ", cudaGetErrorString(status));
}

cudaError_t wait_for_stream() {
  waited.fetch_add(1, std::memory_order_relaxed);
  if (!watch) return cudaStreamSynchronize(stream());
  return poll([] { return cudaStreamQuery(stream()); });
}
cudaError_t wait_for(cudaEvent_t event) {
  if (!watch) return cudaEventSynchronize(event);
  return poll([=] { return cudaEventQuery(event); });
}
uint64_t waits() { return waited.load(std::memory_order_relaxed); }

WatchScope::WatchScope(std::function<void()> look) { watch = std::move(look); }
WatchScope::~WatchScope() { watch = nullptr; }

cudaStream_t stream() {
  join_device();
  return current ? current : own_stream();
}

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

void choose_device(int number) {
  check(number >= 0, "cuda: expected the number of a device, got ", number);
  const int chosen = in_use ? number % device_count() : number;
  check(!in_use || chosen == properties().number, "cuda: device ", in_use ? properties().number : 0,
        " is in use already; choose device ", chosen, " before anything is computed on it");
  wanted = number;
}

}  // namespace ink::cuda
