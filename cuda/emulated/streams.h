// Streams and events, as ThreadSanitizer is to see them.
//
// All work is done at once, in the order in which it is asked for. But each stream counts as a
// thread of its own, ordered with the host and with other streams by nothing but what the runtime
// promises: a launch comes after all that its host thread did, an event that a stream waits for
// after the work before it, what the host does after waiting comes after the work. Memory that two
// of them use without such an order is a race. Without ThreadSanitizer all of this is nothing.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>

#include <cuda_runtime.h>
#include "cuda/emulated/sanitizers.h"

struct EmulatedStream {
  ink::cuda::emulated::SeenThread seen = ink::cuda::emulated::new_seen_thread();
};

struct EmulatedEvent {
  std::unique_ptr<char> point = nullptr;  // in the stream where it was last recorded
  cudaStream_t stream = nullptr;
  uint64_t copies = 0;  // noted before (pinned.h)
  std::chrono::steady_clock::time_point when = {};
};

namespace ink::cuda::emulated {

// The stream that a null handle names.
EmulatedStream& stream_of(cudaStream_t handle);

// While it lives, what is done is the stream's.
class InStream {
 public:
  explicit InStream(cudaStream_t stream);
  ~InStream();
  InStream(const InStream&) = delete;
  InStream& operator=(const InStream&) = delete;

 private:
  SeenThread host_;
};

// What the stream has done happens before what this thread does next.
void wait_for(cudaStream_t stream);
void wait_for_all_streams();

// The work of this process's streams does not end, as when one of its kernels waits for another
// process: they are not ready, and who waits for them nevertheless, here forever, gets a failure.
void set_stuck(bool stuck);
bool is_stuck();

}  // namespace ink::cuda::emulated
