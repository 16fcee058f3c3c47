// A pair of events for each kernel.
#include "cuda/kernel_times.h"

#include <algorithm>
#include <map>

#include "cuda/stream.h"

namespace ink::cuda {
namespace {

cudaEvent_t marked() {
  cudaEvent_t event = nullptr;
  expect_success(cudaEventCreate(&event), "making an event");
  expect_success(cudaEventRecord(event, stream()), "marking a time");
  return event;
}

}  // namespace

thread_local KernelTimes* KernelTimes::current = nullptr;

KernelTimes::KernelTimes() : before_(current) { current = this; }
KernelTimes::~KernelTimes() {
  current = before_;
  for (const Interval& each : intervals_) {
    cudaEventDestroy(each.begin);
    cudaEventDestroy(each.end);
  }
}

void KernelTimes::begin(const std::string& name) {
  intervals_.push_back({name, marked(), nullptr});
}
void KernelTimes::end() { intervals_.back().end = marked(); }

std::vector<KernelTimes::Line> KernelTimes::lines() const {
  std::map<std::string, Line> by_name;
  for (const Interval& each : intervals_) {
    float milliseconds = 0;
    expect_success(cudaEventSynchronize(each.end), "waiting for a kernel");
    expect_success(cudaEventElapsedTime(&milliseconds, each.begin, each.end), "timing a kernel");
    Line& line = by_name[each.name];
    line.name = each.name;
    ++line.count;
    line.microseconds += 1e3 * static_cast<double>(milliseconds);
  }
  std::vector<Line> all;
  all.reserve(by_name.size());
  for (auto& [name, line] : by_name) all.push_back(std::move(line));
  std::ranges::sort(all, std::greater(), &Line::microseconds);
  return all;
}

}  // namespace ink::cuda
