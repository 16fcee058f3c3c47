// Teacher and student over the one training loop.
#include "compress/distill.h"

#include "compress/layer_map.h"
#include "compress/reading.h"
#include "compress/teacher.h"
#include "compress/values.h"
#include "nn/parameter_count.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

DistillationConfig settled_config(const DistillOptions& options, const ModelConfig& teacher,
                                  const ModelConfig& student) {
  DistillationConfig config = options.config;
  if (options.match_evenly) {
    check(config.intermediate_matches.empty(),
          "distill: expected either even matches or a list of them, got both");
    config.intermediate_matches = mapped_matches(layer_map(options.layer_map), match_size(teacher),
                                                 match_size(student), *options.match_evenly);
  }
  check(!config.is_caching_logits || config.intermediate_matches.empty(),
        "distill: is_caching_logits keeps logits alone; expected no intermediate matches");
  check(!options.fit.recompute || !config.matches_attention(),
        "distill: recomputed layers keep no attention to match; expected recompute off, or matches "
        "of hidden states alone");
  check_matches(config.intermediate_matches, match_size(teacher), match_size(student));
  return config;
}

// What is said of tokens is compared token by token.
void check_same_tokens(const DistillationConfig& config, const Reading& train) {
  check(train.shared() || config.intermediate_matches.empty(),
        "distill: teacher and student cut texts into different tokens, each with its own "
        "tokenizer; there is nothing to compare token by token: expected no intermediate matches, "
        "only kd_loss and hard labels");
}

Readings read_data(const DistillOptions& options, const ModelConfig& teacher,
                   const ModelConfig& student) {
  const Labels labels = labels_of(teacher);
  check_length(teacher, options.max_length);
  check_length(student, options.max_length);
  return readings_of(read_task(options.data, &labels, options.fit.seed),
                     {.teacher = options.teacher,
                      .student = options.student.folder,
                      .teacher_config = teacher,
                      .student_config = student,
                      .max_length = options.max_length});
}

}  // namespace

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks) {
  check_other_folder("distill", options.teacher, options.out);
  check_no_model("distill", options.out, true);
  const Session session(options.teacher);
  const ModelConfig& teacher_config = session.model().config;
  labels_of(teacher_config);  // raises Error where it does not classify
  Model student =
      make_student(options.student, session.model(), Random(options.fit.seed).split("weights"));
  student.parameters.own();
  const DistillationConfig config = settled_config(options, teacher_config, student.config);
  const Readings data = read_data(options, teacher_config, student.config);
  check_same_tokens(config, data.train);
  const double teacher_accuracy = data.dev.teacher.judge(session.model()).scores.score;
  const Teacher teacher(session, data.train, config);
  const DistillationLoss loss(
      config,
      Scope(student.parameters, random_values(Random(options.fit.seed).split("projections"))));

  FitHooks fit_hooks;
  fit_hooks.fingerprint =
      fingerprint_of("distill", student.config, data.student, options.max_length);
  const auto weights = MappedFile::open(options.teacher / "model.safetensors");
  fit_hooks.fingerprint.set("teacher", Digest().add(weights->text()).to_string())
      .set("distillation", config.to_json());
  if (!data.train.shared())
    fit_hooks.fingerprint.set("teacher_reads", data.train.teacher.features->digest());
  fit_hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t step,
                       int64_t steps) -> MicroLoss {
    const ModelOutputs wanted = teacher.outputs(batch);
    const ModelOutputs got =
        outputs_of(student, batch.inputs, training_options(options.fit, random), config);
    DistillationLoss::Result result =
        loss(got, wanted, batch.labels, batch.inputs.offsets, step, steps);
    return {.loss = result.total,
            .weight = static_cast<double>(batch.rows.size()),
            .tokens = batch.inputs.tokens(),
            .measures = std::move(result.parts)};
  };
  fit_hooks.keep_best = [&](int64_t, const Evaluation&) {
    const Model without_projections(student.config, student.heads, values_of(student.parameters));
    save_folder(without_projections, options.out, data.tokenizer_from);
  };
  return {.student = fit_task(student, data.train.student, data.dev.student, options.out,
                              options.fit, std::move(fit_hooks), hooks),
          .teacher_accuracy = teacher_accuracy};
}

DistillPlan plan_distillation(const DistillOptions& options) {
  const Session session(options.teacher);
  const Model& teacher = session.model();
  DistillPlan plan{.teacher = teacher.config,
                   .student = config_of_student(options.student, teacher.config),
                   .teacher_parameters = teacher.parameters.elements(),
                   .from = options.student,
                   .config = {},
                   .fit = options.fit};
  plan.student_parameters = parameter_count(plan.student, {.classification = true});
  plan.config = settled_config(options, plan.teacher, plan.student);
  if (options.student.init_from_teacher)
    plan.layers = chosen_layers(*options.student.init_from_teacher, plan.teacher.layers(),
                                plan.student.layers());
  const Readings data = read_data(options, plan.teacher, plan.student);
  check_same_tokens(plan.config, data.train);
  plan.same_tokens = data.train.shared();
  plan.train_examples = data.train.student.features->size();
  plan.dev_examples = data.dev.student.features->size();
  plan.steps = steps_of(*data.train.student.features, options.fit);
  return plan;
}

}  // namespace ink
