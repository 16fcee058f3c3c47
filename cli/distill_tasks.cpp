// The student of several tasks: what is printed of it.
#include "cli/distill_tasks.h"

#include <cstdio>
#include <filesystem>

#include "cli/length.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/values.h"
#include "compress/multi_task.h"

namespace ink::cli {
namespace {

Json shown(const MultiTaskResult& result, const std::filesystem::path& out) {
  Json tasks = Json::make_object();
  for (const MultiTaskResult::OfTask& task : result.tasks) {
    std::printf("%s: %s (teacher %.2f %%)\n", (out / task.name).c_str(),
                summary_of(task.student).c_str(), 100 * task.teacher.score);
    Json scores = json_of(task.student);
    tasks.set(task.name, scores.set("teacher", json_of(task.teacher)));
  }
  return tasks;
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
  job.fit.stop = &interrupted;
  catch_interrupts();
  ProgressDisplay display("distill");
  const MultiTaskResult result = distill_tasks(job, hooks_of(display));
  if (result.training.status != TrainingResult::Status::finished) {
    command.status = say_stopped(display);
    return Json::make_object({{"status", "interrupted"}, {"step", result.training.step}});
  }
  return Json::make_object({{"status", "finished"},
                            {"tasks", shown(result, job.out)},
                            {"step", result.training.step},
                            {"seconds", result.training.seconds}});
}

}  // namespace ink::cli
