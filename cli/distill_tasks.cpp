// The student of several tasks: what is printed of it.
#include "cli/distill_tasks.h"

#include <cstdio>
#include <filesystem>

#include "cli/distillation_page.h"
#include "cli/length.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/values.h"
#include "compress/multi_task.h"
#include "tasks/score_text.h"

namespace ink::cli {
namespace {

Json shown(const MultiTaskResult& result, const MultiTaskOptions& job) {
  Json tasks = Json::make_object();
  for (size_t t = 0; t < result.tasks.size(); ++t) {
    const MultiTaskResult::OfTask& task = result.tasks[t];
    std::printf("%s: %s (teacher %s)\n", (job.out / task.name).c_str(),
                summary_of(task.student).c_str(),
                score_text(job.tasks[t].task->judged_by, task.teacher.score).c_str());
    Json scores = json_of(task.student);
    tasks.set(task.name, scores.set("teacher", json_of(task.teacher)));
  }
  return tasks;
}

// Writes distillation.json and distillation.html beside the students; false where it was stopped.
bool write_comparison(const MultiTaskOptions& job) {
  Json tasks = Json::make_object();
  for (const TaughtTask& task : job.tasks) {
    const DistillOptions one = job_of(job, task);
    const std::vector<ComparedModel> models =
        compare_models(one, {{"teacher", one.teacher}, {"distilled", one.out}});
    if (models.empty()) return false;
    Json json = json_of(models);
    std::printf("\n%s\n%s", task.name.c_str(), table_of(json).c_str());
    tasks.set(task.name, std::move(json));
  }
  write_distillation(job.out, Json::make_object({{"tasks", std::move(tasks)}}));
  return true;
}

}  // namespace

Json distill_on_tasks(const Json& keys, const TasksRun& o, Command& command) {
  MultiTaskOptions job = as_usage([&] { return multi_task_options_from_json(keys); });
  std::vector<std::filesystem::path> teachers;
  for (const TaughtTask& task : job.tasks) teachers.push_back(task.teacher);
  job.max_length = length_for(o.max_length, longest_sequence(job.student, teachers));
  if (command.given("--seed")) job.fit.seed = static_cast<uint64_t>(command.seed);
  job.fit.recompute = o.recompute;
  job.fit.resume = o.resume;
  if (o.explain) {
    const MultiTaskPlan plan = plan_tasks(job);
    std::printf("%s", explanation(plan).c_str());
    return to_json(plan);
  }
  job.fit.stop = &interrupted;
  catch_interrupts();
  ProgressDisplay display("distill");
  const MultiTaskResult result = distill_tasks(job, hooks_of(display));
  const auto stopped = [&](int status) {
    command.status = status;
    return Json::make_object({{"status", "interrupted"}, {"step", result.training.step}});
  };
  if (result.training.status != TrainingResult::Status::finished)
    return stopped(say_stopped(display));
  Json json = Json::make_object({{"status", "finished"},
                                 {"tasks", shown(result, job)},
                                 {"best_step", result.training.best_step},
                                 {"step", result.training.step},
                                 {"seconds", result.training.seconds}});
  return write_comparison(job) ? json : stopped(say_uncompared(display));
}

}  // namespace ink::cli
