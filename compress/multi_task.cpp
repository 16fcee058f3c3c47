// Several tasks over the one training loop: models that share their bodies' parameters.
#include "compress/multi_task.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <set>

#include "compress/label_map.h"
#include "compress/labelled.h"
#include "compress/reading.h"
#include "compress/task_draws.h"
#include "compress/teacher.h"
#include "nn/place.h"
#include "nn/session.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "text/fingerprint.h"

namespace ink {
namespace {

// The batches of one task, epoch after epoch without end.
class BatchStream {
 public:
  BatchStream(const Features& train, const FitOptions& fit, Random random)
      : train_(train), fit_(fit), random_(random) {
    plan(0);
    ends_.push_back(std::ssize(batches_));
  }
  int64_t of_first_epoch() const { return ends_.front(); }
  FeatureBatch operator[](int64_t batch) {
    while (ends_.back() <= batch) {
      plan(std::ssize(ends_));
      ends_.push_back(ends_.back() + std::ssize(batches_));
    }
    const auto end = std::ranges::upper_bound(ends_, batch);
    if (const int64_t epoch = end - ends_.begin(); epoch != epoch_) plan(epoch);
    const int64_t first = end == ends_.begin() ? 0 : *std::prev(end);
    return train_.batch(batches_[static_cast<size_t>(batch - first)]);
  }

 private:
  void plan(int64_t epoch) {
    batches_ = train_.plan({.sequences = fit_.batch_size,
                            .max_tokens = fit_.max_tokens,
                            .shuffle = random_.split(static_cast<uint64_t>(epoch)).seed()});
    epoch_ = epoch;
  }

  const Features& train_;
  const FitOptions& fit_;
  Random random_;
  std::vector<int64_t> ends_;  // of each epoch so far, in batches
  int64_t epoch_ = -1;
  std::vector<std::vector<int64_t>> batches_;  // of that epoch
};

// One task with all that belongs to it. Its parts refer to each other, so it stays where it is.
struct Job {
  const TaughtTask& task;
  std::filesystem::path out;
  std::shared_ptr<const Session> session;
  Model student;  // whose body's parameters are the joint ones
  StudentTokens tokens;
  Readings data;
  Teacher teacher;
  BatchStream batches;

  Job(const MultiTaskOptions& options, const TaughtTask& of, const DistillationConfig& config)
      : task(of),
        out(options.out / of.name),
        session(std::make_shared<const Session>(of.teacher, LoadOptions{.heads = of.task->heads})),
        student(make_student(options.student, session->model(), random("weights", options))),
        tokens(student_tokens(options.student.folder, student.config, reader())),
        data(read(options)),
        teacher(session, data.train, config),
        batches(*data.train.student.features, options.fit, random("data", options)) {
    student.parameters.own();
    check(
        data.train.shared() || !(config.has_matches() || task.task->heads.tagging),
        "distill: task ", task.name,
        ": teacher and student cut texts into different tokens, which cannot be compared; expected "
        "a student with the tokenizer of its teacher");
  }

