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

struct Gates {
  std::vector<LayerGates> layers;
  StreamGates stream;
};

// Gates of the sequences of a batch, all 1, which the tape watches.
Gates watched_gates(const Model& model, const PrunableSizes& sizes, const Packed& batch,
                    const ImportanceOptions& options, Tape& tape) {
  const Tensor& like = model.body.words().value;
  const auto ones = [&](int64_t size) {
    Tensor gates = full({batch.sequences(), size}, 1, like.dtype(), like.device());
    tape.watch(gates);
    return gates;
  };
  Gates gates{{}, {.offsets = batch.offsets}};
  if (options.channels) gates.stream.channels = ones(model.config.hidden_size);
  for (int64_t l = 0; options.layers && l < model.config.layers(); ++l)
    gates.stream.layers.push_back(ones(1));
  for (size_t l = 0; l < sizes.heads.size(); ++l) {
    LayerGates& layer = gates.layers.emplace_back();
    layer.channels = gates.stream.channels;
    if (!options.elements) continue;
    layer.heads = ones(sizes.heads[l]);
    if (options.input_gate) layer.ffn_before = ones(sizes.ffn[l]);
    layer.ffn_after = ones(sizes.ffn[l]);
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

// The scores of one batch, added to what the batches before gave.
struct Adding {
  const Gradients& gradients;
  const std::vector<double>& scales;
  Term term;

  void operator()(const Tensor& gate, std::vector<double>& into) const {
    if (gate) add_scores(gradients[gate], term, scales, into);
  }
};

void add_all(const Gates& gates, const Adding& add, ImportanceScores& scores) {
  for (size_t l = 0; l < gates.layers.size(); ++l) {
    add(gates.layers[l].heads, scores.heads[l]);
    add(gates.layers[l].ffn_after, scores.ffn[l]);
    add(gates.layers[l].ffn_before, scores.ffn[l]);
  }
  add(gates.stream.channels, scores.channels);
  for (size_t l = 0; l < gates.stream.layers.size(); ++l) {
    std::vector<double> one(1);
    add(gates.stream.layers[l], one);
    scores.layers[l] += one[0];
  }
}

void divide(ImportanceScores& scores, double by) {
  for (Importance* rows : {&scores.heads, &scores.ffn})
    for (auto& layer : *rows)
      for (double& score : layer) score /= by;
  for (std::vector<double>* row : {&scores.layers, &scores.channels})
    for (double& score : *row) score /= by;
}

void check_finite(const GatedLoss& value, size_t batch) {
  check(std::isfinite(value.loss.item()), "importance: the loss of batch ", batch,
        " is not finite: ", value.loss.item());
}

// What a body has gates for.
void check_gated(const ModelConfig& config, const ImportanceOptions& options) {
  check(!options.channels || config.family->body_kind == BodyKind::bert,
        "importance: ", config.family->model_type, " has no gates of channels");
  check(!options.layers || config.shared.groups == 0,
        "importance: expected layers with weights of their own, got shared ones");
}

}  // namespace

ImportanceScores measure_importance(const Model& model, std::span<const FeatureBatch> batches,
                                    const ImportanceOptions& options, const LossOfBatch& loss) {
  check(!batches.empty(), "importance: expected examples to measure with, got none");
  check_gated(model.config, options);
  const PrunableSizes sizes = prunable_sizes(model.config);
  ImportanceScores scores{nothing_of(sizes.heads), nothing_of(sizes.ffn)};
  if (options.layers) scores.layers.resize(model.config.heads_per_layer.size());
  if (options.channels) scores.channels.resize(static_cast<size_t>(model.config.hidden_size));
  int64_t examples = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const int64_t B = batches[i].inputs.sequences();
    Tape tape;
    const Gates gates = watched_gates(model, sizes, batches[i].inputs, options, tape);
    const GatedLoss value = loss(model, i, {.gates = &gates.layers, .stream = &gates.stream});
    check_finite(value, i);
    check(options.term == Term::batch || std::ssize(value.scales) == B,
          "importance: expected a scale for each of ", B, " examples, got ", value.scales.size());
    const Gradients gradients = tape.backward(value.loss);
    add_all(gates, {gradients, value.scales, options.term}, scores);
    examples += B;
  }
  divide(scores, static_cast<double>(examples));
  return scores;
}

std::vector<double> loss_without_layers(const Model& model, std::span<const FeatureBatch> batches,
                                        const LossOfBatch& loss) {
  check(!batches.empty(), "importance: expected examples to measure with, got none");
  check_gated(model.config, {.layers = true});
  const Pause pause;
  const auto layers = model.config.heads_per_layer.size();
  const Tensor& like = model.body.words().value;
  std::vector<double> growth(layers);
  double examples = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const int64_t B = batches[i].inputs.sequences();
    const Tensor one = full({B, 1}, 1, like.dtype(), like.device()),
                 none = full({B, 1}, 0, like.dtype(), like.device());
    StreamGates gates{.offsets = batches[i].inputs.offsets};
    const GatedLoss whole = loss(model, i, {});
    check_finite(whole, i);
    for (size_t l = 0; l < layers; ++l) {
      gates.layers.assign(layers, one);
      gates.layers[l] = none;
      const GatedLoss without = loss(model, i, {.stream = &gates});
      check_finite(without, i);
      growth[l] += static_cast<double>(B) * (without.loss.item() - whole.loss.item());
    }
    examples += static_cast<double>(B);
  }
  for (double& g : growth) g /= examples;
  return growth;
}

}  // namespace ink
