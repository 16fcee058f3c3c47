// The batches of one task, epoch after epoch without end, each in a new random order.
#pragma once
#include <cstdint>
#include <vector>

#include "tasks/fit.h"

namespace ink {

// Refers to the examples and the options.
class BatchStream {
 public:
  BatchStream(const Features& train, const FitOptions& fit, const Random& random);

  int64_t of_first_epoch() const { return ends_.front(); }  // batches
  // Number `batch`, from 0; a function of it alone.
  FeatureBatch operator[](int64_t batch);

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
