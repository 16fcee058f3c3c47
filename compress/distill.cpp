// Teachers and student over the one training loop.
#include "compress/distill.h"

#include "compress/distill_cache.h"
#include "compress/distiller.h"
#include "compress/first_student.h"
#include "compress/labelled.h"
#include "compress/teacher.h"
#include "compress/teachers.h"
#include "compress/values.h"
#include "nn/fingerprint.h"
#include "tasks/save_folder.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

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
    CacheOnDisk disk = cache_of(options, setup, k, weights[k]);
    disk.notice = notice;
    const auto teacher =
        std::make_shared<const Teacher>(sessions[k], setup.data[k].train, setup.config, disk);
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

}  // namespace

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks) {
  DistillSetup setup = set_up(options);
  check_folders(options, setup);
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
  const std::vector<std::string> weights = digests_of(setup, options.task->heads);
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
          .teachers = std::move(scores),
          .evaluations = evaluation_steps(*data.train.student.features, options.fit)};
}

}  // namespace ink
