// What files of distillations have in common, whatever the student is trained on.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/distillation_config.h"
#include "compress/make_student.h"
#include "tasks/fit.h"
#include "tasks/task.h"
#include "tensor/json.h"

namespace ink {

// What a job is on: one task, several tasks, plain text.
enum class DistillKind : uint8_t { task, tasks, text };

// A key, and the kinds of jobs that have it.
struct KeyOfKinds {
  std::string_view name;
  std::vector<DistillKind> kinds;
};

// Raises Error for a key that is of other jobs alone, saying of which, and `instead`; and for an
// unknown one.
void check_keys(const Json& object, DistillKind kind, std::span<const KeyOfKinds> all,
                const char* instead = "");
// The same of the keys of a whole job.
void check_job_keys(const Json& job, DistillKind kind);

// The folders under "teacher": one, or a list of them.
std::vector<std::filesystem::path> teachers_in(const Json& job);

// The task under "task". Raises Error for an unknown one, saying where it stands.
const Task& task_in(const Json& json);

struct DistillKeys {
  StudentOptions student = {};
  DistillationConfig config = {};  // of loss_preset, where there is one, then DistillationConfig
  std::optional<MatchLoss> match_evenly = {};
  std::string layer_map = "uniform";
};

// From the keys student, loss_preset, match_evenly, layer_map and DistillationConfig. An
// architecture and a loss_preset need the teacher's config.json.
DistillKeys read_distill_keys(const Json& job, const std::filesystem::path& teacher);

// From the key TrainingConfig, with TextBrewer's keys and those it passes to train(): the folder
// that is written, and how it is trained. What is not said stays. Raises Error where no folder is
// named.
void read_training(const Json& job, DistillKind kind, std::filesystem::path& out, FitOptions& fit);

}  // namespace ink
