// A point in the stream of the calling thread, and the time between two of them.
#pragma once
#include "cuda/stream.h"

namespace ink::cuda {

class Event {
 public:
  Event() { expect_success(cudaEventCreate(&event_), "making an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() { expect_success(cudaEventRecord(event_, stream()), "marking a time"); }
  // Waits until the device has passed this one.
  double milliseconds_since(const Event& start) const {
    expect_success(cudaEventSynchronize(event_), "waiting for an event");
    float milliseconds = 0;
    expect_success(cudaEventElapsedTime(&milliseconds, start.event_, event_), "timing");
    return static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace ink::cuda
