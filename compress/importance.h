// Importance of heads and FFN neurons: derivatives of a loss by a gate ξ = 1 on each (Michel et al.
// 2019).
//
//   head a     ∂L/∂ξ, ξ on what the head has mixed, before the output's weights
//   neuron j   ∂L/∂ξ, ξ behind the activation; and one before the activation, if asked
//   channel c  ∂L/∂ξ, one ξ shared by every place where a channel of the residual stream is read:
//              behind the embeddings, behind every layer norm, and on what classes are read from.
//              Where x_c is what stands there it is Σ x_c·∂L/∂x_c over these places, for a layer
//              norm γ_c·∂L/∂γ_c + β_c·∂L/∂β_c. That a cut channel also leaves the means and
//              variances of layer norms is not in it
//   layer l    ∂L/∂ξ of x + ξ·(layer(x) − x); or how much the loss grows with ξ = 0
//
// The gates of every sequence are its own (nn/gates.h), so one backward pass gives the derivatives
// of all examples of a batch, and no gradient of any weight is computed. They are what weights and
// their gradients give as well: Σ W_O ⊙ ∂L/∂W_O over a head's columns is ∂L/∂ξ of its gate, so is
// Σ W₂ ⊙ ∂L/∂W₂ behind the activation and Σ W₁ ⊙ ∂L/∂W₁ + b₁·∂L/∂b₁ before it.
//
// With L the mean loss of a batch of B examples and L_i that of one of them, a score is one of
//
//   batch     Σ over batches of |∂L/∂ξ| / N     TextPruner's; depends on how examples are batched
//   example   Σ over examples of |∂L_i/∂ξ| / N  (Michel et al. 2019), whatever the batches
//   square    Σ over examples of (∂L_i/∂ξ)² / N
//
// of N examples in all.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "compress/masks.h"
#include "nn/model.h"
#include "tasks/features.h"

namespace ink {

// Rows as those of masks (compress/surgery.h).
struct ImportanceScores {
  Importance heads, ffn;
  std::vector<double> layers = {}, channels = {};
};

// What a score adds up.
enum class Term : uint8_t { batch, example, square };

struct ImportanceOptions {
  Term term = Term::batch;
  bool input_gate = true;  // TextPruner adds it where FFNs are masked evenly
  bool elements = true;    // of heads and neurons
  // Channels of bodies of BERT's kind; layers that have weights of their own.
  bool layers = false, channels = false;
};

// The loss of a batch, and for each example b how many times ∂loss/∂ξ_b its own L_b has, which
// `example` and `square` need: B for a mean over examples.
struct GatedLoss {
  Tensor loss;
  std::vector<double> scales = {};
};

// Computes the loss of batch number i, without dropout, by a model that is run as `options` say:
// they hold the gates.
using LossOfBatch =
    std::function<GatedLoss(const Model& model, size_t i, const EncoderOptions& options)>;

// Raises Error without batches and when a loss is not finite.
ImportanceScores measure_importance(const Model& model, std::span<const FeatureBatch> batches,
                                    const ImportanceOptions& options, const LossOfBatch& loss);

// How much the loss of an example grows on average when a layer is passed over, for each layer.
std::vector<double> loss_without_layers(const Model& model, std::span<const FeatureBatch> batches,
                                        const LossOfBatch& loss);

}  // namespace ink
