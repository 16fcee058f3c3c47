// Keeping and averaging scores.
#include "cli/study_results.h"

#include <algorithm>
#include <cmath>

#include "tensor/file.h"
#include "tensor/fingerprint.h"

namespace ink::cli {
namespace {

std::filesystem::path file_of(const StudyPlan& plan) { return plan.out / "results.json"; }

std::string made_of(const StudyVariant& variant, const StudyTask& task) {
  return Digest()
      .add(variant.options.to_string())
      .add(task.finetune.to_string())
      .add(task.generator.to_string())
      .add(task.test.string())
      .to_string();
}

StudyScore score_from(const Json& json) {
  return {.variant = json.string("variant"),
          .task = json.string("task"),
          .seed = json.integer("seed"),
          .step = json.integer("step"),
          .score = json.real("score"),
          .metrics = json.object("metrics"),
          .made_of = json.string("made_of")};
}

Json to_json(const StudyScore& s) {
  return Json::make_object({{"variant", s.variant},
                            {"task", s.task},
                            {"seed", s.seed},
                            {"step", s.step},
                            {"score", s.score},
                            {"metrics", s.metrics},
                            {"made_of", s.made_of}});
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
  for (const StudyVariant& v : plan.variants) {
    for (const StudyTask& t : plan.tasks) {
      for (const StudyScore& s : scores_)
        check(s.variant != v.name || s.task != t.name || s.made_of == made_of(v, t), "",
              file.string(), ": the scores of ", v.name, " on ", t.name,
              " were made with other options; choose another out, or remove the folder");
    }
  }
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
                     .metrics = metrics,
                     .made_of = made_of(variant, task)});
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
      for (const int64_t step : plan_.steps) {
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
  write_file(file_of(plan_),
             Json::make_object({{"summary", summary()}, {"scores", scores}}).to_string(1) + '\n');
}

}  // namespace ink::cli
