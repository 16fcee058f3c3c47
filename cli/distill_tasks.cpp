// The student of several tasks: what is printed of it.
#include "cli/distill_tasks.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/length.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/values.h"
#include "compress/multi_task.h"

namespace ink::cli {
namespace {

// Of teachers and student, what the one that reads least reads.
int64_t longest_of(const MultiTaskOptions& job) {
  const auto config_in = [](const std::filesystem::path& folder) {
    return ModelConfig::read(folder / "config.json");
  };
  const ModelConfig first = config_in(job.tasks.front().teacher);
  int64_t longest = config_of_student(job.student, first).longest();
  for (const TaughtTask& task : job.tasks)
    longest = std::min(longest, config_in(task.teacher).longest());
  return longest;
}

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
  job.max_length = length_for(o.max_length, longest_of(job));
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
