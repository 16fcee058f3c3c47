// Several tasks over a Distiller: models that share their bodies' parameters.
#include "compress/multi_task.h"

#include <algorithm>

#include "compress/distiller.h"
#include "compress/labelled.h"
#include "compress/loss_of_task.h"
#include "compress/task_draws.h"
#include "compress/task_job.h"
#include "nn/fingerprint.h"
#include "nn/session.h"
#include "tasks/save_folder.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

struct TaskBatch {
  size_t task;  // which of the jobs
  FeatureBatch examples;
};

// The next batch of a drawn task.
class DrawnBatches {
 public:
  DrawnBatches(const MultiTaskOptions& options, const TaskJobs& jobs)
      : jobs_(jobs), draws_(draws_of(options, jobs)) {}
  TaskBatch operator[](int64_t micro_batch) {
    const TaskDraws::Draw draw = draws_[micro_batch];
    TaskJob& job = *jobs_[draw.task];
    const Features& train = *job.setup.data.front().train.student.features;
    return {draw.task, train.batch(job.batches[draw.earlier])};
  }

 private:
  static TaskDraws draws_of(const MultiTaskOptions& options, const TaskJobs& jobs) {
    std::vector<int64_t> batches;
    for (const auto& job : jobs) batches.push_back(job->batches.end_of(0));
    return {task_probabilities(batches, options.tau), Random(options.fit.seed).split("tasks")};
  }

  const TaskJobs& jobs_;
  TaskDraws draws_;
};

// A batch is taught by the teacher of its task alone.
Adaptors<TaskBatch> adaptors_of(const TaskJobs& jobs, const JointParameters& joint) {
  Adaptors<TaskBatch> adaptors{
      .student =
          [&](const TaskBatch& batch, const Random& random) {
            joint.refresh();
            const TaskJob& job = *jobs[batch.task];
            return labelled(batch.examples, *job.options.task)
                .of(outputs_of(job.student, batch.examples.inputs,
                               training_options(job.options.fit, random), job.setup.config));
          },
      .teachers = {},
      .facts =
          [&](const TaskBatch& batch) {
            const TaskJob& job = *jobs[batch.task];
            BatchFacts facts = facts_of(batch.examples, *job.options.task);
            facts.weight =
                facts.weight > 0 ? 1 : 0;  // micro-batches count alike, as tasks are drawn
            facts.kd_loss_type = job.setup.config.kd_loss_type;
            facts.name = job.name;
            facts.teacher_weights.resize(jobs.size());
            facts.teacher_weights[batch.task] = 1;
            return facts;
          }};
  for (const auto& job : jobs)
    adaptors.teachers.emplace_back([&job = *job](const TaskBatch& batch) {
      return labelled(batch.examples, *job.options.task).of(job.teacher.outputs(batch.examples));
    });
  return adaptors;
}

Json fingerprint_of(const MultiTaskOptions& options, const TaskJobs& jobs) {
  Json tasks = Json::make_object();
  for (const auto& job : jobs) {
    const Readings& data = job->setup.data.front();
    Json made_of = ink::fingerprint_of("distill", job->student.config, job->setup.tokens.tokenizer,
                                       options.max_length);
    made_of.set("task", job->options.task->name)
        .set("kd_loss_type", name_of(job->setup.config.kd_loss_type))
        .set("teacher", digest_of_weights(job->options.teacher, job->options.task->heads))
        .set("train", data.train.student.features->digest())
        .set("dev", data.dev.student.features->digest());
    if (!data.train.shared()) made_of.set("teacher_reads", data.train.teacher.features->digest());
    tasks.set(job->name, std::move(made_of));
  }
  return Json::make_object({{"tasks", std::move(tasks)},
                            {"tau", options.tau},
                            {"batch_size", options.fit.batch_size},
                            {"max_tokens", options.fit.max_tokens}});
}

// What is worth knowing of the teachers and the data before training.
MultiTaskResult judged_teachers(const TaskJobs& jobs, const Notice& notice) {
  MultiTaskResult result;
  const auto say = [&](const TaskJob& job, const std::string& sentence) {
    if (notice && !sentence.empty()) notice("task " + job.name + ": " + sentence);
  };
  for (const auto& job : jobs) {
    const TeacherScores scores = judge_teachers(job->setup, job->sessions);
    result.tasks.push_back({.name = job->name, .teacher = scores.each.front()});
    for (const std::string& doubt : doubts_about(job->setup, *job->options.task, scores))
      say(*job, doubt);
    const Readings& data = job->setup.data.front();
    say(*job, truncation_notice(*data.train.student.features, "training examples"));
    say(*job, truncation_notice(*data.dev.student.features, "dev examples"));
  }
  return result;
}

