// Epochs are planned when they are reached; one of them is in memory.
#include "tasks/batch_stream.h"

#include <algorithm>

namespace ink {

int64_t BatchStream::end_of(int64_t epoch) {
  while (std::ssize(ends_) <= epoch) {
    plan(std::ssize(ends_));
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + std::ssize(batches_));
  }
  return ends_[static_cast<size_t>(epoch)];
}

const std::vector<int64_t>& BatchStream::operator[](int64_t batch) {
  while (ends_.empty() || ends_.back() <= batch) end_of(std::ssize(ends_));
  const auto end = std::ranges::upper_bound(ends_, batch);
  if (const int64_t epoch = end - ends_.begin(); epoch != epoch_) plan(epoch);
  const int64_t first = end == ends_.begin() ? 0 : *std::prev(end);
  return batches_[static_cast<size_t>(batch - first)];
}

void BatchStream::plan(int64_t epoch) {
  batches_ = train_.plan({.sequences = fit_.batch_size,
                          .max_tokens = fit_.max_tokens,
                          .shuffle = random_.split(static_cast<uint64_t>(epoch)).seed()});
  epoch_ = epoch;
}

}  // namespace ink
