// The weighted sum of distillation's losses.
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

}  // namespace

DistillationLoss::DistillationLoss(DistillationConfig config, const Scope& scope,
                                   std::optional<double> student_rate, int64_t teachers)
    : config_(std::move(config)) {
  for (const IntermediateMatch& match : config_.intermediate_matches)
    projections_.push_back(
        make_projection(match, scope / "projection" / std::ssize(projections_), student_rate));
  for (const EmdMatch& match : config_.emd)
    emd_.emplace_back(match, scope / "emd" / std::ssize(emd_), student_rate, teachers);
}

Tensor DistillationLoss::soft_loss(KdLoss type, const Tensor& student, const Tensor& teacher,
                                   const Tensor& labels) const {
  const Tensor wanted = config_.probability_shift ? probability_shift(teacher, labels) : teacher;
  if (config_.temperature_scheduler.kind == TemperatureSchedule::Kind::none)
    return kd_loss(student, wanted, type, config_.temperature);
  return kd_loss(student, wanted, type,
                 row_temperatures(config_.temperature_scheduler, student, wanted,
                                  config_.temperature, !config_.compatible));
}

std::vector<DistillationLoss::Term> DistillationLoss::terms(const ModelOutputs& student,
                                                            const ModelOutputs& teacher,
                                                            const Facts& facts, int64_t step,
                                                            int64_t steps, int64_t number) const {
  const KdLoss type = facts.kd_loss_type.value_or(config_.kd_loss_type);
  std::vector<Term> terms;
  const double kd_weight =
      scheduled_weight(config_.kd_loss_weight_scheduler, config_.kd_loss_weight, step, steps);
  const double hard_weight =
      scheduled_weight(config_.hard_label_weight_scheduler, config_.hard_label_weight, step, steps);
  const bool squared =
      config_.temperature_squared && type != KdLoss::mse && type != KdLoss::regression;

  if (student.logits && teacher.logits)
    terms.push_back({Term::Kind::soft, "kd_loss",
                     soft_loss(type, student.logits, teacher.logits, facts.labels),
                     kd_weight * (squared ? config_.temperature * config_.temperature : 1)});

  const Sequences sequences(facts.offsets);
  check(config_.inputs_mask || sequences.even(),
        "distill: \"inputs_mask\": false compares padding, ",
        "which is not there; expected sequences of one length, got a batch with ",
        sequences.tokens(), " tokens in ", sequences.count(), " of at most ", sequences.longest());
  std::vector<Sequences> groups;
  if (config_.has_matches()) groups = sequences.of_like_lengths();
  const MatchContext context{.sequences = sequences,
                             .offsets = facts.offsets,
                             .groups = groups,
                             .compatible = config_.compatible,
                             .inputs_mask = config_.inputs_mask};
  for (size_t i = 0; i < projections_.size(); ++i) {
    const IntermediateMatch& match = config_.intermediate_matches[i];
    terms.push_back({Term::Kind::match, match.name(),
                     match_loss(match, student, teacher, context, projections_[i]), match.weight});
  }

  for (const EmdLoss& emd : emd_) {
    const EmdLoss::Result part = emd(student, teacher, context, number);
    const EmdMatch& match = emd.match();
    terms.push_back({Term::Kind::match, match.name(), part.layers, match.pair.weight});
    if (part.embeddings)
      terms.push_back(
          {Term::Kind::match, match.name() + "_embeddings", part.embeddings, match.pair.weight});
  }

  if (student.logits && facts.labels)
    terms.push_back({Term::Kind::hard, "hard_label_loss",
                     hard_label_loss(student.logits, facts.labels, type), hard_weight});
  return terms;
}

DistillationLoss::Result DistillationLoss::operator()(const ModelOutputs& student,
                                                      const ModelOutputs& teacher,
                                                      const Facts& facts, int64_t step,
                                                      int64_t steps, int64_t number) const {
  Result result;
  for (Term& term : terms(student, teacher, facts, step, steps, number)) {
    add_term(result.total, term.value, term.weight);
    // Where no example has a label there is nothing to measure.
    if (term.kind == Term::Kind::hard && !any_known(facts.labels)) continue;
    result.parts.push_back({std::move(term.name), std::move(term.value)});
  }
  check(static_cast<bool>(result.total), "distill: all losses have weight 0 at step ", step,
        "; nothing is left to learn");
  return result;
}

}  // namespace ink
