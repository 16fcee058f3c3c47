// Distillation of several tasks into one student: one body, and for each a head and a teacher
// (TextBrewer's MultiTaskDistiller; Liu et al. 2019).
//
//   distill_tasks({.tasks = {{.name = "sst2", .teacher = "t1", .data = {.train = "sst2.tsv"}},
//                            {.name = "mnli", .teacher = "t2", .data = {.train = "mnli.tsv"}}},
//                  .out = "students",
//                  .student = {.preset = "T3"},
//                  .config = {.temperature = 8},
//                  .steps = 20000});
//
// Every micro-batch is of one task, drawn anew (compress/task_draws.h); a step of several
// may mix them. Matches and their projections are the same for all tasks. The student begins as the
// first teacher says; heads of new students begin at random. What comes out is a model folder for
// each task, out/NAME, with the same body.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "compress/distill.h"

namespace ink {

struct TaughtTask {
  std::string name = {};  // of its folder
  std::filesystem::path teacher = {};
  TaskData data = {};
  const Task* task = &classification_task();
  // What its logits are compared by; without one that of the configuration where it suits the task,
  // else the task's own: bce of several labels, regression of numbers, ce.
  std::optional<KdLoss> kd_loss_type = {};
};

struct MultiTaskOptions {
  std::vector<TaughtTask> tasks = {};
  std::filesystem::path out = {};
  StudentOptions student = {};
  int64_t max_length = 128;
  DistillationConfig config = {};
  double tau = 1;
  int64_t steps = 0;
  int64_t evaluate_every = 0;  // steps; 0: after the last
  FitOptions fit = {};         // its epochs are not read; fit.folder is set here
};

struct MultiTaskResult {
  TrainingResult training = {};
  struct OfTask {
    std::string name;
    Scores student = {}, teacher = {};  // on its development examples
  };
  std::vector<OfTask> tasks = {};
};

// The job of one of the tasks, as if the student learnt it alone.
DistillOptions job_of(const MultiTaskOptions& options, const TaughtTask& task);

// Keeps the models of the evaluation whose mean score over the tasks is best, or where layers alone
// are learnt the latest. Notices name the task they are about. Raises Error, before anything is
// written, where a task's name is no folder's or there twice, a teacher does not do its task, or
// the student does not fit a match of one of them.
MultiTaskResult distill_tasks(const MultiTaskOptions& options, const TaskHooks& hooks = {});

// What distill_tasks() will do: for each task what its own job would, with how often it is drawn.
struct MultiTaskPlan {
  struct OfTask {
    std::string name;
    double probability = 0;  // of each micro-batch
    DistillPlan plan;
  };
  std::vector<OfTask> tasks = {};
  int64_t steps = 0;  // of all tasks together
  double tau = 1;
};
MultiTaskPlan plan_tasks(const MultiTaskOptions& options);
std::string explanation(const MultiTaskPlan& plan);
Json to_json(const MultiTaskPlan& plan);

// Options from JSON, with the keys of one task (compress/distill.h) where they are not of tasks:
//   {"tasks": {"sst2": {"teacher": "t1", "train": "sst2.tsv", "dev": "dev.tsv",
//                       "task": "classification", "columns": "label,text",
//                       "kd_loss_type": "ce"}, "mnli": {…}},
//    "tau": 1, "num_steps": 20000, "evaluate_every": 1000,
//    "student": {"preset": "T3"}, "max_length": 128,
//    "TrainingConfig": {"output_dir": "students", …}, "DistillationConfig": {…}}
// tau as in compress/task_draws.h. A kd_loss_type in DistillationConfig is that of all tasks which
// name none; it has to suit them. Raises Error for unknown keys.
MultiTaskOptions multi_task_options_from_json(const Json& json);

}  // namespace ink
