// Epochs are planned when they are reached; one of them is in memory.
#include "compress/batch_stream.h"

#include <algorithm>

namespace ink {

BatchStream::BatchStream(const Features& train, const FitOptions& fit, const Random& random)
    : train_(train), fit_(fit), random_(random) {
  plan(0);
  ends_.push_back(std::ssize(batches_));
}

FeatureBatch BatchStream::operator[](int64_t batch) {
  while (ends_.back() <= batch) {
    plan(std::ssize(ends_));
    ends_.push_back(ends_.back() + std::ssize(batches_));
  }
  const auto end = std::ranges::upper_bound(ends_, batch);
  if (const int64_t epoch = end - ends_.begin(); epoch != epoch_) plan(epoch);
  const int64_t first = end == ends_.begin() ? 0 : *std::prev(end);
  return train_.batch(batches_[static_cast<size_t>(batch - first)]);
}

void BatchStream::plan(int64_t epoch) {
  batches_ = train_.plan({.sequences = fit_.batch_size,
                          .max_tokens = fit_.max_tokens,
                          .shuffle = random_.split(static_cast<uint64_t>(epoch)).seed()});
  epoch_ = epoch;
}

}  // namespace ink
