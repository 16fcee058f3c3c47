// What a distillation will do, from what was read and checked.
#include "compress/distill_plan.h"

#include "compress/distill_cache.h"
#include "compress/first_student.h"
#include "compress/teachers.h"
#include "nn/parameter_count.h"

namespace ink {
namespace {

DistillPlan::Cache planned_cache(const DistillOptions& options, const DistillSetup& setup) {
  DistillPlan::Cache cache{.folder = options.teacher_cache.folder,
                           .dtype = name_of(options.teacher_cache.dtype)};
  if (cache.folder.empty() || !setup.config.asks_teachers()) return {};
  const std::vector<std::string> weights = digests_of(setup, options.task->heads);
  for (size_t k = setup.leading; k < setup.teachers.size(); ++k) {
    if (setup.weights[k] == 0) continue;
    const CacheOnDisk disk = cache_of(options, setup, k, weights[k]);
    const CacheLayout layout(disk.options,
                             cached_fields(setup.teachers[k], setup.config, options.task->heads),
                             *setup.data[k].train.teacher.features, disk.made_by);
    check_cache(layout);
    cache.bytes += layout.bytes(0, layout.examples());
    if (k > setup.leading) continue;
    for (const CachedField& field : layout.fields) cache.fields.push_back(field.name());
  }
  return cache;
}

// How many of the training examples have no label, texts and copies.
void count_more(const DistillOptions& options, const Features& train, DistillPlan& plan) {
  if (!options.more.any()) return;
  const int64_t texts = train.size() / (1 + options.more.augmentation.copies);
  plan.copies = train.size() - texts;
  for (int64_t i = 0; i < texts; ++i) plan.unlabelled += !train.labelled(i);
}

}  // namespace

DistillPlan plan_of(const DistillOptions& options, DistillSetup setup) {
  const Heads& heads = options.task->heads;
  if (maps_by_flow(options)) {
    const Sessions sessions = load_teachers(setup, heads);
    choose_layers(options, setup, sessions[setup.leading]->model(),
                  first_student(options, sessions.front()->model()));
  }
  DistillPlan plan{.task = options.task,
                   .teacher = setup.teachers.front(),
                   .student = setup.student,
                   .teacher_parameters = parameter_count(setup.teachers.front(), heads),
                   .student_parameters = parameter_count(setup.student, heads),
                   .other_teachers = {},
                   .teacher_weights = setup.weights,
                   .from = options.student,
                   .config = setup.config,
                   .fit = options.fit};
  plan.other_teachers.assign(setup.teachers.begin() + 1, setup.teachers.end());
  if (options.student.init_from_teacher)
    plan.layers = chosen_layers(*options.student.init_from_teacher, plan.teacher.layers(),
                                plan.student.layers());
  const Reading& reading = setup.data.front().train;
  const TaskSet& train = reading.student;
  for (const Readings& data : setup.data) plan.same_tokens &= data.train.shared();
  plan.train_examples = train.features->size();
  plan.max_length = options.max_length;
  plan.truncated = train.features->truncated();
  plan.dev_examples = setup.data.front().dev.student.features->size();
  count_more(options, *train.features, plan);
  plan.evaluations = evaluation_steps(*train.features, options.fit);
  plan.steps = plan.evaluations.back();
  plan.cache = planned_cache(options, setup);
  return plan;
}

DistillPlan plan_distillation(const DistillOptions& options) {
  DistillSetup setup = set_up(options);
  check_folders(options, setup);
  return plan_of(options, std::move(setup));
}

}  // namespace ink
