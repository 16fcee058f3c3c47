// Fine-tuning and distillation over fit(), a step at a time.
#include "compress/recovery.h"

#include "autograd/tape.h"
#include "compress/loss_of_task.h"
#include "compress/losses/logits.h"
#include "compress/scoring.h"
#include "compress/values.h"
#include "tasks/fit.h"
#include "tasks/question_features.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

FitOptions options_of(const RecoveryConfig& config, uint64_t seed, size_t step) {
  return {.epochs = config.epochs,
          .batch_size = config.batch_size,
          .learning_rate = config.learning_rate,
          .warm_up = config.warm_up,
          .weight_decay = config.weight_decay,
          .seed = Random(seed).split("recovery").split(step).seed()};
}

// The labels' own loss of decisions that are there already.
Tensor hard_loss(const Model& model, const std::vector<Tensor>& decisions,
                 const FeatureBatch& batch) {
  if (model.classification) return model.classification->loss(decisions[0], batch.labels);
  if (model.tagging) return model.tagging->loss(decisions[0], batch.labels);
  const AnswerEnds truth = answer_ends(batch);
  return scale(
      add(cross_entropy(decisions[0], truth.starts), cross_entropy(decisions[1], truth.ends)), 0.5);
}

// Between decisions of the pruned model and of the unpruned one, of a size that τ leaves alone.
Tensor soft_loss(const RecoveryConfig& config, KdLoss type, const Tensor& got,
                 const Tensor& wanted) {
  const double t = config.temperature;
  return scale(kd_loss(got, wanted, type, t), type == KdLoss::regression ? 1 : t * t);
}

MicroLoss distilled(const RecoveryConfig& config, const Task& task, const Model& student,
                    const Model& teacher, const FeatureBatch& batch,
                    const EncoderOptions& training) {
  std::vector<Tensor> wanted;
  {
    const Pause pause;
    wanted = decision_logits(teacher, batch.inputs);
  }
  const std::vector<Tensor> got = decision_logits(student, batch.inputs, training);
  MicroLoss total{.weight = static_cast<double>(batch.rows.size()),
                  .tokens = batch.inputs.tokens()};
  for (size_t k = 0; k < got.size(); ++k) {
    const Tensor soft = soft_loss(config, kd_loss_of(task), got[k], wanted[k]);
    total.loss = total.loss ? add(total.loss, soft) : soft;
  }
  if (config.hard_label_weight > 0)
    total.loss = add(total.loss, scale(hard_loss(student, got, batch), config.hard_label_weight));
  return total;
}

// On the device that jobs work on; shares memory where that is the model's.
std::shared_ptr<const Model> placed(const Model& model) {
  auto copy = std::make_shared<Model>(model.config, model.heads, values_of(model.parameters));
  copy->move(training_place("prune"));
  return copy;
}

}  // namespace

Recover recovery_by(const RecoveryConfig& config, const RecoveryData& data, const Notice& notice) {
  const std::shared_ptr<const Model> teacher = config.distil ? placed(data.whole) : nullptr;
  return [config, data, notice, teacher](Model& smaller, size_t step) {
    const FitOptions options = options_of(config, data.seed, step);
    smaller.parameters.own();
    FitHooks hooks;
    hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t, int64_t) {
      const EncoderOptions training = training_options(options, random);
      return teacher ? distilled(config, data.task, smaller, *teacher, batch, training)
                     : data.task.loss(smaller, batch, training);
    };
    const TrainingResult result = fit(smaller.parameters, data.train, options, hooks);
    smaller.move({});
    if (notice)
      notice("recovery: " + std::to_string(result.step) + " steps, loss " +
             std::to_string(result.loss));
  };
}

}  // namespace ink
