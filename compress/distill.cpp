// Teacher and student over the one training loop.
#include "compress/distill.h"

#include <algorithm>

#include "autograd/tape.h"
#include "compress/layer_map.h"
#include "compress/reading.h"
#include "compress/values.h"
#include "nn/parameter_count.h"
#include "nn/session.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Without heads where attention is more than softmax(q kᵀ/√D), as XLNet's is.
ModelSize size_of(const ModelConfig& config) {
  ModelSize size{.layers = config.layers(), .hidden = config.hidden_size};
  if (config.family->body_kind == BodyKind::xlnet || config.family->body_kind == BodyKind::bigru)
    return size;
  size.heads = config.heads_per_layer;
  size.head_size = config.head_size;
  return size;
}

ModelOutputs outputs_of(const Model& model, const Packed& batch, EncoderOptions options,
                        const DistillationConfig& config) {
  options.all_hidden = config.matches_hidden();
  options.attention_inputs = config.matches_attention();
  Encoded encoded = model.body(batch, options);
  const Tensor summary = model.summary(encoded.hidden, batch.offsets);
  return {.logits = model.classification->logits(summary, options.random),
          .hidden = std::move(encoded.all_hidden),
          .attention = std::move(encoded.attention),
          .heads = model.config.heads_per_layer};
}

// What the teacher says about batches: computed anew, or looked up where only logits are needed and
// they are cached.
class Teacher {
 public:
  Teacher(const Session& session, const Reading& reading, const DistillationConfig& config)
      : session_(session), reading_(reading), config_(config) {
    if (!config.is_caching_logits) return;
    const Features& train = *reading.teacher.features;
    cache_ = Tensor({train.size(), session.model().config.label_count()});
    for (const std::vector<int64_t>& rows : train.plan(kInferencePlan)) {
      const Pause pause;
      const Tensor logits =
          on_host(outputs_of(session.model(), train.batch(rows).inputs, {}, {}).logits);
      const int64_t C = logits.dim(1);
      for (size_t b = 0; b < rows.size(); ++b)
        std::copy_n(logits.data<float>() + static_cast<int64_t>(b) * C, C,
                    cache_.data<float>() + rows[b] * C);
    }
    cached_ = true;
  }

  ModelOutputs outputs(const FeatureBatch& batch) const {
    if (cached_) {
      const std::vector<int32_t> rows(batch.rows.begin(), batch.rows.end());
      return {.logits = gather_rows(cache_, from(rows)), .hidden = {}};
    }
    const Pause pause;
    return outputs_of(session_.model(), reading_.for_teacher(batch), {}, config_);
  }

 private:
  const Session& session_;
  const Reading& reading_;
  const DistillationConfig& config_;
  bool cached_ = false;
  Tensor cache_;  // (examples, classes)
};

DistillationConfig settled_config(const DistillOptions& options, const ModelConfig& teacher,
                                  const ModelConfig& student) {
  DistillationConfig config = options.config;
  if (options.match_evenly) {
    check(config.intermediate_matches.empty(),
          "distill: expected either even matches or a list of them, got both");
    config.intermediate_matches = mapped_matches(layer_map(options.layer_map), size_of(teacher),
                                                 size_of(student), *options.match_evenly);
  }
  check(!config.is_caching_logits || config.intermediate_matches.empty(),
        "distill: is_caching_logits keeps logits alone; expected no intermediate matches");
  check(!options.fit.recompute || !config.matches_attention(),
        "distill: recomputed layers keep no attention to match; expected recompute off, or matches "
        "of hidden states alone");
  check_matches(config.intermediate_matches, size_of(teacher), size_of(student));
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
