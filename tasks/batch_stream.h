// The batches of a training set, epoch after epoch without end, each in a new random order.
#pragma once
#include <cstdint>
#include <vector>

#include "tasks/fit.h"

namespace ink {

// Refers to the examples and the options.
class BatchStream {
 public:
  // The order of epoch e is that of `random`.split(e).
  BatchStream(const Features& train, const FitOptions& fit, const Random& random)
      : train_(train), fit_(fit), random_(random) {}

  int64_t end_of(int64_t epoch);  // in batches, from the first epoch on
  // The examples of batch number `batch`, from 0; a function of it alone.
  const std::vector<int64_t>& operator[](int64_t batch);

 private:
  void plan(int64_t epoch);

  const Features& train_;
  const FitOptions& fit_;
  Random random_;
  std::vector<int64_t> ends_;  // of each epoch so far, in batches
  int64_t epoch_ = -1;
  std::vector<std::vector<int64_t>> batches_;  // of that epoch
};

}  // namespace ink
