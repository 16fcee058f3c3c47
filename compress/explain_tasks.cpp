// What a distillation of several tasks will do, in words and as JSON.
#include <sstream>

#include "compress/distill_plan.h"
#include "compress/explain.h"
#include "compress/task_draws.h"
#include "compress/task_job.h"

namespace ink {

MultiTaskPlan plan_tasks(const MultiTaskOptions& options) {
  std::vector<DistillSetup> setups = setups_of(options);
  MultiTaskPlan all{.steps = options.steps, .tau = options.tau};
  std::vector<int64_t> batches;
  for (size_t t = 0; t < setups.size(); ++t) {
    const std::string& name = options.tasks[t].name;
    const DistillOptions job = job_of(options, options.tasks[t]);
    batches.push_back(
        batches_of(job, name, *setups[t].data.front().train.student.features).end_of(0));
    all.tasks.push_back({.name = name, .plan = plan_of(job, std::move(setups[t]))});
  }
  const std::vector<double> shares = task_probabilities(batches, options.tau);
  for (size_t t = 0; t < shares.size(); ++t) all.tasks[t].probability = shares[t];
  return all;
}

std::string explanation(const MultiTaskPlan& plan) {
  std::ostringstream text;
  text << plan.tasks.size() << " tasks in one student; the " << plan.steps
       << " steps are of all, each micro-batch of a task drawn with tau " << plan.tau << '\n';
  for (const MultiTaskPlan::OfTask& task : plan.tasks)
    text << "\n== " << task.name << ", with probability " << in_three_digits(task.probability)
         << '\n'
         << explanation(task.plan);
  return text.str();
}

Json to_json(const MultiTaskPlan& plan) {
  Json tasks = Json::make_object();
  for (const MultiTaskPlan::OfTask& task : plan.tasks)
    tasks.set(task.name, to_json(task.plan).set("probability", task.probability));
  return Json::make_object({{"tasks", std::move(tasks)}, {"steps", plan.steps}, {"tau", plan.tau}});
}

}  // namespace ink
