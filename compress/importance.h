// Importance of heads and FFN neurons: |∂L/∂ξ| for a gate ξ = 1 on each (Michel et al. 2019).
//
// The gates need not exist. Multiplying head a's context by ξ_a is multiplying its
// columns of W_O by ξ_a, so
//   head a     |Σ_columns of a, rows  W_O ⊙ ∂L/∂W_O|
//   neuron j   |Σ_k (W₂ ⊙ ∂L/∂W₂)[k, j]|                               gate behind the activation
//            + |Σ_k (W₁ ⊙ ∂L/∂W₁)[j, k] + b₁[j]·∂L/∂b₁[j]|             gate before it, if asked
// with L the loss of a batch; sums over batches are divided by the number of
// examples (TextPruner's scores). The absolute value is taken of a whole batch,
// so scores depend on how examples are batched.
#pragma once
#include <cstdint>
#include <functional>

#include "compress/masks.h"
#include "nn/config.h"
#include "tensor/parameters.h"

namespace ink {

struct ImportanceScores {
  Importance heads, ffn;
};

struct ImportanceOptions {
  int64_t batches = 0;
  int64_t examples = 0;    // in all batches together
  bool input_gate = true;  // TextPruner adds it where FFNs are masked evenly
};

// `loss` computes the loss of a batch with a model that reads `parameters`, without dropout. Raises
// Error without batches and when a loss is not finite.
ImportanceScores measure_importance(const ModelConfig& config, Parameters& parameters,
                                    const ImportanceOptions& options,
                                    const std::function<Tensor(int64_t batch)>& loss);

}  // namespace ink
