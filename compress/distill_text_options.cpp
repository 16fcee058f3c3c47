// DistillTextOptions from JSON.
#include "compress/distill_keys.h"
#include "compress/distill_text.h"
#include "tensor/error.h"

namespace ink {
namespace {

void read_training_on_text(const Json& json, PretrainOptions& text) {
  FitOptions fit{.accumulate = text.accumulate,
                 .learning_rate = text.learning_rate,
                 .weight_decay = text.optimizer.weight_decay,
                 .clip_norm = text.clip_norm,
                 .seed = text.seed};
  read_training(json, DistillKind::text, text.out, fit);
  text.accumulate = fit.accumulate;
  text.learning_rate = fit.learning_rate;
  text.optimizer.weight_decay = fit.weight_decay;
  text.clip_norm = fit.clip_norm;
  text.seed = fit.seed;
  if (json.has("TrainingConfig") && json.object("TrainingConfig").has("warmup_proportion"))
    text.warmup_steps = static_cast<int64_t>(fit.warm_up * static_cast<double>(text.steps));
}

}  // namespace

DistillTextOptions distill_text_options_from_json(const Json& json, PretrainOptions text) {
  check_job_keys(json, DistillKind::text);
  std::vector<std::filesystem::path> teachers = teachers_in(json);
  if (teachers.size() != 1)
    fail("", json.where("teacher"), ": on text a student has one teacher, got ", teachers.size());
  DistillKeys keys = read_distill_keys(json, teachers.front());
  read_training_on_text(json, text);
  return {.teacher = std::move(teachers.front()),
          .student = std::move(keys.student),
          .config = std::move(keys.config),
          .match_evenly = keys.match_evenly,
          .layer_map = std::move(keys.layer_map),
          .text = std::move(text)};
}

}  // namespace ink
