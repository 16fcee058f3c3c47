// The learning rate as a function of the step: a linear rise from 0, then constant, or down to 0.
//
//   const Schedule schedule{.peak = 1e-4, .warmup = 100, .steps = 1000};
//   optimizer.step(parameters, gradients, schedule.at(step));   // step = 0, 1, …, 999
//
// Steps count from 0, so with a warm-up the first step has rate 0, as in PyTorch's and Google's
// programs. A schedule has no state: resuming at step s needs nothing but s.
#pragma once
#include <cstdint>

#include "tensor/json.h"

namespace ink {

enum class Decay : uint8_t { constant, linear, cosine };
// Where the decay is counted from: the end of the warm-up; step 0, with a small drop at that end
// (Google's BERT); or step 0, the warm-up being multiplied by it too (ELECTRA).
enum class DecayFrom : uint8_t { warmup_end, zero, zero_throughout };

struct Schedule {
  double peak = 1e-4;  // the highest rate
  int64_t warmup = 0;  // steps of the rise: peak·step/warmup
  int64_t steps = 0;   // of the whole training, the warm-up included
  Decay decay = Decay::linear;
  DecayFrom decay_from = DecayFrom::warmup_end;

  // The rate of a step; 0 from `steps` on unless constant. Raises Error for negative numbers and
  // for a warm-up that is longer than the training.
  double at(int64_t step) const;
  // What the rate depends on, by name: "learning_rate", "warmup", "decay", …
  Json to_json() const;
};

}  // namespace ink
