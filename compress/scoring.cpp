// Losses of labels, of drawn labels and of reference logits.
#include "compress/scoring.h"

#include <algorithm>
#include <memory>

#include "autograd/tape.h"
#include "compress/drawn_labels.h"
#include "compress/values.h"
#include "nn/ragged.h"
#include "tasks/classification.h"
#include "tasks/question_features.h"
#include "tasks/tagged.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// A mean over the counted labels gives an example with n of N of them N/n times its own mean.
std::vector<double> scales_of(const FeatureBatch& batch, const Task& task) {
  if (task.heads.span) {
    const auto starts = to_vector<int32_t>(answer_ends(batch).starts);
    const auto unknown = std::ranges::count(starts, kIgnore);
    return std::vector<double>(starts.size(), static_cast<double>(std::ssize(starts) - unknown));
  }
  const Tensor labels = contiguous(batch.labels);
  const std::vector<int64_t> starts = decisions_of(batch.inputs, labels.dim(0));
  std::vector<double> counts;
  double all = 0;
  for (size_t b = 0; b + 1 < starts.size(); ++b) {
    counts.push_back(0);
    for (int64_t i = starts[b]; i < starts[b + 1]; ++i)
      counts.back() += labels.dtype() != Dtype::i32 || labels.data<int32_t>()[i] != kIgnore;
    all += counts.back();
  }
  for (double& n : counts) n = n > 0 ? all / n : 0;
  return counts;
}

// Decisions of other heads than that for whole texts are between classes.
Problem problem_of(const Model& model) {
  return model.classification ? model.classification->problem : Problem::single_label;
}

// x rounded to f16.
Tensor in_half(const Tensor& x) { return converted(converted(x, Dtype::f16), x.dtype()); }

Tensor added(const Tensor& sum, const Tensor& x) { return sum ? add(sum, x) : x; }

}  // namespace

std::vector<Tensor> decision_logits(const Model& model, const Packed& batch,
                                    const EncoderOptions& options) {
  if (model.classification) return {classify(model, batch, options)};
  if (model.tagging) return {tag_logits(model, batch, options)};
  check(model.span.has_value(),
        "importance: expected a model with a head for classification, tagging or spans; "
        "fine-tune it first");
  const auto [starts, ends] = starts_and_ends(
      model.span->logits(model.body(batch, options).hidden, options.random), batch.offsets);
  return {starts, ends};
}

LossOfBatch label_loss(const Task& task, std::span<const FeatureBatch> batches) {
  return [&task, batches](const Model& model, size_t i, const EncoderOptions& options) {
    return GatedLoss{task.loss(model, batches[i], options).loss, scales_of(batches[i], task)};
  };
}

LossOfBatch drawn_label_loss(std::span<const FeatureBatch> batches, uint64_t seed) {
  const auto labels = std::make_shared<std::vector<std::vector<Tensor>>>(batches.size());
  return [batches, labels, random = Random(seed)](const Model& model, size_t i,
                                                  const EncoderOptions& options) {
    const std::vector<Tensor> logits = decision_logits(model, batches[i].inputs, options);
    std::vector<Tensor>& drawn_before = (*labels)[i];
    if (drawn_before.empty()) {
      const Pause pause;
      for (size_t k = 0; k < logits.size(); ++k)
        drawn_before.push_back(
            drawn_labels(logits[k], problem_of(model), batches[i], random.split(k)));
    }
    GatedLoss sum{{}, std::vector<double>(static_cast<size_t>(batches[i].inputs.sequences()), 1)};
    for (size_t k = 0; k < logits.size(); ++k)
      sum.loss = added(sum.loss, surprise(logits[k], problem_of(model), drawn_before[k]));
    return sum;
  };
}

LossOfBatch reference_loss(std::span<const FeatureBatch> batches,
                           std::vector<std::vector<Tensor>> reference) {
  check(reference.size() == batches.size(), "importance: expected reference logits of ",
        batches.size(), " batches, got ", reference.size());
  return [batches, reference = std::move(reference)](const Model& model, size_t i,
                                                     const EncoderOptions& options) {
    const std::vector<Tensor> logits = decision_logits(model, batches[i].inputs, options);
    check(logits.size() == reference[i].size(), "importance: batch ", i, ": expected ",
          logits.size(), " tables of reference logits, got ", reference[i].size());
    GatedLoss sum;
    for (size_t k = 0; k < logits.size(); ++k) {
      const Tensor& q = logits[k];
      const Tensor p = in_half(softmax(converted(reference[i][k], q.dtype())));
      sum.loss = added(sum.loss, soft_cross_entropy(q, to(p, q.device())));
    }
    return sum;
  };
}

std::vector<std::vector<Tensor>> half_precision_logits(const Model& model,
                                                       std::span<const FeatureBatch> batches) {
  const Model half(model.config, model.heads,
                   [&](const std::string& name, const Shape&, const Initial&) {
                     return in_half(model.parameters.at(name).value);
                   });
  std::vector<std::vector<Tensor>> all;
  for (const FeatureBatch& batch : batches) {
    all.emplace_back();
    for (const Tensor& logits : decision_logits(half, batch.inputs))
      all.back().push_back(in_half(to(logits, Device::cpu)));
  }
  return all;
}

}  // namespace ink
