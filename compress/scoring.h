// What importance is measured by: the labels of examples, labels drawn from the model itself, or
// the logits of another model.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "compress/importance.h"
#include "tasks/task.h"

namespace ink {

// The logits that a model decides by, softmaxes over the last axis: of its classification head
// (B, L); of its tagging head (N, L), a row for each token; of its span head two, where an answer
// starts and where it ends (B, T), T the longest sequence. Raises Error without any of them.
std::vector<Tensor> decision_logits(const Model& model, const Packed& batch,
                                    const EncoderOptions& options = {});

// The task's own loss of the labels. `batches` must outlive the result, here and below.
LossOfBatch label_loss(const Task& task, std::span<const FeatureBatch> batches);

// Σ −log q_y with y drawn from the model's own probabilities p, one for each decision
// (compress/drawn_labels.h), when a batch is met for the first time; later, smaller models q are
// asked about the same y. With Term::square this is the diagonal of the Fisher information of the
// gates, E over y ~ p of (∂ log q_y/∂ξ)², by one draw for each decision (Theis et al. 2018 prune by
// it). No labels are read. The draws depend on the seed and the example's number alone.
LossOfBatch drawn_label_loss(std::span<const FeatureBatch> batches, uint64_t seed);

// TextPruner's without labels: the mean of −Σ p·log q, with p of reference logits, rounded to f16
// as in its half-precision copy, added up over the lists. `reference` holds for each batch what
// decision_logits gives. Its derivatives are q − p: where the reference is the model itself they
// are what rounding leaves.
LossOfBatch reference_loss(std::span<const FeatureBatch> batches,
                           std::vector<std::vector<Tensor>> reference);

// decision_logits of a copy with weights rounded to f16, themselves rounded to f16. TextPruner
// computes everything between in f16 too, so its references differ in their last bits.
std::vector<std::vector<Tensor>> half_precision_logits(const Model& model,
                                                       std::span<const FeatureBatch> batches);

}  // namespace ink
