// Scores of a study: kept in results.json, averaged over seeds, shown as a page and a table.
//
// results.json also says what the variants and tasks of its scores were made of
// (cli/study_inputs.h): the models of scores may be gone, and are never asked again.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/study_plan.h"
#include "tasks/task.h"

namespace ink::cli {

struct StudyScore {
  std::string variant, task;
  int64_t seed = 0, step = 0;
  double score = 0;   // the metric that the task goes by
  Json metrics = {};  // all of them
};

struct Average {
  int64_t count = 0;
  double mean = 0, deviation = 0;  // of the sample, over count − 1; 0 of one
};
Average average_of(const std::vector<double>& values);

class StudyResults {
 public:
  // Reads out/results.json where it is there. Raises Error when it holds scores of other options or
  // other files.
  explicit StudyResults(const StudyPlan& plan);

  const StudyScore* find(const StudyVariant& variant, const StudyTask& task, int64_t seed,
                         int64_t step) const;
  void add(const StudyVariant& variant, const StudyTask& task, int64_t seed, int64_t step,
           const Scores& scores);  // and writes the file
  Average average(const StudyVariant& variant, const StudyTask& task, int64_t step) const;
  void write() const;  // out/results.json
  Json summary() const;

 private:
  const StudyPlan& plan_;
  std::vector<StudyScore> scores_;
  Json variants_ = Json::make_object(), tasks_ = Json::make_object();  // made_of, by name
};

// "83.1 ± 0.4", in per cent, of correlations "0.831 ± 0.004"; "" of none.
std::string shown(std::string_view metric, const Average& average);
std::string study_page(const StudyPlan& plan, const StudyResults& results);
std::string study_table(const StudyPlan& plan, const StudyResults& results);

}  // namespace ink::cli
