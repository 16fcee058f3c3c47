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
  size_t leading = 0;           // the first of weight above 0: layer maps are of its layers
  ModelConfig student;
  Labels labels;  // of all
  DistillationConfig config;
  StudentTokens tokens;
  std::vector<Readings> data;  // one for each teacher
};

DistillSetup set_up(const DistillOptions& options);
// Raises Error where a student cannot be written to the folders of the job, that of compare_alone
// included, or would mix with what is there.
void check_folders(const DistillOptions& options, const DistillSetup& setup);

// Whether layers are chosen by the map "emd", which is measured: they and what they ask of the
// teachers are known only then.
bool maps_by_flow(const DistillOptions& options);
// Raises Error where a match does not fit a teacher of weight above 0.
void check_sizes(const DistillSetup& setup);

}  // namespace ink
