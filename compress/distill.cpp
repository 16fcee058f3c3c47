// Teachers and student over the one training loop.
#include "compress/distill.h"

#include "compress/distill_setup.h"
#include "compress/distiller.h"
#include "compress/labelled.h"
#include "compress/map_by_flow.h"
#include "compress/teacher.h"
#include "compress/teachers.h"
#include "compress/values.h"
#include "nn/fingerprint.h"
#include "nn/parameter_count.h"
#include "tasks/save_folder.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

Model first_student(const DistillOptions& options, const Model& teacher) {
  return make_student(options.student, teacher, Random(options.fit.seed).split("weights"));
}

// The layer map "emd", measured on the student as it begins; `teacher` is the leading one.
void choose_layers(const DistillOptions& options, DistillSetup& setup, const Model& teacher,
                   const Model& student) {
  if (!maps_by_flow(options)) return;
  map_by_flow(setup.config.intermediate_matches, teacher, student, setup.data[setup.leading].train);
  check_sizes(setup);
}

// Of the weights of each teacher.
std::vector<std::string> digests_of(const DistillSetup& setup) {
  std::vector<std::string> digests;
  for (const std::filesystem::path& folder : setup.folders)
    digests.push_back(digest_of_file(folder / "model.safetensors"));
  return digests;
}

// Of several teachers each has a folder of its own in that of the cache.
CacheOnDisk cache_of(const DistillOptions& options, const DistillSetup& setup, size_t teacher,
                     const std::string& weights, const Notice& notice) {
  CacheOnDisk disk{.options = options.teacher_cache, .notice = notice, .stop = options.fit.stop};
  if (disk.options.folder.empty()) return disk;
  if (setup.folders.size() > 1) disk.options.folder /= "teacher-" + std::to_string(teacher + 1);
  disk.made_by = Json::make_object(
      {{"weights", weights}, {"architecture", ink::fingerprint_of(setup.teachers[teacher])}});
  return disk;
}

Adaptors<FeatureBatch> adaptors_of(const DistillOptions& options, const DistillSetup& setup,
                                   const Model& student, const Sessions& sessions,
                                   const std::vector<std::string>& weights, const Notice& notice) {
  Adaptors<FeatureBatch> adaptors{
      .student =
          [&](const FeatureBatch& batch, const Random& random) {
            return labelled(batch, *options.task)
                .of(outputs_of(student, batch.inputs, training_options(options.fit, random),
                               setup.config));
          },
      .teachers = {},
      .teacher_weights = setup.weights,
      .facts = [&](const FeatureBatch& batch) { return facts_of(batch, *options.task); }};
  for (size_t k = 0; k < sessions.size(); ++k) {
    if (setup.weights[k] == 0 || !setup.config.asks_teachers()) {
      adaptors.teachers.emplace_back([](const FeatureBatch&) { return ModelOutputs(); });
      continue;
    }
    const auto teacher =
        std::make_shared<const Teacher>(sessions[k], setup.data[k].train, setup.config,
                                        cache_of(options, setup, k, weights[k], notice));
    adaptors.teachers.emplace_back([&options, teacher](const FeatureBatch& batch) {
      return labelled(batch, *options.task).of(teacher->outputs(batch));
    });
  }
  return adaptors;
}

Json fingerprint_of(const DistillOptions& options, const DistillSetup& setup,
                    const ModelConfig& student, const std::vector<std::string>& weights) {
  Json made_of =
      ink::fingerprint_of("distill", student, setup.tokens.tokenizer, options.max_length);
  Json teachers = Json::make_array();
  for (size_t k = 0; k < setup.folders.size(); ++k) {
    const Reading& train = setup.data[k].train;
    Json teacher = Json::make_object({{"weights", weights[k]}, {"share", setup.weights[k]}});
    if (!train.shared()) teacher.set("reads", train.teacher.features->digest());
    teachers.append(teacher);
  }
  return made_of.set("task", options.task->name)
      .set("teachers", teachers)
      // All of them in f32 are the bits that the teachers themselves would give.
      .set("teacher_outputs", Json::make_object({{"dtype", name_of(options.teacher_cache.dtype)},
                                                 {"top_k", options.teacher_cache.top_k}}))
      .set("distillation", setup.config.to_json());
}

DistillPlan::Cache planned_cache(const DistillOptions& options, const DistillSetup& setup) {
  DistillPlan::Cache cache{.folder = options.teacher_cache.folder,
                           .dtype = name_of(options.teacher_cache.dtype)};
  if (cache.folder.empty() || !setup.config.asks_teachers()) return {};
  for (size_t k = setup.leading; k < setup.teachers.size(); ++k) {
    if (setup.weights[k] == 0) continue;
    const CacheLayout layout(
        options.teacher_cache,
        cached_fields(setup.teachers[k], setup.config, options.task->heads.tagging),
        *setup.data[k].train.teacher.features, {});
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

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks) {
  DistillSetup setup = set_up(options);
  for (const std::filesystem::path& folder : setup.folders)
    check_other_folder("distill", folder, options.out);
  check_no_model("distill", options.out, true);
  Sessions sessions = load_teachers(setup, options.task->heads);
  TeacherScores scores;
  if (setup.config.asks_teachers()) scores = judge_teachers(setup, sessions);
  for (const std::string& doubt : doubts_about(setup, *options.task, scores))
    if (hooks.notice) hooks.notice(doubt);
  Model student = first_student(options, sessions.front()->model());
  student.parameters.own();
  choose_layers(options, setup, sessions[setup.leading]->model(), student);
  const Distiller distiller(setup.config, student.parameters,
                            {.seed = options.fit.seed,
                             .student_rate = options.fit.learning_rate,
                             .teachers = std::ssize(sessions)});
  const std::vector<std::string> weights = digests_of(setup);
  const Adaptors<FeatureBatch> adaptors =
      adaptors_of(options, setup, student, sessions, weights, hooks.notice);
  sessions.clear();  // what is cached needs no teacher

  FitHooks fit_hooks;
  fit_hooks.fingerprint = fingerprint_of(options, setup, student.config, weights);
  fit_hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t step,
                       int64_t steps) {
    return distiller.loss(adaptors, batch, random, step, steps);
  };
  // Layers alone teach no head, and so no task.
  fit_hooks.latest_is_best = setup.config.learns_layers_alone();
  const auto save = [&](const std::filesystem::path& folder) {
    const Model without_projections(student.config, student.heads, values_of(student.parameters));
    save_folder(without_projections, folder, setup.tokens.from);
  };
  const Readings& data = setup.data.front();
  return {.student = fit_task(student, data.train.student, data.dev.student, options.out,
                              options.fit, std::move(fit_hooks), save, hooks),
          .teachers = std::move(scores)};
}

DistillPlan plan_distillation(const DistillOptions& options) {
  DistillSetup setup = set_up(options);
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
  plan.dev_examples = setup.data.front().dev.student.features->size();
  count_more(options, *train.features, plan);
  plan.evaluations = evaluation_steps(*train.features, options.fit);
  plan.steps = plan.evaluations.back();
  plan.cache = planned_cache(options, setup);
  return plan;
}

}  // namespace ink
