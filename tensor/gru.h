// The op of recurrent networks: one direction of a gated recurrent unit.
#pragma once
#include "tensor/tensor.h"

namespace ink {

// Inside each sequence of a packed batch, as PyTorch's GRU (Cho et al. 2014): x (N, 3H) is
// W_x x + b_x of every token, with the gates r, z, n side by side; weight (3H, H) and bias (3H) are
// those of the state; sequence b is rows offsets[b]..offsets[b+1] of offsets i32 (B+1) → states
// (N, H). `reverse`: from the last token of each sequence to its first.
Tensor gru(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& offsets,
           bool reverse = false);

}  // namespace ink
