// DistillTextOptions from JSON.
#include <algorithm>

#include "compress/distill_keys.h"
#include "compress/distill_text.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

// The keys of TextBrewer's that say something about steps on text; the others are named.
void read_training(const Json& json, PretrainOptions& text) {
  for (const char* key : {"num_epochs", "batch_size"})
    check(!json.has(key), "", json.where(key),
          ": text is trained on in steps of batch_tokens tokens; expected steps and batch_tokens "
          "beside text instead");
  check_keys(json, {"output_dir", "device", "gradient_accumulation_steps", "learning_rate",
                    "warmup_proportion", "weight_decay", "max_grad_norm", "seed"});
  if (json.has("device")) choice(json, "device", {"cpu"});
  text.out = json.string("output_dir", text.out.string());
  if (json.has("gradient_accumulation_steps"))
    text.accumulate = json.integer_between("gradient_accumulation_steps", 1, int64_t{1} << 40);
  text.learning_rate = json.real("learning_rate", text.learning_rate);
  if (json.has("warmup_proportion")) {
    const double share = json.real("warmup_proportion");
    check(share >= 0 && share <= 1, "", json.where("warmup_proportion"),
          ": expected a share of the steps from 0 to 1, got ", share);
    text.warmup_steps = static_cast<int64_t>(share * static_cast<double>(text.steps));
  }
  text.optimizer.weight_decay = json.real("weight_decay", text.optimizer.weight_decay);
  // TextBrewer's -1: never.
  text.clip_norm = std::max(0.0, json.real("max_grad_norm", text.clip_norm));
  text.seed = static_cast<uint64_t>(json.integer("seed", static_cast<int64_t>(text.seed)));
}

}  // namespace

DistillTextOptions distill_text_options_from_json(const Json& json, PretrainOptions text) {
  check_keys(json, {"teacher", "student", "loss_preset", "match_evenly", "layer_map",
                    "TrainingConfig", "DistillationConfig"});
  const Json& teacher = json["teacher"];
  if (teacher.is_array() && teacher.size() != 1)
    fail("", json.where("teacher"), ": on text a student has one teacher, got ", teacher.size());
  DistillKeys keys = read_distill_keys(json);
  if (json.has("TrainingConfig")) read_training(json.object("TrainingConfig"), text);
  check(!text.out.empty(), "", json.where("TrainingConfig"),
        ": expected the student's folder in output_dir");
  return {.teacher = std::move(keys.teacher),
          .student = std::move(keys.student),
          .config = std::move(keys.config),
          .match_evenly = keys.match_evenly,
          .layer_map = std::move(keys.layer_map),
          .text = std::move(text)};
}

}  // namespace ink
