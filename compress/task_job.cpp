// Setting up tasks one by one, and joining their students' bodies.
#include "compress/task_job.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "autograd/checkpoint.h"
#include "compress/result_folder.h"
#include "tensor/error.h"
#include "text/fingerprint.h"

namespace ink {
namespace {

// The run of all tasks, in out/training, explains their models where it goes on.
void check_folders(const MultiTaskOptions& options) {
  const bool goes_on = options.fit.resume && std::filesystem::exists(options.out / "training");
  if (!options.fit.resume) check_no_checkpoints(options.out / "training");
  check(!options.tasks.empty(), "distill: expected tasks, got none");
  std::set<std::string> names;
  for (const TaughtTask& task : options.tasks) {
    const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
    check(
        !task.name.empty() && std::ranges::all_of(task.name, plain) && task.name != "training",
        "distill: a task's name is that of its folder; expected letters, digits, _ and -, and not "
        "'training', got '",
        task.name, "'");
    check(names.insert(task.name).second, "distill: the task ", task.name, " is there twice");
    check_other_folder("distill", task.teacher, options.out / task.name);
    if (!goes_on) check_no_model("distill", options.out / task.name);
  }
  check_writable(options.out);
}

DistillSetup set_up(const DistillOptions& options, const std::string& name) {
  try {
    return ink::set_up(options);
  } catch (const Error& error) {
    fail("", error.message(), " (task ", name, ')');
  }
}

// Weights are carried between as many layers whatever the task.
void check_depths(const std::vector<DistillSetup>& setups) {
  const DistillSetup& first = setups.front();
  for (const DistillSetup& other : setups)
    check(first.config.emd.empty() || first.teachers[0].layers() == other.teachers[0].layers(),
          "distill: emd is of teachers with as many layers, got ", first.teachers[0].layers(),
          " in ", first.folders[0].string(), " and ", other.teachers[0].layers(), " in ",
          other.folders[0].string());
}

// One body for all.
void check_one_size(const MultiTaskOptions& options, const std::vector<DistillSetup>& setups) {
  const ModelConfig& first = setups.front().student;
  for (size_t t = 1; t < setups.size(); ++t) {
    const ModelConfig& other = setups[t].student;
    check(other.hidden_size == first.hidden_size && other.head_size == first.head_size &&
              other.heads_per_layer == first.heads_per_layer &&
              other.ffn_per_layer == first.ffn_per_layer,
          "distill: the student of task ", options.tasks[t].name, " has ", other.layers(),
          " layers of ", other.hidden_size, " channels, that of ", options.tasks[0].name, ' ',
          first.layers(), " of ", first.hidden_size,
          ", or other heads or widths; tasks share one body: expected teachers of one size, or a "
          "student with sizes of its own");
  }
}

// A body has one table of words.
void check_one_vocabulary(const MultiTaskOptions& options,
                          const std::vector<DistillSetup>& setups) {
  const Json words = fingerprint_of(setups.front().tokens.tokenizer);
  for (size_t t = 1; t < setups.size(); ++t)
    check(fingerprint_of(setups[t].tokens.tokenizer) == words, "distill: task ",
          options.tasks[t].name, " reads other tokens than ", options.tasks[0].name,
          ", with a body that knows one table of words; expected teachers with one vocabulary");
}

Random random_of(const DistillOptions& options, const char* of, const std::string& name) {
  return Random(options.fit.seed).split(of).split(name);
}

}  // namespace

TaskJob::TaskJob(const TaughtTask& task, DistillOptions alone, DistillSetup checked)
    : name(task.name),
      options(std::move(alone)),
      setup(std::move(checked)),
      sessions(load_teachers(setup, options.task->heads)),
      student(make_student(options.student, sessions.front()->model(),
                           random_of(options, "weights", name))),
      teacher(sessions.front(), setup.data.front().train, setup.config),
      batches(batches_of(options, name, *setup.data.front().train.student.features)) {
  student.parameters.own();
}

BatchStream batches_of(const DistillOptions& options, const std::string& name,
                       const Features& train) {
  return {train, options.fit, random_of(options, "data", name)};
}

std::vector<DistillSetup> setups_of(const MultiTaskOptions& options) {
  check_folders(options);
  check(options.steps > 0, "distill: expected steps above 0 where tasks are drawn, got ",
        options.steps);
  check(!options.config.is_caching_logits,
        "distill: logits are not cached where tasks are drawn; expected is_caching_logits false");
  std::vector<DistillSetup> setups;
  for (const TaughtTask& task : options.tasks)
    setups.push_back(set_up(job_of(options, task), task.name));
  check_depths(setups);
  check_one_size(options, setups);
  check_one_vocabulary(options, setups);
  return setups;
}

TaskJobs jobs_of(const MultiTaskOptions& options) {
  std::vector<DistillSetup> setups = setups_of(options);
  TaskJobs jobs;
  for (size_t t = 0; t < setups.size(); ++t)
    jobs.push_back(std::make_unique<TaskJob>(options.tasks[t], job_of(options, options.tasks[t]),
                                             std::move(setups[t])));
  return jobs;
}

JointParameters::JointParameters(const TaskJobs& jobs) {
  for (const auto& job : jobs) add(*job);
  refresh();
}

void JointParameters::add(TaskJob& job) {
  const std::string body = std::string(job.student.config.family->prefix) + '.';
  for (Parameter& p : job.student.parameters) {
    const bool shared = p.name.starts_with(body);
    Parameter* known = shared ? all.find(p.name) : nullptr;
    if (!known) {
      known = &all.add(shared ? p.name : job.name + '.' + p.name, p.value);
      known->decay = p.decay;
    }
    check(known->value.shape() == p.value.shape(), "distill: task ", job.name, " has ", p.name, ' ',
          p.value.shape(), ", the first one ", known->value.shape(),
          "; expected teachers with one vocabulary");
    links_.emplace_back(known, &p);
  }
}

void JointParameters::refresh() const {
  for (const auto& [from, to] : links_) to->value = from->value;
}

}  // namespace ink
