// Gates: factors on what the heads and feed-forward neurons of a layer put out, for each sequence.
//
// All 1, they change nothing; the derivative of a loss by a gate says how much the head or neuron
// matters to it (Michel et al. 2019; compress/importance.h). They reach a model by
// EncoderOptions::gates.
#pragma once
#include "nn/layers.h"

namespace ink {

// Of one layer, for B sequences. Undefined: no gate.
struct LayerGates {
  Tensor heads;                  // (B, H): on what a head has mixed, before the output's weights
  Tensor ffn_before, ffn_after;  // (B, F): before and behind the activation
};

// mixed (N, H·D) of H heads, gated.
Tensor gated_heads(const Tensor& mixed, int64_t heads, const Tensor& offsets,
                   const LayerGates* gates);

// f(dense(x)), gated. Where a layer has several networks their gates stand side by side, and this
// is the one at `network`.
Tensor gated_neurons(const Linear& dense, const Tensor& x, Activation f, const Tensor& offsets,
                     const LayerGates* gates, int64_t network = 0);

}  // namespace ink
