// TrainingConfig: how a student is trained, whatever it is trained on.
#include <algorithm>
#include <limits>

#include "compress/distill_keys.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr int64_t kMost = int64_t{1} << 40;

void check_training_keys(const Json& json, DistillKind kind) {
  using enum DistillKind;
  static const std::vector<KeyOfKinds> all = {{"output_dir", {task, tasks, text}},
                                              {"device", {task, tasks, text}},
                                              {"gradient_accumulation_steps", {task, tasks, text}},
                                              {"num_epochs", {task}},
                                              {"num_steps", {task}},
                                              {"batch_size", {task, tasks}},
                                              {"learning_rate", {task, tasks, text}},
                                              {"warmup_proportion", {task, tasks, text}},
                                              {"weight_decay", {task, tasks, text}},
                                              {"max_grad_norm", {task, tasks, text}},
                                              {"ckpt_frequency", {task}},
                                              {"ckpt_epoch_frequency", {task}},
                                              {"ckpt_steps", {task}},
                                              {"keep_best", {task}},
                                              {"early_stop", {task}},
                                              {"log_dir", {task}},
                                              {"seed", {task, tasks, text}}};
  const char* instead =
      kind == tasks  ? ", which are drawn step by step: expected num_steps and evaluate_every "
                       "beside tasks"
      : kind == text ? ", in steps of batch_tokens tokens: expected steps, batch_tokens and "
                       "evaluate_every beside text"
                     : "";
  check_keys(json, kind, all, instead);
}

int64_t count(const Json& json, const char* key, int64_t otherwise, int64_t least = 1) {
  if (!json.has(key)) return otherwise;
  const int64_t number = json.integer(key);
  check(number >= least, "", json.where(key), ": expected ", least,
        least == 0 ? " (never) or more, got " : " or more, got ", number);
  return json.integer_between(key, least, kMost);
}

double share(const Json& json, const char* key, double otherwise) {
  const double share = json.real(key, otherwise);
  check(share >= 0 && share <= 1, "", json.where(key),
        ": expected a share of the steps, from 0 to 1, got ", share);
  return share;
}

double rate(const Json& json, const char* key, double otherwise) {
  const double rate = json.real(key, otherwise);
  check(rate >= 0, "", json.where(key), ": expected 0 or more, got ", rate);
  return rate;
}

// When the student is evaluated, and which of these students stay beside the best one: all that
// TextBrewer would write, where its keys are given, or the `keep_best` best of them.
void read_checkpoints(const Json& json, FitOptions& fit) {
  const bool steps = json.has("ckpt_steps");
  check(!json.has("num_steps") || !json.has("num_epochs"), "", json.where("num_steps"),
        ": expected num_steps or num_epochs, got both");
  check(!steps || fit.steps > 0, "", json.where("ckpt_steps"),
        ": counts steps of a training of num_steps; expected ckpt_frequency with num_epochs");
  bool epochs = false;
  for (const char* key : {"ckpt_frequency", "ckpt_epoch_frequency"}) {
    epochs |= json.has(key);
    check(!json.has(key) || fit.steps == 0, "", json.where(key),
          ": goes with num_epochs; expected ckpt_steps with num_steps");
  }
  fit.evaluate_every = count(json, "ckpt_steps", fit.evaluate_every);
  fit.per_epoch = count(json, "ckpt_frequency", fit.per_epoch);
  fit.every_epochs = count(json, "ckpt_epoch_frequency", fit.every_epochs);
  if (steps || epochs) fit.keep_best = std::numeric_limits<int64_t>::max();
  if (!json.has("keep_best")) return;
  const int64_t best = count(json, "keep_best", 1);
  fit.keep_best = best == 1 ? 0 : best;  // the best one is output_dir itself
}

}  // namespace

void read_training(const Json& job, DistillKind kind, std::filesystem::path& out, FitOptions& fit) {
  if (job.has("TrainingConfig")) {
    const Json& json = job.object("TrainingConfig");
    check_training_keys(json, kind);
    if (json.has("device"))
      check(json.string("device") == "cpu", "", json.where("device"),
            ": what computes is said to the program; expected \"cpu\", or no device here and "
            "--device cuda, got ",
            json["device"].to_string());
    out = json.string("output_dir", out.string());
    fit.accumulate = count(json, "gradient_accumulation_steps", fit.accumulate);
    fit.epochs = count(json, "num_epochs", fit.epochs);
    fit.steps = count(json, "num_steps", fit.steps);
    fit.batch_size = count(json, "batch_size", fit.batch_size);
    fit.learning_rate = rate(json, "learning_rate", fit.learning_rate);
    fit.warm_up = share(json, "warmup_proportion", fit.warm_up);
    fit.weight_decay = rate(json, "weight_decay", fit.weight_decay);
    // TextBrewer's -1: never.
    fit.clip_norm = std::max(0.0, json.real("max_grad_norm", fit.clip_norm));
    if (json.has("seed"))
      fit.seed = static_cast<uint64_t>(json.integer_between("seed", 0, INT64_MAX));
    fit.early_stop = count(json, "early_stop", fit.early_stop, 0);
    fit.event_folder = json.string("log_dir", fit.event_folder.string());
    fit.event_file = !fit.event_folder.empty();
    read_checkpoints(json, fit);
  }
  check(!out.empty(), "", job.where("TrainingConfig"),
        ": expected the student's folder in output_dir (or --out)");
}

}  // namespace ink
