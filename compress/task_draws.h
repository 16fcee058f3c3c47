// Which task each micro-batch of a joint training is of, and which of its batches: a task is drawn
// with probability |D_t|^τ / Σ_s |D_s|^τ, |D| being its batches in an epoch (TextBrewer's
// MultiTaskDistiller). τ = 1: as its data; τ = 0: all alike.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/philox.h"

namespace ink {

std::vector<double> task_probabilities(std::span<const int64_t> batches, double tau);

// A function of `random` and the micro-batch's number alone, so that a run resumes where it was.
class TaskDraws {
 public:
  TaskDraws(std::vector<double> probabilities, Random random)
      : probabilities_(std::move(probabilities)), random_(random) {}

  struct Draw {
    size_t task = 0;
    int64_t earlier = 0;  // micro-batches of this task before
  };
  Draw operator[](int64_t micro_batch);

 private:
  std::vector<double> probabilities_;
  Random random_;
  std::vector<Draw> draws_;  // of micro-batches 0, 1, …
  std::vector<int64_t> counts_;
};

}  // namespace ink
