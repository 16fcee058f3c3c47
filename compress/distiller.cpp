// What adaptors give, checked and compared.
#include "compress/distiller.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/place.h"
#include "nn/scope.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Of the schedules that grow as well.
bool counts(double weight, WeightSchedule schedule) {
  return weight > 0 || schedule == WeightSchedule::linear_growth;
}

void check_logits(const DistillationConfig& config, const ModelOutputs& outputs,
                  const char* whose) {
  check(outputs.logits || !counts(config.kd_loss_weight, config.kd_loss_weight_scheduler),
        "distill: kd_loss_weight is ", config.kd_loss_weight, ", but the adaptor of the ", whose,
        " gives no logits; let it give them, or set kd_loss_weight 0 to learn from matches alone");
}

void check_hard_labels(const DistillationConfig& config, const ModelOutputs& student,
                       const BatchFacts& facts) {
  check((student.logits && facts.labels) ||
            !counts(config.hard_label_weight, config.hard_label_weight_scheduler),
        "distill: hard_label_weight is ", config.hard_label_weight, ", but the adaptors give no ",
        student.logits ? "labels" : "logits of the student", "; let them, or set it to 0");
}

int64_t width_at(const std::vector<Tensor>& hidden, int64_t layer, const IntermediateMatch& match,
                 const char* whose) {
  check(layer >= 0 && layer < std::ssize(hidden), "distill: match ", match.name(),
        " wants hidden layer ", layer, " of the ", whose, ", whose adaptor gives ", hidden.size(),
        hidden.empty() ? "" : ", counted from 0");
  return hidden[static_cast<size_t>(layer)].dim(-1);
}

// What check_matches() says of models whose sizes are known, said of what adaptors give.
void check_widths(const IntermediateMatch& match, const ModelOutputs& student,
                  const ModelOutputs& teacher) {
  if (feature_of(match.loss) != MatchFeature::hidden) return;
  const int64_t S = width_at(student.hidden, match.layer_student, match, "student"),
                T = width_at(teacher.hidden, match.layer_teacher, match, "teacher");
  if (!needs_one_width(match.loss)) return;
  check(match.projected() || S == T, "distill: match ", match.name(),
        " needs \"proj\": [\"linear\", ", S, ", ", T, "], because the widths differ");
  check(!match.projected() || (match.student_size == S && match.teacher_size == T),
        "distill: match ", match.name(), " projects ", match.student_size, " to ",
        match.teacher_size, ", but student and teacher have ", S, " and ", T, " channels");
}

Tensor rows_as_sequences(const ModelOutputs& student) {
  const Tensor& rows = !student.hidden.empty() ? student.hidden.front() : student.logits;
  check(static_cast<bool>(rows), "distill: the student's adaptor gives nothing to compare");
  std::vector<int32_t> offsets(static_cast<size_t>(rows.dim(0)) + 1);
  std::iota(offsets.begin(), offsets.end(), 0);
  return from(offsets);
}

void add_weighted(DistillationLoss::Result& sum, DistillationLoss::Result part, double weight) {
  const Tensor term = scale(part.total, weight);
  sum.total = sum.total ? add(sum.total, term) : term;
  for (size_t i = 0; i < part.parts.size(); ++i) {
    const Tensor value = scale(part.parts[i].value, weight);
    if (i < sum.parts.size())
      sum.parts[i].value = add(sum.parts[i].value, value);
    else
      sum.parts.push_back({part.parts[i].name, value, part.parts[i].factor});
  }
}

}  // namespace

std::vector<double> normalised_weights(const std::vector<double>& weights, size_t count) {
  if (weights.empty()) return std::vector<double>(count, 1 / static_cast<double>(count));
  check(weights.size() == count, "distill: expected a weight for each of ", count,
        " teachers in teacher_weights, got ", weights.size());
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  check(std::ranges::all_of(weights, [](double w) { return w >= 0; }) && sum > 0 &&
            std::isfinite(sum),
        "distill: expected teacher_weights of at least 0, one of them above, with a finite sum");
  std::vector<double> shares;
  shares.reserve(count);
  for (const double weight : weights) shares.push_back(weight / sum);
  return shares;
}

