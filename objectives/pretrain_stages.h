// Stages of a pre-training: step s has sequences of L(s) tokens, L constant in each stage.
//
//   const PretrainStages stages({.stages = {{128, 0.9}, {512, 0.1}}, .steps = 1000});
//   stages.length_at(899);  // 128
//   stages.length_at(900);  // 512
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "objectives/pretrain.h"
#include "tensor/json.h"

namespace ink {

class PretrainStages {
 public:
  // One stage of max_tokens where the options name none. A stage ends at the step nearest to the
  // sum of the shares so far. Raises Error for shares that do not add up to 1, and for a stage
  // without a step.
  explicit PretrainStages(const PretrainOptions& options);

  int64_t length_at(int64_t step) const;  // step counts from 0
  int64_t last_length() const { return stages_.back().first; }
  int64_t longest() const;
  int64_t shortest() const;
  size_t size() const { return stages_.size(); }
  // {"steps": …, "lengths": [[length, steps until its end], …]}; null for one stage, which is the
  // same whatever the number of steps.
  Json fingerprint() const;

 private:
  std::vector<std::pair<int64_t, int64_t>> stages_;  // length, end
};

}  // namespace ink
