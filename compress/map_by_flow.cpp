// Costs of all pairs of layers on some batches, one flow, and the pair that carries most.
#include "compress/map_by_flow.h"

#include <algorithm>

#include "autograd/tape.h"
#include "compress/emd_loss.h"
#include "compress/teacher.h"

namespace ink {
namespace {

constexpr int64_t kBatches = 16, kSequences = 16;

// The student is not on a device yet, and not in 16 bits.
ModelOutputs as_students(ModelOutputs teacher) {
  for (Tensor& x : teacher.hidden) x = converted(on_host(x), Dtype::f32);
  return teacher;
}

// Means over tokens.
std::vector<double> mean_costs(const EmdLoss& emd, const Model& teacher, const Model& student,
                               const Reading& train) {
  DistillationConfig reads;
  reads.emd = {emd.match()};
  const Features& examples = *train.student.features;
  const std::vector<std::vector<int64_t>> plan =
      examples.plan({.sequences = kSequences, .shuffle = 1});
  std::vector<double> sums;
  double tokens = 0;
  for (size_t b = 0; b < std::min<size_t>(kBatches, plan.size()); ++b) {
    const FeatureBatch batch = examples.batch(plan[b]);
    const Sequences sequences(batch.inputs.offsets);
    const std::vector<double> costs =
        emd.costs(outputs_of(student, batch.inputs, {}, reads),
                  as_students(outputs_of(teacher, train.for_teacher(batch), {}, reads)),
                  {.sequences = sequences, .offsets = batch.inputs.offsets});
    const auto weight = static_cast<double>(batch.inputs.tokens());
    sums.resize(costs.size());
    for (size_t k = 0; k < costs.size(); ++k) sums[k] += weight * costs[k];
    tokens += weight;
  }
  for (double& cost : sums) cost /= tokens;
  return sums;
}

// Of row i, from 0.
int64_t most_carried(const LayerFlow& carried, int64_t row, int64_t columns) {
  const auto at = [&](int64_t j) { return static_cast<size_t>(row * columns + j); };
  constexpr double kSame = 1e-9;  // flows that differ by rounding
  int64_t best = 0;
  for (int64_t j = 1; j < columns; ++j) {
    const double more = carried.flow[at(j)] - carried.flow[at(best)];
    if (more > kSame || (more > -kSame && carried.costs[at(j)] < carried.costs[at(best)])) best = j;
  }
  return best;
}

}  // namespace

void map_by_flow(std::vector<IntermediateMatch>& matches, const Model& teacher,
                 const Model& student, const Reading& train) {
  const Pause pause;
  const ModelSize T = match_size(teacher.config), S = match_size(student.config);
  EmdMatch all;
  all.pair.loss = T.hidden == S.hidden ? matches.front().loss : MatchLoss::nst;
  settle_emd(all, T, S);
  Parameters none;
  const EmdLoss emd(all, Scope(none, {}), {});
  const LayerFlow carried =
      layer_flow(mean_costs(emd, teacher, student, train), even_weights(S.layers, T.layers));
  for (IntermediateMatch& match : matches) {
    if (match.layer_student == 0) continue;
    match.layer_teacher = match.second_teacher =
        most_carried(carried, match.layer_student - 1, T.layers) + 1;
  }
}

}  // namespace ink
