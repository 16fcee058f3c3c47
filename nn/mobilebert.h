// MobileBertBody: a deep, narrow BERT whose layers work behind bottlenecks (Sun et al. 2020).
//
// A layer narrows its input h (C) to l (B channels), attends, passes four feed-forward networks and
// widens the result again:
//
//   l = N(W_in h),  a = N(W_att h)                     bottlenecks, C → B
//   y = N(attention(q(a), k(a), v(h)) W_o + l)
//   y = N(FFN(y) + y)                                  as often as there are networks
//   out = N(W_out y + h)                               B → C
//
// N is elementwise, x·w + b, or a layer norm. The input of the first layer is made of the
// embeddings of three neighbouring tokens; what lies outside a sequence counts as zero.
#pragma once
#include <optional>

#include "nn/encoder.h"
#include "tensor/packed.h"

namespace ink {

// x·w + b elementwise, or a layer norm with the same parameters.
struct MobileNorm {
  Parameter& weight;              // (C)
  Parameter& bias;                // (C)
  std::optional<double> epsilon;  // of the layer norm; absent: elementwise

  MobileNorm(const Scope& scope, const ModelConfig& config, int64_t channels, double epsilon);
  Tensor operator()(const Tensor& x) const;
  Tensor operator()(const Tensor& x, const Tensor& residual) const;  // of the sum
};

// N(W x + b), and N(W x + b + residual)
struct NormedLinear {
  Linear dense;
  MobileNorm norm;

  NormedLinear(const Scope& scope, const ModelConfig& config, int64_t in, int64_t out,
               double epsilon);
};

struct MobileBertLayer {
  std::optional<NormedLinear> narrow;         // l
  std::optional<NormedLinear> narrow_shared;  // a
  std::optional<NormedLinear> widen;          // out; absent with the others
  int64_t heads;
  bool values_narrow;  // values too read l
  double probability_dropout, output_dropout;
  Linear query, key, value;
  NormedLinear attention_output;
  std::vector<Linear> intermediates;  // one for each feed-forward network
  std::vector<NormedLinear> outputs;
  Activation activation;

  MobileBertLayer(const Scope& scope, const ModelConfig& config, int64_t heads, int64_t ffn);
  Tensor operator()(const Tensor& h, const Tensor& offsets, const Random* random,
                    AttentionInputs* inputs = nullptr, const LayerGates* gates = nullptr) const;

 private:
  Tensor attend(const Tensor& h, const Tensor& l, const Tensor& offsets, const Random* random,
                AttentionInputs* inputs, const LayerGates* gates) const;
};

struct MobileBertBody {
  Embedding word, position, segment;  // (V, E), (P, C), (types, C)
  Linear transformation;              // there even where nothing is to be transformed
  MobileNorm norm;
  std::vector<MobileBertLayer> layers;
  std::optional<Linear> pooler;
  bool trigram;
  bool pools_first_token;  // as it is: the model has no pooler's weights
  int64_t longest;
  double embedding_dropout;

  MobileBertBody(const Scope& scope, const ModelConfig& config, bool with_pooler);
  Encoded operator()(const Packed& batch, const EncoderOptions& options = {}) const;
  Tensor pool(const Tensor& hidden, const Tensor& offsets) const;
  void quantize(const Place& place);  // linear layers of the encoder (nn/place.h)
  void pack();
  void unpack();

 private:
  Tensor embed(const Packed& batch, const Random* random) const;
};

}  // namespace ink
