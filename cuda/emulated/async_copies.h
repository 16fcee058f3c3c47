// The copies to shared memory (cp.async) that a thread has started and not yet waited for.
#pragma once
#include <cstddef>
#include <vector>

namespace ink::cuda::emulated {

struct AsyncCopy {
  void* shared;
  const void* global;
  bool take;  // false: zeros are written
};

class AsyncCopies {
 public:
  void start(AsyncCopy copy) { waiting_.push_back({copy, groups_}); }
  void end_group() { ++groups_; }
  // Takes the next copy of all groups but the last `left`, those that have not ended apart.
  bool take_arrived(int left, AsyncCopy& copy) {
    if (taken_ == waiting_.size() || waiting_[taken_].group >= groups_ - left) return false;
    copy = waiting_[taken_++].copy;
    return true;
  }
  void clear() {
    waiting_.clear();
    taken_ = 0;
    groups_ = 0;
  }

 private:
  struct Waiting {
    AsyncCopy copy;
    int group;
  };
  std::vector<Waiting> waiting_;
  size_t taken_ = 0;
  int groups_ = 0;
};

}  // namespace ink::cuda::emulated
