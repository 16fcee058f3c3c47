// What files of distillations have in common, whatever the student is trained on.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "compress/distillation_config.h"
#include "compress/make_student.h"
#include "tensor/json.h"

namespace ink {

struct DistillKeys {
  std::filesystem::path teacher;
  StudentOptions student = {};
  DistillationConfig config = {};  // of loss_preset, where there is one, then DistillationConfig
  std::optional<MatchLoss> match_evenly = {};
  std::string layer_map = "uniform";
};

// From the keys teacher, student, loss_preset, match_evenly, layer_map and DistillationConfig; the
// others are the caller's. An architecture and a loss_preset need the teacher's config.json.
DistillKeys read_distill_keys(const Json& json);

}  // namespace ink
