// DistillOptions from JSON.
#include <algorithm>
#include <limits>

#include "compress/distill.h"
#include "compress/distill_keys.h"
#include "compress/layer_map.h"
#include "compress/loss_presets.h"
#include "compress/students.h"
#include "compress/teacher.h"
#include "tasks/architecture.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

std::vector<int64_t> read_layers(const Json& list) {
  std::vector<int64_t> layers;
  for (size_t i = 0; i < list.size(); ++i) layers.push_back(list.integer_between(i, 0, 1 << 20));
  return layers;
}

TeacherInit read_init(const Json& student) {
  using From = TeacherInit::From;
  const Json& value = student["init_from_teacher"];
  if (value.is_string()) {
    constexpr From kinds[] = {From::nothing, From::embeddings, From::uniform, From::first,
                              From::last};
    return {.from = kinds[choice(student, "init_from_teacher",
                                 {"none", "embeddings", "uniform", "first", "last"})]};
  }
  return {.from = From::listed, .layers = read_layers(student.array("init_from_teacher"))};
}

// When the student is evaluated, and which of these students stay beside the best one: all that
// TextBrewer would write, where its keys are given, or the `keep_best` best of them.
void read_checkpoints(const Json& json, FitOptions& fit) {
  constexpr int64_t kMost = int64_t{1} << 40;
  const bool steps = json.has("ckpt_steps");
  bool epochs = false;
  for (const char* key : {"ckpt_frequency", "ckpt_epoch_frequency"}) epochs |= json.has(key);
  check(!json.has("num_steps") || !json.has("num_epochs"), "", json.where("num_steps"),
        ": expected num_steps or num_epochs, got both");
  check(!steps || fit.steps > 0, "", json.where("ckpt_steps"),
        ": counts steps of a training of num_steps; expected ckpt_frequency with num_epochs");
  check(!epochs || fit.steps == 0, "", json.where("TrainingConfig"),
        ": ckpt_frequency and ckpt_epoch_frequency go with num_epochs; expected ckpt_steps with "
        "num_steps");
  if (steps) fit.evaluate_every = json.integer_between("ckpt_steps", 1, kMost);
  if (json.has("ckpt_frequency")) fit.per_epoch = json.integer_between("ckpt_frequency", 1, kMost);
  if (json.has("ckpt_epoch_frequency"))
    fit.every_epochs = json.integer_between("ckpt_epoch_frequency", 1, kMost);
  if (steps || epochs) fit.keep_best = std::numeric_limits<int64_t>::max();
  if (!json.has("keep_best")) return;
  const int64_t best = json.integer_between("keep_best", 1, kMost);
  fit.keep_best = best == 1 ? 0 : best;  // the best one is output_dir itself
}

// TextBrewer's TrainingConfig, and what it passes to train().
void read_training(const Json& json, DistillOptions& options) {
  check_keys(json, {"output_dir", "device", "gradient_accumulation_steps", "num_epochs",
                    "num_steps", "batch_size", "learning_rate", "warmup_proportion", "weight_decay",
                    "max_grad_norm", "ckpt_frequency", "ckpt_epoch_frequency", "ckpt_steps",
                    "keep_best", "early_stop", "log_dir", "seed"});
  if (json.has("device")) choice(json, "device", {"cpu"});
  const auto count = [&](const char* key, int64_t otherwise) {
    return json.has(key) ? json.integer_between(key, 1, int64_t{1} << 40) : otherwise;
  };
  FitOptions& fit = options.fit;
  options.out = json.string("output_dir", options.out.string());
  fit.accumulate = count("gradient_accumulation_steps", fit.accumulate);
  fit.epochs = count("num_epochs", fit.epochs);
  fit.batch_size = count("batch_size", fit.batch_size);
  fit.learning_rate = json.real("learning_rate", fit.learning_rate);
  fit.warm_up = json.real("warmup_proportion", fit.warm_up);
  fit.weight_decay = json.real("weight_decay", fit.weight_decay);
  // TextBrewer's -1: never.
  fit.clip_norm = std::max(0.0, json.real("max_grad_norm", fit.clip_norm));
  fit.seed = static_cast<uint64_t>(json.integer("seed", static_cast<int64_t>(fit.seed)));
  fit.steps = count("num_steps", fit.steps);
  fit.early_stop = count("early_stop", fit.early_stop);
  fit.event_folder = json.string("log_dir", "");
  fit.event_file = !fit.event_folder.empty();
  read_checkpoints(json, fit);
}

