// The table of losses by name.
#include "compress/loss_presets.h"

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

// No loss of logits; matches follow.
DistillationConfig of_layers_alone() { return {.hard_label_weight = 0, .kd_loss_weight = 0}; }

IntermediateMatch match_of(MatchLoss loss, int64_t layer_teacher, int64_t layer_student) {
  return {.layer_teacher = layer_teacher, .layer_student = layer_student, .loss = loss};
}

// Its temperature squared is in the published loss, too.
DistillationConfig distilbert(const LayerMap&, const ModelSize& teacher, const ModelSize& student) {
  DistillationConfig config{.temperature = 2,
                            .temperature_squared = true,
                            .hard_label_weight = 2,
                            .kd_loss_type = KdLoss::kl,
                            .kd_loss_weight = 5};
  IntermediateMatch last = match_of(MatchLoss::cos, teacher.layers, student.layers);
  if (teacher.hidden != student.hidden) {
    last.student_size = student.hidden;
    last.teacher_size = teacher.hidden;
  }
  config.intermediate_matches = {last};
  return config;
}

DistillationConfig tinybert(const LayerMap& map, const ModelSize& teacher,
                            const ModelSize& student) {
  DistillationConfig config = of_layers_alone();
  config.intermediate_matches = mapped_matches(map, teacher, student, MatchLoss::hidden_mse);
  for (int64_t j = 1; j <= student.layers; ++j)
    config.intermediate_matches.push_back(match_of(
        MatchLoss::attention_mse, map.teacher_layer(j, teacher.layers, student.layers), j));
  return config;
}

DistillationConfig minilm(const LayerMap&, const ModelSize& teacher, const ModelSize& student) {
  DistillationConfig config = of_layers_alone();
  for (const MatchLoss loss : {MatchLoss::minilm_query_key, MatchLoss::minilm_value})
    config.intermediate_matches.push_back(match_of(loss, teacher.layers, student.layers));
  return config;
}

struct LossPreset {
  std::string_view name;
  DistillationConfig (*make)(const LayerMap& map, const ModelSize& teacher,
                             const ModelSize& student);
};
constexpr LossPreset kPresets[] = {
    {"DistilBERT", distilbert}, {"TinyBERT", tinybert}, {"MiniLM", minilm}};

}  // namespace

std::vector<std::string_view> loss_presets() {
  std::vector<std::string_view> names;
  for (const LossPreset& preset : kPresets) names.push_back(preset.name);
  return names;
}

DistillationConfig loss_preset(const std::string& name, const LayerMap& map,
                               const ModelSize& teacher, const ModelSize& student) {
  for (const LossPreset& preset : kPresets)
    if (name == preset.name) return preset.make(map, teacher, student);
  fail("distill: unknown loss_preset ", in_quotes(name), "; ", correction(name, loss_presets()));
}

}  // namespace ink
