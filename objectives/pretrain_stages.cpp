// Shares of the steps → the step at which each stage ends.
#include "objectives/pretrain_stages.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace ink {

PretrainStages::PretrainStages(const PretrainOptions& options) {
  if (options.stages.empty()) {
    stages_.emplace_back(options.max_tokens, options.steps);
    return;
  }
  double sum = 0;
  int64_t begin = 0;
  for (const PretrainStage& stage : options.stages) {
    check(stage.share > 0 && stage.max_tokens > 0,
          "pre-training: expected stages of lengths and shares above 0, got ", stage.max_tokens,
          " tokens for ", stage.share, " of the steps");
    sum += stage.share;
    const int64_t end = std::llround(sum * static_cast<double>(options.steps));
    check(end > begin, "pre-training: expected a step or more in each stage, the one of ",
          stage.max_tokens, " tokens has ", stage.share, " of ", options.steps,
          " steps; raise its share or the number of steps");
    stages_.emplace_back(stage.max_tokens, end);
    begin = end;
  }
  check(std::abs(sum - 1) < 1e-6,
        "pre-training: expected shares of the stages that add up to 1, got ", sum);
}

int64_t PretrainStages::length_at(int64_t step) const {
  const auto found = std::ranges::find_if(stages_, [&](const auto& s) { return step < s.second; });
  return found == stages_.end() ? last_length() : found->first;
}

int64_t PretrainStages::longest() const {
  return std::ranges::max(stages_, {}, &std::pair<int64_t, int64_t>::first).first;
}

int64_t PretrainStages::shortest() const {
  return std::ranges::min(stages_, {}, &std::pair<int64_t, int64_t>::first).first;
}

Json PretrainStages::fingerprint() const {
  if (stages_.size() == 1) return {};
  Json all = Json::make_array();
  for (const auto& [length, end] : stages_) all.append(Json::make_array({length, end}));
  return Json::make_object({{"steps", stages_.back().second}, {"lengths", all}});
}

}  // namespace ink
