// DistillOptions from JSON.
#include "compress/distill.h"
#include "compress/distill_keys.h"
#include "compress/loss_of_task.h"
#include "tensor/error.h"

namespace ink {
namespace {

void read_teachers(const Json& json, DistillOptions& options) {
  const std::vector<std::filesystem::path> folders = teachers_in(json);
  options.teacher = folders.front();
  options.other_teachers.assign(folders.begin() + 1, folders.end());
  if (!json.has("teacher_weights")) return;
  const Json& weights = json.array("teacher_weights");
  for (size_t k = 0; k < weights.size(); ++k) options.teacher_weights.push_back(weights.real(k));
}

}  // namespace

DistillOptions distill_options_from_json(const Json& json) {
  check_job_keys(json, DistillKind::task);
  DistillOptions options;
  read_teachers(json, options);
  DistillKeys keys = read_distill_keys(json, options.teacher);
  options.student = std::move(keys.student);
  options.config = std::move(keys.config);
  options.match_evenly = keys.match_evenly;
  options.layer_map = std::move(keys.layer_map);
  if (json.has("task")) options.task = &task_in(json);
  settle_kd_loss(options.config, *options.task, json);
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
  read_training(json, DistillKind::task, options.out, options.fit);
  return options;
}

}  // namespace ink
