// The list of tasks, and what all of them share.
#include "tasks/task.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {

double Scores::metric(const std::string& name) const {
  const auto is_it = [&](const auto& metric) { return metric.first == name; };
  const auto found = std::ranges::find_if(metrics, is_it);
  check(found != metrics.end(), "scores: there is no metric ", name);
  return found->second;
}

Evaluation evaluation_of(const Scores& scores) {
  Evaluation evaluation{.score = scores.score, .metrics = scores.metrics};
  for (auto& [name, value] : evaluation.metrics)
    if (name == "loss") name = "dev_loss";
  return evaluation;
}

Judged TaskSet::judge(const Model& model) const {
  return judge_logits([&](const FeatureBatch& batch) { return logits(model, batch.inputs, {}); });
}

std::span<const Task* const> tasks() {
  static const std::array all = {&classification_task(), &multi_label_task(), &reading_task(),
                                 &regression_task(),     &tagging_task(),     &word_order_task()};
  return all;
}

const Task& task_named(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Task* task : tasks()) {
    if (task->name == name) return *task;
    names.emplace_back(task->name);
  }
  fail("task: expected ", alternatives(names), ", got ", in_quotes(name));
}

}  // namespace ink