Evaluation evaluation_of(const TaskJobs& jobs) {
  Evaluation all;
  for (const auto& job : jobs) {
    const TaskSet& dev = job->setup.data.front().dev.student;
    const Evaluation one = ink::evaluation_of(dev.judge(job->student).scores);
    all.score += one.score / static_cast<double>(jobs.size());
    for (const auto& [name, value] : one.metrics)
      all.metrics.emplace_back(job->name + '.' + name, value);
  }
  return all;
}

bool are_kept(const TaskJobs& jobs) {
  return std::ranges::all_of(jobs, [](const auto& job) {
    return std::filesystem::exists(job->options.out / "config.json");
  });
}

// The best models so far are in the folders of their tasks, and nowhere else.
void check_kept(const MultiTaskOptions& options, const TaskJobs& jobs, const Json& before) {
  check(!before.boolean("kept", false) || are_kept(jobs), "distill: the run in ",
        (options.out / "training").string(), " has kept a model of every task in ",
        options.out.string(), ", and one is gone; put it back, or begin again in another folder");
}

TrainingHooks hooks_of(const MultiTaskOptions& options, const TaskJobs& jobs,
                       const JointParameters& joint, const Json& made_of,
                       const TaskHooks& task_hooks) {
  TrainingHooks hooks;
  hooks.data_state = [&] { return Json(made_of).set("kept", are_kept(jobs)); };
  hooks.restore_data = [&](const Json& before) {
    check_same_run((options.out / "training").string(), before, made_of);
    check_kept(options, jobs, before);
  };
  hooks.evaluate = [&](int64_t step) {
    joint.refresh();
    Evaluation evaluation = evaluation_of(jobs);
    if (options.config.learns_layers_alone()) evaluation.score = static_cast<double>(step);
    return evaluation;
  };
  hooks.keep_best = [&](int64_t, const Evaluation&) {
    for (const auto& job : jobs)
      save_folder(job->student, job->options.out, job->setup.tokens.from);
  };
  hooks.progress = task_hooks.progress;
  hooks.notice = task_hooks.notice;
  return hooks;
}

TrainerOptions trainer_options(const MultiTaskOptions& options) {
  const FitOptions& fit = options.fit;
  return {.steps = options.steps,
          .accumulate = fit.accumulate,
          .clip_norm = fit.clip_norm,
          .seed = fit.seed,
          .log_every = fit.log_every,
          .evaluate_every = options.evaluate_every,
          .folder = options.out / "training",
          .checkpoint_every = options.evaluate_every,
          .resume = fit.resume,
          .stop = fit.stop};
}

Schedule schedule_of(const MultiTaskOptions& options) {
  const auto warm_up =
      static_cast<int64_t>(options.fit.warm_up * static_cast<double>(options.steps));
  return {.peak = options.fit.learning_rate, .warmup = warm_up, .steps = options.steps};
}

KdLoss chosen_kd_loss(const DistillationConfig& config, const TaughtTask& task) {
  if (task.kd_loss_type) return *task.kd_loss_type;
  return suits(config.kd_loss_type, *task.task) ? config.kd_loss_type : kd_loss_of(*task.task);
}

}  // namespace

DistillOptions job_of(const MultiTaskOptions& options, const TaughtTask& task) {
  DistillOptions job{.teacher = task.teacher,
                     .out = options.out / task.name,
                     .student = options.student,
                     .task = task.task,
                     .data = task.data,
                     .max_length = options.max_length,
                     .config = options.config,
                     .fit = options.fit};
  job.config.kd_loss_type = chosen_kd_loss(options.config, task);
  job.fit.steps = options.steps;
  job.fit.evaluate_every = options.evaluate_every > 0 ? options.evaluate_every : options.steps;
  return job;
}

MultiTaskResult distill_tasks(const MultiTaskOptions& options, const TaskHooks& task_hooks) {
  const TaskJobs jobs = jobs_of(options);
  JointParameters joint(jobs);
  MultiTaskResult result = judged_teachers(jobs, task_hooks.notice);
  Distiller distiller(jobs.front()->setup.config, joint.all,
                      {.seed = options.fit.seed,
                       .student_rate = options.fit.learning_rate,
                       .teachers = std::ssize(jobs)});
  DrawnBatches batches(options, jobs);
  const Json made_of = fingerprint_of(options, jobs);
  result.training = distiller.train<TaskBatch>(
      adaptors_of(jobs, joint), [&](int64_t micro_batch) { return batches[micro_batch]; },
      schedule_of(options), trainer_options(options),
      hooks_of(options, jobs, joint, made_of, task_hooks),
      {.weight_decay = options.fit.weight_decay});
  if (result.training.best_step < 0) return result;
  for (size_t t = 0; t < jobs.size(); ++t) {
    const TaskSet& dev = jobs[t]->setup.data.front().dev.student;
    result.tasks[t].student = dev.judge(Session(jobs[t]->options.out).model()).scores;
  }
  return result;
}

}  // namespace ink
