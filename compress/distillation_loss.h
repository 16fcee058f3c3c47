// What a student minimises: kd_weight·KD + Σ_m weight_m·match_m + hard_weight·HL (TextBrewer).
//
//   KD ce    mean over rows of −Σ_c softmax(T/τ)_c · log softmax(S/τ)_c, times τ² if so configured
//   KD mse   mean over elements of ((S − T)/τ)²
//   match    hidden_mse: mean over tokens and channels of (proj(S) − T)²;
//            cos: mean over tokens of 1 − cos(proj(S), T)
//   HL       cross entropy with the true labels
//
// S and T are the student's and the teacher's logits or hidden states of the same packed tokens.
// Nothing flows back to the teacher: its features are computed where no tape records.
#pragma once
#include <vector>

#include "autograd/trainer.h"
#include "compress/distillation_config.h"
#include "nn/scope.h"
#include "tensor/tensor.h"

namespace ink {

// What a model says about a batch of B sequences, N tokens.
struct ModelOutputs {
  Tensor logits;               // (B, classes)
  std::vector<Tensor> hidden;  // (N, C) each: after the embeddings, after layer 1, …; may be empty
                               // where nothing is matched
};

Tensor kd_loss(const Tensor& student, const Tensor& teacher, KdLoss type, double temperature);
Tensor match_loss(const Tensor& student, const Tensor& teacher, MatchLoss loss);

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
  // The loss at step `step` of `steps`. labels i32 (B).
  Result operator()(const ModelOutputs& student, const ModelOutputs& teacher, const Tensor& labels,
                    int64_t step, int64_t steps) const;

  const DistillationConfig& config() const { return config_; }

 private:
  struct Projection {
    Parameter *weight = nullptr, *bias = nullptr;  // null: none
  };
  DistillationConfig config_;
  std::vector<Projection> projections_;  // one for each match
};

}  // namespace ink
