// The stream of the calling thread: the queue in which its copies and kernels run, in order.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "cuda/runtime.h"

namespace ink::cuda {

// At first a stream of this process's own; all threads that set no other share it.
cudaStream_t stream();

// Waits until everything asked for so far is done. waits() counts how often the host did so.
cudaError_t wait_for_stream();
cudaError_t wait_for(cudaEvent_t event);
uint64_t waits();

// While one lives, who waits asks look() again and again: the device may wait for something that
// will never come. What look() throws ends the waiting.
class WatchScope {
 public:
  explicit WatchScope(std::function<void()> look);
  ~WatchScope();
  WatchScope(const WatchScope&) = delete;
  WatchScope& operator=(const WatchScope&) = delete;
};

// Work of this thread goes to another stream while this lives.
class StreamScope {
 public:
  explicit StreamScope(cudaStream_t stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  cudaStream_t before_;
};

// What the device can do.
struct Properties {
  int number = 0;  // among those visible
  std::string name;
  std::string address;              // on the machine's bus: "0000:1b:00.0"
  int processors = 0;               // streaming multiprocessors
  int major = 0, minor = 0;         // compute capability
  size_t memory = 0;                // bytes
  size_t shared_per_block = 0;      // bytes a kernel may ask for (opt-in)
  std::string description() const;  // "NVIDIA H200, compute capability 9.0, 139.8 GiB"
};
// Raises Error when there is no device; the first call starts the runtime.
const Properties& properties();

// The device this process computes on: number modulo the devices visible; the first one, where
// nobody chooses. An Error once another one is in use.
void choose_device(int number);

}  // namespace ink::cuda
