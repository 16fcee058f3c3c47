// What a distillation is worth: the teacher, the distilled student and, if asked, the same student
// trained on labels alone, on the same development examples and in the same run.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "compress/distill.h"

namespace ink {

// The job whose student learns from true labels alone, with the same settings from the same start:
// no loss of the teacher's, which is not asked, no examples that it labels. It takes as many steps
// as the distilled one and is evaluated as often, over more passes where that has more examples:
// `evaluations` are the steps of the distilled one (DistillResult). Written to `out`/alone.
DistillOptions without_teacher(const DistillOptions& job, std::span<const int64_t> evaluations);

struct ComparedModel {
  std::string name;
  int64_t parameters = 0;
  double sentences_per_second = 0;  // in batches of 32 of the development examples, quickest of
                                    // several passes in turns
  Scores scores = {};
};

struct NamedModel {
  std::string name;
  std::filesystem::path folder;
};

// Scores, and speed measured in turns, of model folders on the job's development examples. Nothing
// where fit.stop ends it before all are judged.
std::vector<ComparedModel> compare_models(const DistillOptions& job,
                                          const std::vector<NamedModel>& models);

}  // namespace ink
