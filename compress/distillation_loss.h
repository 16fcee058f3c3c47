// What a student minimises: kd_weight·KD + Σ_m weight_m·match_m + Σ_e weight_e·EMD_e +
// hard_weight·HL (TextBrewer).
//
//   KD     the loss between logits (losses/logits.h), at one temperature or one for each row, times
//          τ² if so configured
//   match  a loss between features of two layers (matches.h), the student's behind a projection
//   EMD    all layers matched with all by optimal transport (emd_loss.h)
//   HL     the loss with the true labels
//
// S and T are the student's and the teacher's logits or features of the same packed tokens. Nothing
// flows back to the teacher: its features are computed where no tape records.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "autograd/trainer.h"
#include "compress/distillation_config.h"
#include "compress/emd_loss.h"
#include "compress/match_loss.h"
#include "compress/projection.h"
#include "nn/scope.h"
#include "tensor/tensor.h"

namespace ink {

class DistillationLoss {
 public:
  // Makes the projections as parameters `scope / "projection" / match number / {weight, bias}`, and
  // those of EMD below `scope / "emd" / its number`, so that they are trained and kept in
  // checkpoints with the student's. `student_rate`: the student's
  // learning rate at its peak, for projections that have one of their own. `teachers`: how many
  // have weights of their own in cost attention.
  DistillationLoss(DistillationConfig config, const Scope& scope,
                   std::optional<double> student_rate = {}, int64_t teachers = 1);

  // What a batch brings beside what both say of it.
  struct Facts {
    // i32 (B), of kd types bce and regression numbers (hard_label_loss); undefined: no loss with
    // them.
    Tensor labels = {};
    Tensor offsets = {};                      // i32 (B + 1): where sequences begin
    std::optional<KdLoss> kd_loss_type = {};  // of this batch, in place of the configuration's
  };

  // One loss without its weight at this step.
  struct Term {
    enum class Kind : uint8_t { soft, match, hard };  // soft and hard: of logits
    Kind kind;
    // kd_loss, hidden_hidden_mse_0_0, …, emd_hidden_mse, emd_hidden_mse_embeddings, …,
    // hard_label_loss
    std::string name;
    Tensor value;
    double weight;
  };
  // The losses at step `step` of `steps`; without logits of the student only matches, without those
  // of the teacher no kd_loss. `number` says which teacher it is, from 0.
  std::vector<Term> terms(const ModelOutputs& student, const ModelOutputs& teacher,
                          const Facts& facts, int64_t step, int64_t steps,
                          int64_t number = 0) const;

  struct Result {
    Tensor total;
    std::vector<Measure> parts;  // each without its weight
  };
  // Their weighted sum.
  Result operator()(const ModelOutputs& student, const ModelOutputs& teacher, const Facts& facts,
                    int64_t step, int64_t steps, int64_t number = 0) const;

  const DistillationConfig& config() const { return config_; }

 private:
  Tensor soft_loss(KdLoss type, const Tensor& student, const Tensor& teacher,
                   const Tensor& labels) const;

  DistillationConfig config_;
  std::vector<Projection> projections_;  // one for each match
  std::vector<EmdLoss> emd_;
};

}  // namespace ink