 private:
  Random random(const char* of, const MultiTaskOptions& options) const {
    return Random(options.fit.seed).split(of).split(task.name);
  }
  Reader reader() const { return {task.teacher, session->model().config}; }
  Readings read(const MultiTaskOptions& options) const {
    const ModelConfig& config = session->model().config;
    const Labels labels = labels_of_teacher(*task.task, task.teacher.string(), config);
    check_length(config, options.max_length);
    check_length(student.config, options.max_length);
    return readings_of({.task = *task.task,
                        .data = task.data,
                        .labels = labels,
                        .seed = options.fit.seed,
                        .max_length = options.max_length},
                       tokens, {reader()})
        .front();
  }
};

using Jobs = std::vector<std::unique_ptr<Job>>;

void check_names(const MultiTaskOptions& options) {
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
    check_no_model("distill", options.out / task.name, true);
  }
}

DistillationConfig settled(const MultiTaskOptions& options) {
  DistillationConfig config = options.config;
  const DistillationConfig& first = options.config;
  check(!first.is_caching_logits,
        "distill: logits are not cached where tasks are drawn; expected "
        "is_caching_logits false");
  check_recompute(first, options.fit.recompute);
  int64_t layers = -1;
  for (const TaughtTask& task : options.tasks) {
    const ModelConfig teacher = ModelConfig::read(task.teacher / "config.json");
    config.settle(match_size(teacher), match_size(config_of_student(options.student, teacher)));
    check(layers < 0 || layers == teacher.layers() || config.emd.empty(),
          "distill: emd is of teachers with as many layers, got ", layers, " and ",
          teacher.layers());
    layers = teacher.layers();
    check_labels_of_student(options.student.folder, task.task->heads,
                            "the teacher " + task.teacher.string(),
                            labels_of_teacher(*task.task, task.teacher.string(), teacher));
  }
  return config;
}

// The parameters of all students: the body once, under its own names, the heads as TASK.NAME.
class JointParameters {
 public:
  explicit JointParameters(const Jobs& jobs) {
    const Json words = ink::fingerprint_of(jobs.front()->tokens.tokenizer);
    for (const auto& job : jobs) {
      check(ink::fingerprint_of(job->tokens.tokenizer) == words, "distill: task ", job->task.name,
            " reads other tokens than ", jobs.front()->task.name,
            ", with a body that knows one table of words; expected teachers with one vocabulary");
      const std::string body = std::string(job->student.config.family->prefix) + '.';
      for (Parameter& p : job->student.parameters) {
        const bool shared = p.name.starts_with(body);
        Parameter* known = shared ? all.find(p.name) : nullptr;
        if (!known) {
          known = &all.add(shared ? p.name : job->task.name + '.' + p.name, p.value);
          known->decay = p.decay;
        }
        check(known->value.shape() == p.value.shape(), "distill: task ", job->task.name, " has ",
              p.name, ' ', p.value.shape(), ", the first one ", known->value.shape(),
              "; expected teachers with one vocabulary");
        links_.emplace_back(known, &p);
      }
    }
    refresh();
  }
  // Hands the values, as a tape watches them, to the students.
  void refresh() const {
    for (const auto& [from, to] : links_) to->value = from->value;
  }

  Parameters all;