Tensor mean_logits(std::span<const ModelOutputs> outputs, std::span<const double> weights) {
  Tensor mean;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (weights[k] == 0) continue;
    const Tensor& logits = outputs[k].logits;
    if (!logits || weights[k] == 1) return logits;
    check(!mean || logits.shape() == mean.shape(),
          "distill: expected logits of one shape from all teachers, got ", logits.shape(), " and ",
          mean.shape());
    const Tensor term = scale(logits, weights[k]);
    mean = mean ? add(mean, term) : term;
  }
  return mean;
}

Distiller::Distiller(DistillationConfig config, Parameters& student,
                     const DistillerOptions& options)
    : parameters_(student),
      loss_(std::move(config),
            Scope(student, random_values(Random(options.seed).split("projections"))),
            options.student_rate, options.teachers) {}

MicroLoss Distiller::loss(const ModelOutputs& student, std::vector<ModelOutputs> teachers,
                          const std::vector<double>& weights, const BatchFacts& facts, int64_t step,
                          int64_t steps) const {
  const std::vector<double> shares = normalised_weights(weights, teachers.size());
  return loss_by_shares(student, std::move(teachers), shares, facts, step, steps);
}

MicroLoss Distiller::loss_by_shares(const ModelOutputs& student, std::vector<ModelOutputs> teachers,
                                    const std::vector<double>& shares, const BatchFacts& facts,
                                    int64_t step, int64_t steps) const {
  check(!teachers.empty(), "distill: expected a teacher");
  check_logits(config(), student, "student");
  check_hard_labels(config(), student, facts);
  for (size_t k = 0; k < teachers.size(); ++k) {
    if (shares[k] == 0) continue;
    check_logits(config(), teachers[k], "teacher");
    for (const IntermediateMatch& match : config().intermediate_matches)
      check_widths(match, student, teachers[k]);
  }
  const DistillationLoss::Facts compared{
      .labels = facts.labels,
      .offsets = facts.offsets ? facts.offsets : rows_as_sequences(student),
      .kd_loss_type = facts.kd_loss_type};
  // All terms but the matches are the same with each teacher, so the mean of the losses is right.
  const Tensor logits = mean_logits(teachers, shares);
  DistillationLoss::Result result;
  for (size_t k = 0; k < teachers.size(); ++k) {
    if (shares[k] == 0) continue;
    teachers[k].logits = logits;
    DistillationLoss::Result part =
        loss_(student, teachers[k], compared, step, steps, static_cast<int64_t>(k));
    if (shares[k] == 1 || !config().has_matches()) {
      result = std::move(part);
      break;
    }
    add_weighted(result, std::move(part), shares[k]);
  }
  if (!facts.name.empty())
    for (Measure& part : result.parts) part.name = facts.name + '.' + part.name;
  return {.loss = result.total,
          .weight = facts.weight,
          .tokens = facts.tokens,
          .measures = std::move(result.parts)};
}

TrainingResult Distiller::train(const Schedule& schedule, const TrainerOptions& options,
                                TrainingHooks hooks, const OptimizerOptions& optimizer_options) {
  const Json made_of = Json::make_object({{"distillation", config().to_json()}});
  const auto data_state = hooks.data_state;
  const auto restore_data = hooks.restore_data;
  hooks.data_state = [&] {
    Json state = made_of;
    if (data_state) state.set("data", data_state());
    return state;
  };
  hooks.restore_data = [&](const Json& before) {
    Json mine = before;
    mine.erase("data");
    check_same_run(options.folder.string(), mine, made_of);
    if (restore_data) restore_data(before["data"]);
  };
  Optimizer optimizer(parameters_, optimizer_options);
  const Place place = training_place("distill");
  optimizer.place(parameters_, place.device, place.dtype);
  return ink::train(parameters_, optimizer, schedule, options, hooks);
}

}  // namespace ink
