// MultiTaskOptions from JSON.
#include "compress/distill_keys.h"
#include "compress/multi_task.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

TaughtTask read_task_of_many(const std::string& name, const Json& json) {
  check_keys(json, {"teacher", "task", "train", "dev", "columns", "kd_loss_type"});
  TaughtTask task{.name = name, .teacher = json.string("teacher")};
  task.data.train = json.string("train");
  task.data.dev = json.string("dev", "");
  task.data.read.columns = json.string("columns", "");
  if (json.has("task")) task.task = &task_in(json);
  if (json.has("kd_loss_type")) task.kd_loss_type = kd_loss_in(json);
  return task;
}

// A type that the job names is meant: where it does not suit a task, set_up says so.
void set_kd_loss(MultiTaskOptions& options, const Json& job) {
  if (!job.has("DistillationConfig") || !job["DistillationConfig"].has("kd_loss_type")) return;
  for (TaughtTask& task : options.tasks)
    if (!task.kd_loss_type) task.kd_loss_type = options.config.kd_loss_type;
}

}  // namespace

MultiTaskOptions multi_task_options_from_json(const Json& json) {
  check_job_keys(json, DistillKind::tasks);
  MultiTaskOptions options;
  for (const Json::Member& task : json.object("tasks").members())
    options.tasks.push_back(read_task_of_many(task.key, json.object("tasks").object(task.key)));
  check(!options.tasks.empty(), "", json.where("tasks"), ": expected tasks, got none");
  DistillKeys keys = read_distill_keys(json, options.tasks.front().teacher);
  options.student = std::move(keys.student);
  options.config = std::move(keys.config);
  set_kd_loss(options, json);
  if (json.has("max_length")) options.max_length = json.integer_between("max_length", 4, 1 << 20);
  read_training(json, DistillKind::tasks, options.out, options.fit);
  options.tau = json.real("tau", options.tau);
  check(options.tau >= 0, "", json.where("tau"), ": expected at least 0, got ", options.tau);
  options.steps = json.integer_between("num_steps", 1, int64_t{1} << 40);
  if (json.has("evaluate_every"))
    options.evaluate_every = json.integer_between("evaluate_every", 1, int64_t{1} << 40);
  return options;
}

}  // namespace ink