 private:
  std::vector<std::pair<Parameter*, Parameter*>> links_;
};

Json fingerprint_of(const MultiTaskOptions& options, const DistillationConfig& config,
                    const Jobs& jobs) {
  Json tasks = Json::make_object();
  for (const auto& job : jobs) {
    Json made_of = ink::fingerprint_of("distill", job->student.config, job->tokens.tokenizer,
                                       options.max_length);
    made_of.set("task", job->task.task->name)
        .set("teacher", digest_of_file(job->task.teacher / "model.safetensors"))
        .set("train", job->data.train.student.features->digest())
        .set("dev", job->data.dev.student.features->digest());
    if (!job->data.train.shared())
      made_of.set("teacher_reads", job->data.train.teacher.features->digest());
    tasks.set(job->task.name, std::move(made_of));
  }
  return Json::make_object({{"tasks", std::move(tasks)},
                            {"distillation", config.to_json()},
                            {"tau", options.tau},
                            {"batch_size", options.fit.batch_size},
                            {"max_tokens", options.fit.max_tokens}});
}

TaskDraws draws_of(const MultiTaskOptions& options, const Jobs& jobs) {
  std::vector<int64_t> batches;
  for (const auto& job : jobs) batches.push_back(job->batches.of_first_epoch());
  return {task_probabilities(batches, options.tau), Random(options.fit.seed).split("tasks")};
}

Evaluation evaluation_of(const Jobs& jobs) {
  Evaluation all;
  for (const auto& job : jobs) {
    const Evaluation one = ink::evaluation_of(job->data.dev.student.judge(job->student).scores);
    all.score += one.score / static_cast<double>(jobs.size());
    for (const auto& [name, value] : one.metrics)
      all.metrics.emplace_back(job->task.name + '.' + name, value);
  }
  return all;
}

// Of the next batch of a task.
MicroLoss loss_of(const DistillationLoss& loss, const MultiTaskOptions& options, Job& job,
                  int64_t batch_number, const Random& random, int64_t step) {
  const FeatureBatch batch = job.batches[batch_number];
  const Labelled known = labelled(batch, *job.task.task);
  const ModelOutputs wanted = known.of(job.teacher.outputs(batch));
  const ModelOutputs got = known.of(
      outputs_of(job.student, batch.inputs, training_options(options.fit, random), loss.config()));
  DistillationLoss::Result terms =
      loss(got, wanted, known.labels, batch.inputs.offsets, step, options.steps);
  return {.loss = terms.total,
          .weight = known.count,
          .tokens = batch.inputs.tokens(),
          .measures = std::move(terms.parts)};
}

TrainingResult train_all(const MultiTaskOptions& options, Parameters& parameters,
                         const TrainingHooks& hooks) {
  Optimizer optimizer(parameters, {.weight_decay = options.fit.weight_decay});
  optimizer.place(parameters, working_place().device, working_place().dtype);
  const auto warm_up =
      static_cast<int64_t>(options.fit.warm_up * static_cast<double>(options.steps));
  return train(parameters, optimizer,
               {.peak = options.fit.learning_rate, .warmup = warm_up, .steps = options.steps},
               {.steps = options.steps,
                .accumulate = options.fit.accumulate,
                .clip_norm = options.fit.clip_norm,
                .seed = options.fit.seed,
                .log_every = options.fit.log_every,
                .evaluate_every = options.evaluate_every,
                .folder = options.out / "training",
                .checkpoint_every = options.evaluate_every,
                .resume = options.fit.resume,
                .stop = options.fit.stop},
               hooks);
}

}  // namespace

MultiTaskResult distill_tasks(const MultiTaskOptions& options, const TaskHooks& task_hooks) {
  check_names(options);
  check(options.steps > 0, "distill: expected steps above 0 where tasks are drawn, got ",
        options.steps);
  const DistillationConfig config = settled(options);
  Jobs jobs;
  for (const TaughtTask& task : options.tasks)
    jobs.push_back(std::make_unique<Job>(options, task, config));
  MultiTaskResult result;
  for (const auto& job : jobs)
    result.tasks.push_back({.name = job->task.name,
                            .teacher = job->data.dev.teacher.judge(job->session->model()).scores});
  JointParameters joint(jobs);
  const DistillationLoss loss(
      config, Scope(joint.all, random_values(Random(options.fit.seed).split("projections"))),
      options.fit.learning_rate);
  TaskDraws draws = draws_of(options, jobs);

  TrainingHooks hooks;
  hooks.loss = [&](int64_t micro_batch, const Random& random) -> MicroLoss {
    joint.refresh();
    const TaskDraws::Draw draw = draws[micro_batch];
    return loss_of(loss, options, *jobs[draw.task], draw.earlier, random,
                   micro_batch / options.fit.accumulate);
  };
  const Json made_of = fingerprint_of(options, config, jobs);
  hooks.data_state = [&] { return Json(made_of); };
  hooks.restore_data = [&](const Json& before) {
    check_same_run((options.out / "training").string(), before, made_of);
  };
  hooks.evaluate = [&](int64_t) {
    joint.refresh();
    return evaluation_of(jobs);
  };
  hooks.keep_best = [&](int64_t, const Evaluation&) {
    for (const auto& job : jobs) save_folder(job->student, job->out, job->tokens.from);
  };
  hooks.progress = task_hooks.progress;
  hooks.notice = task_hooks.notice;

  result.training = train_all(options, joint.all, hooks);
  if (result.training.best_step < 0) return result;
  for (size_t t = 0; t < jobs.size(); ++t)
    result.tasks[t].student = jobs[t]->data.dev.student.judge(Session(jobs[t]->out).model()).scores;
  return result;
}

}  // namespace ink