// "folder", or a list of them.
std::vector<std::filesystem::path> teachers_of(const Json& json) {
  if (!json["teacher"].is_array()) return {json.string("teacher")};
  const Json& list = json.array("teacher");
  check(list.size() > 0, "", json.where("teacher"), ": expected a teacher, got an empty list");
  std::vector<std::filesystem::path> folders;
  for (size_t k = 0; k < list.size(); ++k) folders.emplace_back(list.string(k));
  return folders;
}

void read_teachers(const Json& json, DistillOptions& options) {
  const std::vector<std::filesystem::path> folders = teachers_of(json);
  options.teacher = folders.front();
  options.other_teachers.assign(folders.begin() + 1, folders.end());
  if (!json.has("teacher_weights")) return;
  const Json& weights = json.array("teacher_weights");
  for (size_t k = 0; k < weights.size(); ++k) options.teacher_weights.push_back(weights.real(k));
}

StudentOptions read_student(const Json& json, const std::filesystem::path& teacher) {
  const Json& student = json["student"];
  StudentOptions options;
  if (student.is_string()) {
    options.folder = student.as_string();
    return options;
  }
  check_keys(json.object("student"),
             {"architecture", "preset", "init_from_teacher", "layers_from_teacher"});
  if (student.has("architecture"))
    options.architecture = read_architecture(student.string("architecture"),
                                             ModelConfig::read(teacher / "config.json").vocab_size);
  if (student.has("preset")) options.preset = student_preset(student.string("preset")).name;
  if (student.has("init_from_teacher")) options.init_from_teacher = read_init(student);
  if (student.has("layers_from_teacher"))
    options.layers_from_teacher = read_layers(student.array("layers_from_teacher"));
  return options;
}

DistillationConfig preset_of(const Json& json, const DistillKeys& keys) {
  if (!json.has("loss_preset")) return {};
  check(!keys.match_evenly, "", json.where("match_evenly"),
        ": a loss_preset says itself which layers are compared; expected one of the two");
  check(keys.layer_map != "emd", "", json.where("layer_map"),
        ": a loss_preset goes by a fixed map; expected uniform or last");
  const ModelConfig teacher = ModelConfig::read(keys.teacher / "config.json");
  return loss_preset(json.string("loss_preset"), layer_map(keys.layer_map), match_size(teacher),
                     match_size(config_of_student(keys.student, teacher)));
}

}  // namespace

DistillKeys read_distill_keys(const Json& json) {
  DistillKeys keys;
  keys.teacher = teachers_of(json).front();
  keys.student = read_student(json, keys.teacher);
  if (json.has("match_evenly"))
    keys.match_evenly = choice(json, "match_evenly", {"hidden_mse", "cos"}) == 0
                            ? MatchLoss::hidden_mse
                            : MatchLoss::cos;
  keys.layer_map = layer_map(json.string("layer_map", keys.layer_map)).name;
  check(!json.has("layer_map") || keys.match_evenly || json.has("loss_preset") ||
            json.string("layer_map") == "uniform",
        "", json.where("layer_map"),
        ": a map says which layers match_evenly or a loss_preset compares; expected one of these "
        "beside it");
  keys.config = preset_of(json, keys);
  if (json.has("DistillationConfig"))
    keys.config = DistillationConfig::from_json(json.object("DistillationConfig"), keys.config);
  return keys;
}

DistillOptions distill_options_from_json(const Json& json) {
  check_keys(json, {"teacher", "teacher_weights", "student", "task", "train", "dev", "columns",
                    "max_length", "loss_preset", "match_evenly", "layer_map", "teacher_cache",
                    "unlabelled", "augmentation", "compare_alone", "TrainingConfig",
                    "DistillationConfig"});
  DistillKeys keys = read_distill_keys(json);
  DistillOptions options;
  read_teachers(json, options);
  options.student = std::move(keys.student);
  options.config = std::move(keys.config);
  options.match_evenly = keys.match_evenly;
  options.layer_map = std::move(keys.layer_map);
  if (json.has("task")) options.task = &task_named(json.string("task"));
  options.data.train = json.string("train");
  options.data.dev = json.string("dev", "");
  options.data.read.columns = json.string("columns", "");
  options.max_length =
      json.has("max_length") ? json.integer_between("max_length", 4, 1 << 20) : options.max_length;
  options.more.unlabelled = json.string("unlabelled", "");
  if (json.has("augmentation"))
    options.more.augmentation = Augmentation::from_json(json.object("augmentation"));
  options.compare_alone = json.boolean("compare_alone", false);
  if (json.has("teacher_cache"))
    options.teacher_cache = teacher_cache_from_json(json, "teacher_cache");
  if (json.has("TrainingConfig")) read_training(json.object("TrainingConfig"), options);
  check(!options.out.empty(), "", json.where("TrainingConfig"),
        ": expected the student's folder in output_dir");
  return options;
}

}  // namespace ink
