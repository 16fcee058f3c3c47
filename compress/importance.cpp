// Gates of every sequence, one backward pass a batch, and sums of what it gives.
#include "compress/importance.h"

#include <cmath>

#include "autograd/tape.h"
#include "compress/surgery.h"
#include "tensor/error.h"

namespace ink {
namespace {

Importance nothing_of(const std::vector<int64_t>& sizes) {
  Importance importance;
  for (const int64_t size : sizes) importance.emplace_back(static_cast<size_t>(size));
  return importance;
}

// Gates of B sequences, all 1, which the tape watches.
std::vector<LayerGates> watched_gates(const Model& model, const PrunableSizes& sizes, int64_t B,
                                      bool input_gate, Tape& tape) {
  const Tensor& like = model.body.words().value;
  const auto ones = [&](int64_t size) {
    Tensor gates = full({B, size}, 1, like.dtype(), like.device());
    tape.watch(gates);
    return gates;
  };
  std::vector<LayerGates> gates;
  for (size_t l = 0; l < sizes.heads.size(); ++l) {
    gates.push_back({.heads = ones(sizes.heads[l]), .ffn_before = {}, .ffn_after = {}});
    if (input_gate) gates.back().ffn_before = ones(sizes.ffn[l]);
    gates.back().ffn_after = ones(sizes.ffn[l]);
  }
  return gates;
}

// The derivatives d (B, size) of one gate of each sequence, by the rule of `term`.
double score_of(const double* d, int64_t size, Term term, size_t sequences,
                const std::vector<double>& scales) {
  double sum = 0;
  for (size_t b = 0; b < sequences; ++b, d += size) {
    if (term == Term::batch)
      sum += *d;
    else if (term == Term::example)
      sum += std::abs(scales[b] * *d);
    else
      sum += (scales[b] * *d) * (scales[b] * *d);
  }
  return std::abs(sum);
}

// Undefined derivatives are those of what has no influence.
void add_scores(const Tensor& derivatives, Term term, const std::vector<double>& scales,
                std::vector<double>& into) {
  if (!derivatives || into.empty()) return;
  const Tensor d = contiguous(converted(to(derivatives, Device::cpu), Dtype::f64));
  for (size_t j = 0; j < into.size(); ++j)
    into[j] +=
        score_of(d.data<double>() + j, d.dim(1), term, static_cast<size_t>(d.dim(0)), scales);
}

void divide(Importance& scores, double by) {
  for (auto& layer : scores)
    for (double& score : layer) score /= by;
}

}  // namespace

ImportanceScores measure_importance(const Model& model, std::span<const FeatureBatch> batches,
                                    const ImportanceOptions& options, const LossOfBatch& loss) {
  check(!batches.empty(), "importance: expected examples to measure with, got none");
  const PrunableSizes sizes = prunable_sizes(model.config);
  ImportanceScores scores{nothing_of(sizes.heads), nothing_of(sizes.ffn)};
  int64_t examples = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const int64_t B = batches[i].inputs.sequences();
    Tape tape;
    const std::vector<LayerGates> gates = watched_gates(model, sizes, B, options.input_gate, tape);
    const GatedLoss value = loss(model, i, {.gates = &gates});
    check(std::isfinite(value.loss.item()), "importance: the loss of batch ", i,
          " is not finite: ", value.loss.item());
    check(options.term == Term::batch || std::ssize(value.scales) == B,
          "importance: expected a scale for each of ", B, " examples, got ", value.scales.size());
    const Gradients gradients = tape.backward(value.loss);
    for (size_t l = 0; l < gates.size(); ++l) {
      add_scores(gradients[gates[l].heads], options.term, value.scales, scores.heads[l]);
      add_scores(gradients[gates[l].ffn_after], options.term, value.scales, scores.ffn[l]);
      if (options.input_gate)
        add_scores(gradients[gates[l].ffn_before], options.term, value.scales, scores.ffn[l]);
    }
    examples += B;
  }
  divide(scores.heads, static_cast<double>(examples));
  divide(scores.ffn, static_cast<double>(examples));
  return scores;
}

}  // namespace ink
