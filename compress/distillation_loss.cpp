// The losses of distillation and their weighted sum.
#include "compress/distillation_loss.h"

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Adds weight·part to a sum; a part of weight 0 is measured, but nothing is recorded for it.
void add_term(Tensor& total, const Tensor& part, double weight) {
  if (weight == 0) return;
  const Tensor term = scale(part, weight);
  total = total ? add(total, term) : term;
}

const Tensor& layer_of(const ModelOutputs& features, int64_t layer, const char* whose) {
  check(layer < static_cast<int64_t>(features.hidden.size()), "distill: expected hidden layer ",
        layer, " of the ", whose, ", got ", features.hidden.size(), " layers");
  return features.hidden[static_cast<size_t>(layer)];
}

}  // namespace

Tensor kd_loss(const Tensor& student, const Tensor& teacher, KdLoss type, double temperature) {
  check(student.shape() == teacher.shape(),
        "kd_loss: student and teacher should have logits of one shape, got ", student.shape(),
        " and ", teacher.shape());
  if (type == KdLoss::mse)
    return scale(mse_loss(student, teacher), 1 / (temperature * temperature));
  return soft_cross_entropy(scale(student, 1 / temperature),
                            softmax(scale(teacher, 1 / temperature)));
}

Tensor match_loss(const Tensor& student, const Tensor& teacher, MatchLoss loss) {
  return loss == MatchLoss::hidden_mse ? mse_loss(student, teacher) : cosine_loss(student, teacher);
}

DistillationLoss::DistillationLoss(DistillationConfig config, const Scope& scope)
    : config_(std::move(config)) {
  for (size_t i = 0; i < config_.intermediate_matches.size(); ++i) {
    const IntermediateMatch& match = config_.intermediate_matches[i];
    Projection& projection = projections_.emplace_back();
    if (!match.projected()) continue;
    const Scope path = scope / "projection" / static_cast<int64_t>(i);
    projection.weight =
        &path.param("weight", {match.teacher_size, match.student_size}, Initial::normal(0.02));
    projection.bias = &path.param("bias", {match.teacher_size}, Initial::zeros());
  }
}

DistillationLoss::Result DistillationLoss::operator()(const ModelOutputs& student,
                                                      const ModelOutputs& teacher,
                                                      const Tensor& labels, int64_t step,
                                                      int64_t steps) const {
  Result result;
  const double kd_weight =
      scheduled_weight(config_.kd_loss_weight_scheduler, config_.kd_loss_weight, step, steps);
  const double hard_weight =
      scheduled_weight(config_.hard_label_weight_scheduler, config_.hard_label_weight, step, steps);
  const bool squared = config_.temperature_squared && config_.kd_loss_type == KdLoss::ce;

  const Tensor kd =
      kd_loss(student.logits, teacher.logits, config_.kd_loss_type, config_.temperature);
  result.parts.push_back({"kd_loss", kd});
  add_term(result.total, kd, kd_weight * (squared ? config_.temperature * config_.temperature : 1));

  for (size_t i = 0; i < projections_.size(); ++i) {
    const IntermediateMatch& match = config_.intermediate_matches[i];
    const Projection& projection = projections_[i];
    Tensor states = layer_of(student, match.layer_student, "student");
    if (projection.weight)
      states = linear(states, projection.weight->value, projection.bias->value, match.projection);
    const Tensor part =
        match_loss(states, layer_of(teacher, match.layer_teacher, "teacher"), match.loss);
    result.parts.push_back({match.name(), part});
    add_term(result.total, part, match.weight);
  }

  const Tensor hard = cross_entropy(student.logits, labels);
  result.parts.push_back({"hard_label_loss", hard});
  add_term(result.total, hard, hard_weight);
  check(static_cast<bool>(result.total), "distill: all losses have weight 0 at step ", step,
        "; nothing is left to learn");
  return result;
}

}  // namespace ink
