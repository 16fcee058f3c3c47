// Gates: factors on what heads, feed-forward neurons, channels and whole layers put out, for each
// sequence.
//
// All 1, they change nothing; the derivative of a loss by a gate says how much the head, neuron,
// channel or layer matters to it (Michel et al. 2019; compress/importance.h). They reach a model by
// EncoderOptions::gates and EncoderOptions::stream.
#pragma once
#include "nn/layers.h"

namespace ink {

// Of one layer, for B sequences. Undefined: no gate.
struct LayerGates {
  Tensor heads;                  // (B, H): on what a head has mixed, before the output's weights
  Tensor ffn_before, ffn_after;  // (B, F): before and behind the activation
  Tensor channels = {};          // (B, C): on what each of its layer norms puts out
};

// Of what layers hand on to one another, the residual stream, for the B sequences of one batch.
struct StreamGates {
  Tensor offsets;                   // of the batch
  Tensor channels = {};             // (B, C): on the embeddings, and on what classes are read from
  std::vector<Tensor> layers = {};  // (B, 1) for each time a layer runs: x + ξ·(layer(x) − x)
};

// mixed (N, H·D) of H heads, gated.
Tensor gated_heads(const Tensor& mixed, int64_t heads, const Tensor& offsets,
                   const LayerGates* gates);

// x (N, C), gated; `channels` undefined: x itself.
Tensor gated_channels(const Tensor& x, const Tensor& offsets, const Tensor& channels);

// What run number `run` of a layer made of x, gated.
Tensor gated_layer(const Tensor& x, const Tensor& made, const StreamGates* gates, size_t run);

// f(dense(x)), gated. Where a layer has several networks their gates stand side by side, and this
// is the one at `network`.
Tensor gated_neurons(const Linear& dense, const Tensor& x, Activation f, const Tensor& offsets,
                     const LayerGates* gates, int64_t network = 0);

}  // namespace ink
