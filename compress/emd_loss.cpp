// The flow is found from losses that are not recorded; then those of its pairs are.
#include "compress/emd_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "compress/transport.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

std::vector<double> even(int64_t count) {
  return std::vector<double>(at(count), 1 / static_cast<double>(count));
}

// softmax((Σ_k c_k / c_i) / temperature); a layer that costs nothing keeps the ratio 0, as in the
// paper's program.
std::vector<double> cheap_first(std::vector<double> units, double temperature) {
  const double sum = std::reduce(units.begin(), units.end());
  for (double& c : units) c = (c > 0 ? sum / c : 0) / temperature;
  const double most = *std::ranges::max_element(units);
  for (double& x : units) x = std::exp(x - most);
  const double all = std::reduce(units.begin(), units.end());
  for (double& x : units) x /= all;
  return units;
}

Parameter& layer_weights(const Scope& scope, const char* name, const Shape& shape) {
  Parameter& weights = scope.param(name, shape, Initial::zeros());
  weights.value = full(shape, 1 / static_cast<double>(shape[1]), weights.value.dtype());
  weights.trainable = false;
  return weights;
}

std::vector<double> numbers_of(const Tensor& x) {
  return to_vector<double>(converted(on_host(x), Dtype::f64));
}

std::vector<double> row_of(const Parameter& p, int64_t row) {
  return numbers_of(slice(p.value, 0, row, row + 1));
}

// The value is replaced and not written into: whoever holds the old one keeps it.
void put_row(Parameter& p, int64_t row, const std::vector<double>& numbers) {
  std::vector<double> all = numbers_of(p.value);
  std::ranges::copy(numbers, all.begin() + row * std::ssize(numbers));
  p.value = to(converted(reshape(from(all), p.value.shape()), p.value.dtype()), p.value.device());
}

}  // namespace

LayerWeights even_weights(int64_t student_layers, int64_t teacher_layers) {
  return {even(student_layers), even(teacher_layers)};
}

LayerFlow layer_flow(std::vector<double> costs, const LayerWeights& weights) {
  LayerFlow carried{.flow = {}, .costs = std::move(costs)};
  if (std::ranges::all_of(carried.costs, [](double c) { return std::isfinite(c); })) {
    carried.flow = optimal_flow(weights.student, weights.teacher, carried.costs);
    return carried;
  }
  for (const double s : weights.student)
    for (const double t : weights.teacher) carried.flow.push_back(s * t);
  return carried;
}

LayerWeights weights_by_cost(const LayerFlow& carried, const LayerWeights& before,
                             double temperature) {
  const size_t S = before.student.size(), T = before.teacher.size();
  std::vector<double> of_student(S), of_teacher(T);
  for (size_t i = 0; i < S; ++i)
    for (size_t j = 0; j < T; ++j) {
      const double paid = carried.flow[i * T + j] * carried.costs[i * T + j];
      if (before.student[i] > 0) of_student[i] += paid / before.student[i];
      if (before.teacher[j] > 0) of_teacher[j] += paid / before.teacher[j];
    }
  return {cheap_first(std::move(of_student), temperature),
          cheap_first(std::move(of_teacher), temperature)};
}

EmdLoss::EmdLoss(const EmdMatch& match, const Scope& scope, std::optional<double> student_rate,
                 int64_t teachers)
    : match_(match), teachers_(teachers) {
  check(match.teacher_layers > 0 && match.student_layers > 0,
        "emd: expected the numbers of both models' layers; call DistillationConfig::settle first");
  for (int64_t i = 0; i <= match.student_layers; ++i)
    projections_.push_back(make_projection(match.pair, scope / "projection" / i, student_rate));
  if (!match.cost_attention) return;
  student_weights_ = &layer_weights(scope, "student_weights", {teachers, match.student_layers});
  teacher_weights_ = &layer_weights(scope, "teacher_weights", {teachers, match.teacher_layers});
}

LayerWeights EmdLoss::weights(int64_t number) const {
  if (!student_weights_) return even_weights(match_.student_layers, match_.teacher_layers);
  check(number >= 0 && number < teachers_, "emd: cost_attention has weights for ", teachers_,
        " teachers, got outputs of number ", number,
        " (from 0); say in DistillerOptions how many there are");
  return {row_of(*student_weights_, number), row_of(*teacher_weights_, number)};
}

void EmdLoss::keep(const LayerWeights& weights, int64_t number) const {
  put_row(*student_weights_, number, weights.student);
  put_row(*teacher_weights_, number, weights.teacher);
}

Tensor EmdLoss::distance(const ModelOutputs& student, const ModelOutputs& teacher, int64_t i,
                         int64_t j, const MatchContext& context) const {
  return match_loss(match_.between(i, j), student, teacher, context, projections_[at(i)]);
}

std::vector<double> EmdLoss::costs(const ModelOutputs& student, const ModelOutputs& teacher,
                                   const MatchContext& context) const {
  const Pause pause;
  std::vector<Tensor> all;
  for (int64_t i = 1; i <= match_.student_layers; ++i)
    for (int64_t j = 1; j <= match_.teacher_layers; ++j)
      all.push_back(reshape(distance(student, teacher, i, j, context), {1}));
  return numbers_of(concat(all, 0));
}

EmdLoss::Result EmdLoss::operator()(const ModelOutputs& student, const ModelOutputs& teacher,
                                    const MatchContext& context, int64_t number) const {
  const LayerWeights before = weights(number);
  Result result{.layers = {},
                .embeddings = {},
                .carried = layer_flow(costs(student, teacher, context), before)};
  for (int64_t i = 1; i <= match_.student_layers; ++i)
    for (int64_t j = 1; j <= match_.teacher_layers; ++j) {
      const double flow = result.carried.flow[at((i - 1) * match_.teacher_layers + j - 1)];
      if (flow == 0) continue;
      const Tensor carried = scale(distance(student, teacher, i, j, context), flow);
      result.layers = result.layers ? add(result.layers, carried) : carried;
    }
  if (match_.compares_embeddings()) result.embeddings = distance(student, teacher, 0, 0, context);
  if (student_weights_ && Recorder::current)
    keep(weights_by_cost(result.carried, before, match_.cost_temperature), number);
  return result;
}

}  // namespace ink
