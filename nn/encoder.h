// The transformer encoder on packed batches: y = LN(x + attention(x)), z = LN(y + FFN(y)), layer
// after layer (Vaswani et al. 2017; Devlin et al. 2019).
//
// There is no mask: a batch holds real tokens only and `offsets` says where sequences begin. Every
// layer has its own number of heads and width; both may be 0 where a layer was pruned away.
#pragma once
#include <functional>
#include <vector>

#include "nn/config.h"
#include "nn/gates.h"

namespace ink {

// What attention computed its probabilities from: softmax(q kᵀ/√D) v, each (N, H·D). For
// distillation.
struct AttentionInputs {
  Tensor query, key, value;
};

// Runs one layer, given as a function of nothing. `recompute` (autograd/tape.h) fits: the layer
// then keeps nothing for backward but its input.
using LayerRunner = std::function<Tensor(std::function<Tensor()>)>;

struct EncoderOptions {
  const Random* random = nullptr;  // given: training, with dropout drawn from it
  bool all_hidden = false;         // also return the hidden states below the last
  bool attention_inputs = false;  // also return q, k, v of every layer; not together with run_layer
  LayerRunner run_layer = {};     // how to run a layer; empty: simply call it
  // One for each layer that has weights of its own, null without; they outlive the backward pass.
  const std::vector<LayerGates>* gates = nullptr;
  // Of channels only in bodies of BERT's kind (nn/bert_body.h); outlives the backward pass too.
  const StreamGates* stream = nullptr;
};

struct Encoded {
  Tensor hidden;                           // (N, C) of the last layer
  std::vector<Tensor> all_hidden;          // embeddings, then what every layer put out
  std::vector<AttentionInputs> attention;  // one a layer
};

// Layer after layer, as `options` ask: layer(i, x, random, keep) is layer i of x; where `keep` is
// given it stores there what attention computed from.
using LayerFunction =
    std::function<Tensor(size_t i, const Tensor& x, const Random* random, AttentionInputs* keep)>;
Encoded run_layers(const Tensor& embedded, size_t count, const EncoderOptions& options,
                   const LayerFunction& layer);
// Those of one layer; null without. Raises Error when there are gates of another number of layers.
const LayerGates* gates_of(const std::vector<LayerGates>* gates, size_t layer, size_t layers);

struct SelfAttention {
  int64_t heads;
  double probability_dropout, output_dropout;
  Linear query, key, value;  // (N, C) → (N, H·D)
  Linear output;             // (N, H·D) → (N, C)
  LayerNorm norm;
  JoinedLinears joined;        // query, key and value
  QuantizedLinears quantized;  // the same

  SelfAttention(const Scope& layer, const LayerNames& names, const ModelConfig& config,
                int64_t heads);
  // LN(x + output(attention(query x, key x, value x)))
  Tensor operator()(const Tensor& x, const Tensor& offsets, const Random* random,
                    AttentionInputs* inputs = nullptr, const LayerGates* gates = nullptr) const;
  void quantize(const Place& place);
  void pack();
  void unpack();

 private:
  // Queries, keys and values side by side, (N, 3·H·D), for the CUDA device and for int8: one large
  // product is faster than three, and putting the weights together costs less than is won.
  Tensor project(const Tensor& x) const;
  Tensor attend(const Tensor& x, const Tensor& offsets, const Random* random,
                AttentionInputs* inputs) const;
};

struct EncoderLayer {
  SelfAttention attention;
  Linear intermediate, output;  // C → F → C
  LayerNorm norm;
  Activation activation;
  double output_dropout;

  EncoderLayer(const Scope& layer, const LayerNames& names, const ModelConfig& config,
               int64_t heads, int64_t ffn);
  Tensor operator()(const Tensor& x, const Tensor& offsets, const Random* random,
                    AttentionInputs* inputs = nullptr, const LayerGates* gates = nullptr) const;
  void quantize(const Place& place);
};

struct Encoder {
  std::vector<EncoderLayer> layers;
  std::vector<size_t> order;  // which of them runs when; ALBERT's run several times

  Encoder(const Scope& body, const ModelConfig& config);
  Encoded operator()(const Tensor& embedded, const Tensor& offsets,
                     const EncoderOptions& options) const;
  void quantize(const Place& place);  // all linear layers, for inference (nn/place.h)
  void pack();
  void unpack();
};

}  // namespace ink
