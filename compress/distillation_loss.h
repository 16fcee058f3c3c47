// What a student minimises: kd_weight·KD + Σ_m weight_m·match_m + hard_weight·HL (TextBrewer).
//
//   KD     the loss between logits (losses/logits.h), at one temperature or one for each row, times
//          τ² if so configured
//   match  a loss between features of two layers (matches.h), the student's behind a projection
//   HL     the loss with the true labels
//
// S and T are the student's and the teacher's logits or features of the same packed tokens. Nothing
// flows back to the teacher: its features are computed where no tape records.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "autograd/trainer.h"
#include "compress/distillation_config.h"
#include "compress/losses/sequences.h"
#include "nn/encoder.h"
#include "nn/scope.h"
#include "tensor/tensor.h"

namespace ink {

// What a model says about a batch of B sequences, N tokens. What nothing compares may be missing.
struct ModelOutputs {
  Tensor logits;               // (B, classes)
  std::vector<Tensor> hidden;  // (N, C) each: after the embeddings, after layer 1, …
  std::vector<AttentionInputs> attention = {};  // of each layer, (N, H·D) each
  std::vector<int64_t> heads = {};              // H of each layer
};

// The loss of one match, without its weight; the student's hidden states are projected already by
// `project`, where that is given. `compatible` and `inputs_mask` as in DistillationConfig. Raises
// Error where a layer is not there.
struct MatchContext {
  const Sequences& sequences;
  const Tensor& offsets;
  bool compatible = false, inputs_mask = true;
};
Tensor match_loss(const IntermediateMatch& match, const ModelOutputs& student,
                  const ModelOutputs& teacher, const MatchContext& context,
                  const std::function<Tensor(const Tensor&)>& project = {});

class DistillationLoss {
 public:
  // Makes the projections as parameters `scope / "projection" / match number / {weight, bias}`, so
  // that they are trained and kept in checkpoints with the student's.
  DistillationLoss(DistillationConfig config, const Scope& scope);

  struct Result {
    Tensor total;
    // each without its weight: kd_loss, hidden_hidden_mse_0_0, …, hard_label_loss
    std::vector<Measure> parts;
  };
  // The loss at step `step` of `steps`; without logits none between them, without labels none with
  // these. labels i32 (B) (of kd types bce and regression numbers, see hard_label_loss); offsets
  // i32 (B + 1) of the batch.
  Result operator()(const ModelOutputs& student, const ModelOutputs& teacher, const Tensor& labels,
                    const Tensor& offsets, int64_t step, int64_t steps) const;

  const DistillationConfig& config() const { return config_; }

 private:
  struct Projection {
    Parameter *weight = nullptr, *bias = nullptr;  // null: none
  };
  Tensor soft_loss(const Tensor& student, const Tensor& teacher, const Tensor& labels) const;

  DistillationConfig config_;
  std::vector<Projection> projections_;  // one for each match
};

}  // namespace ink
