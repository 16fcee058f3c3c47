// TextBrewer's match lists (its examples/matches) by their names.
#include <algorithm>
#include <array>

#include "compress/matches.h"

namespace ink {
namespace {

// Student layer j, from 0 (attention: from 1), goes with teacher layer j·stride.
struct Preset {
  std::string_view name;
  MatchLoss loss;
  int64_t layers, stride;     // of the student; of layers in the teacher for one of the student's
  int64_t student_width = 0;  // of a linear projection to 768; 0: none
  int64_t every = 1;          // the student's layers taken
};

constexpr std::array<Preset, 19> kPresets = {
    {{"L3_hidden_mse", MatchLoss::hidden_mse, 3, 4},
     {"L3n_hidden_mse", MatchLoss::hidden_mse, 3, 4, 384},
     {"L3l_hidden_mse", MatchLoss::hidden_mse, 3, 4, 1024},
     {"L3_hidden_smmd", MatchLoss::nst, 3, 4},
     {"L3_attention_mse", MatchLoss::attention_mse, 3, 4},
     {"L3_attention_mse_sum", MatchLoss::attention_mse_sum, 3, 4},
     {"L3_attention_ce", MatchLoss::attention_ce, 3, 4},
     {"L3_attention_ce_mean", MatchLoss::attention_ce_mean, 3, 4},
     {"L4t_hidden_mse", MatchLoss::hidden_mse, 4, 3, 312},
     {"L4_hidden_smmd", MatchLoss::nst, 4, 3},
     {"L4t_hidden_sgram", MatchLoss::fsp, 4, 3, 312},
     {"L4_attention_mse", MatchLoss::attention_mse, 4, 3},
     {"L4_attention_mse_sum", MatchLoss::attention_mse_sum, 4, 3},
     {"L4_attention_ce", MatchLoss::attention_ce, 4, 3},
     {"L4_attention_ce_mean", MatchLoss::attention_ce_mean, 4, 3},
     {"L6_hidden_mse", MatchLoss::hidden_mse, 6, 2},
     {"L6_hidden_smmd", MatchLoss::nst, 6, 2},
     {"small_hidden_mse", MatchLoss::hidden_mse, 12, 1, 256, 2},
     {"small_hidden_smmd", MatchLoss::nst, 12, 1, 0, 2}}};
constexpr int64_t kTeacherWidth = 768;

}  // namespace

std::vector<IntermediateMatch> match_preset(std::string_view name) {
  std::vector<IntermediateMatch> matches;
  const auto* preset = std::ranges::find(kPresets, name, &Preset::name);
  if (preset == kPresets.end()) return matches;
  const bool hidden = feature_of(preset->loss) == MatchFeature::hidden;
  for (int64_t j = hidden ? 0 : 1; j <= preset->layers; j += preset->every) {
    IntermediateMatch match{
        .layer_teacher = j * preset->stride, .layer_student = j, .loss = preset->loss};
    if (preset->student_width > 0) {
      match.student_size = preset->student_width;
      match.teacher_size = kTeacherWidth;
    }
    if (takes_pairs(preset->loss)) {
      match.second_teacher = match.layer_teacher;
      match.second_student = j;
    }
    matches.push_back(match);
  }
  return matches;
}

std::vector<std::string_view> match_presets() {
  std::vector<std::string_view> names;
  names.reserve(kPresets.size());
  for (const Preset& preset : kPresets) names.push_back(preset.name);
  return names;
}

}  // namespace ink
