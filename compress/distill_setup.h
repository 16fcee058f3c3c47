// What a distillation reads and checks before any weight is made: nothing is written, and a set-up
// that cannot work ends here, with an Error that says what to change.
#pragma once
#include <filesystem>
#include <vector>

#include "compress/distill.h"
#include "compress/reading.h"

namespace ink {

struct DistillSetup {
  std::vector<std::filesystem::path> folders;  // of the teachers
  std::vector<ModelConfig> teachers;
  std::vector<double> weights;  // theirs, of sum 1
  ModelConfig student;
  Labels labels;  // of all
  DistillationConfig config;
  StudentTokens tokens;
  std::vector<Readings> data;  // one for each teacher
};

DistillSetup set_up(const DistillOptions& options);

}  // namespace ink
