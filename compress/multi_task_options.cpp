// MultiTaskOptions from JSON.
#include "compress/distill.h"
#include "compress/multi_task.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

TaughtTask read_task_of_many(const std::string& name, const Json& json) {
  check_keys(json, {"teacher", "task", "train", "dev", "columns"});
  TaughtTask task{.name = name, .teacher = json.string("teacher")};
  task.data.train = json.string("train");
  task.data.dev = json.string("dev", "");
  task.data.read.columns = json.string("columns", "");
  if (json.has("task")) task.task = &task_named(json.string("task"));
  return task;
}

}  // namespace

MultiTaskOptions multi_task_options_from_json(const Json& json) {
  check_keys(json, {"tasks", "tau", "num_steps", "evaluate_every", "student", "max_length",
                    "TrainingConfig", "DistillationConfig"});
  MultiTaskOptions options;
  for (const Json::Member& task : json.object("tasks").members())
    options.tasks.push_back(read_task_of_many(task.key, json.object("tasks").object(task.key)));
  check(!options.tasks.empty(), "", json.where("tasks"), ": expected tasks, got none");
  const TaughtTask& first = options.tasks.front();
  // All else is as for one task.
  Json alone = json;
  for (const char* key : {"tasks", "tau", "num_steps", "evaluate_every"}) alone.erase(key);
  alone.set("teacher", first.teacher.string()).set("train", first.data.train.string());
  const DistillOptions one = distill_options_from_json(alone);
  options.out = one.out;
  options.student = one.student;
  options.max_length = one.max_length;
  options.config = one.config;
  options.fit = one.fit;
  check(!json.has("TrainingConfig") || !json.object("TrainingConfig").has("num_epochs"), "",
        json.where("TrainingConfig"),
        ": tasks are drawn step by step, and have no common epochs; expected num_steps beside "
        "tasks in place of num_epochs");
  if (json.has("TrainingConfig"))
    for (const char* key : {"num_steps", "ckpt_steps", "ckpt_frequency", "ckpt_epoch_frequency",
                            "keep_best", "early_stop", "log_dir"})
      check(!json.object("TrainingConfig").has(key), "", json.object("TrainingConfig").where(key),
            ": has no effect where there are several tasks; expected num_steps and evaluate_every "
            "beside tasks, and this key left out");
  options.tau = json.real("tau", options.tau);
  check(options.tau >= 0, "", json.where("tau"), ": expected at least 0, got ", options.tau);
  options.steps = json.integer_between("num_steps", 1, int64_t{1} << 40);
  if (json.has("evaluate_every"))
    options.evaluate_every = json.integer_between("evaluate_every", 1, int64_t{1} << 40);
  return options;
}

}  // namespace ink
