// Keeping and averaging scores.
#include "cli/study_results.h"

#include <algorithm>
#include <cmath>

#include "cli/study_inputs.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

std::filesystem::path file_of(const StudyPlan& plan) { return plan.out / "results.json"; }

StudyScore score_from(const Json& json) {
  return {.variant = json.string("variant"),
          .task = json.string("task"),
          .seed = json.integer("seed"),
          .step = json.integer("step"),
          .score = json.real("score"),
          .metrics = json.object("metrics")};
}

Json to_json(const StudyScore& s) {
  return Json::make_object({{"variant", s.variant},
                            {"task", s.task},
                            {"seed", s.seed},
                            {"step", s.step},
                            {"score", s.score},
                            {"metrics", s.metrics}});
}

// What the scores of `name` were made of is what they would be made of now.
void check_inputs(const std::filesystem::path& file, const Json& before, const std::string& name,
                  const Json& now) {
  const std::string other = before.has(name) ? difference_of(before[name], now) : "";
  check(other.empty(), "", file.string(), ": the scores of ", name, " were made with ", other,
        "; choose another out, or remove the folder");
}

}  // namespace

Average average_of(const std::vector<double>& values) {
  Average a{.count = std::ssize(values)};
  if (values.empty()) return a;
  const auto n = static_cast<double>(values.size());
  for (const double x : values) a.mean += x / n;
  double squares = 0;
  for (const double x : values) squares += (x - a.mean) * (x - a.mean);
  if (values.size() > 1) a.deviation = std::sqrt(squares / (n - 1));
  return a;
}

StudyResults::StudyResults(const StudyPlan& plan) : plan_(plan) {
  const std::filesystem::path file = file_of(plan);
  if (!std::filesystem::exists(file)) return;
  const Json json = parse_json(read_file(file, size_t{1} << 28), file.string());
  for (const Json& one : json.array("scores").items()) scores_.push_back(score_from(one));
  variants_ = json.object("variants");
  tasks_ = json.object("tasks");
  for (const StudyVariant& v : plan.variants) check_inputs(file, variants_, v.name, v.made_of);
  for (const StudyTask& t : plan.tasks) check_inputs(file, tasks_, t.name, t.made_of);
}

const StudyScore* StudyResults::find(const StudyVariant& variant, const StudyTask& task,
                                     int64_t seed, int64_t step) const {
  const auto found = std::ranges::find_if(scores_, [&](const StudyScore& s) {
    return s.variant == variant.name && s.task == task.name && s.seed == seed && s.step == step;
  });
  return found == scores_.end() ? nullptr : &*found;
}

void StudyResults::add(const StudyVariant& variant, const StudyTask& task, int64_t seed,
                       int64_t step, const Scores& scores) {
  Json metrics = Json::make_object();
  for (const auto& [name, value] : scores.metrics) metrics.set(name, value);
  scores_.push_back({.variant = variant.name,
                     .task = task.name,
                     .seed = seed,
                     .step = step,
                     .score = scores.score,
                     .metrics = metrics});
  variants_.set(variant.name, variant.made_of);
  tasks_.set(task.name, task.made_of);
  write();
}

Average StudyResults::average(const StudyVariant& variant, const StudyTask& task,
                              int64_t step) const {
  std::vector<double> values;
  for (const int64_t seed : plan_.seeds)
    if (const StudyScore* s = find(variant, task, seed, step)) values.push_back(s->score);
  return average_of(values);
}

Json StudyResults::summary() const {
  Json all = Json::make_array();
  for (const StudyTask& task : plan_.tasks) {
    for (const StudyVariant& variant : plan_.variants) {
      for (const int64_t step : variant.steps) {
        const Average a = average(variant, task, step);
        if (a.count == 0) continue;
        all.append(Json::make_object({{"task", task.name},
                                      {"variant", variant.name},
                                      {"step", step},
                                      {"mean", a.mean},
                                      {"deviation", a.deviation},
                                      {"seeds", a.count}}));
      }
    }
  }
  return all;
}

void StudyResults::write() const {
  Json scores = Json::make_array();
  for (const StudyScore& s : scores_) scores.append(to_json(s));
  const Json all = Json::make_object(
      {{"summary", summary()}, {"variants", variants_}, {"tasks", tasks_}, {"scores", scores}});
  write_file(file_of(plan_), all.to_string(1) + '\n');
}

}  // namespace ink::cli
