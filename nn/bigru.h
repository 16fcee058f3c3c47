// BiGruBody: BERT's embeddings under layers of gated recurrent units that read both ways, a student
// for distillation (Schuster & Paliwal 1997; Cho et al. 2014).
//
//   h = W_o [→GRU(x) ; ←GRU(x)] + b_o                    C → F each way → C
//
// A token's state holds what was read before it and what was read from the end; W_o brings both
// back to the width of the embeddings, so heads and hidden states fit as those of a transformer do.
// Position and segment embeddings are there because the embeddings are meant to be a teacher's.
#pragma once
#include <vector>

#include "nn/encoder.h"
#include "tensor/packed.h"

namespace ink {

// One way of reading, with the parameters' names of torch.nn.GRU: weight_ih_l0, … and, from the
// last token to the first, weight_ih_l0_reverse, …
struct GruDirection {
  Parameter &input_weight, &state_weight;  // (3F, C), (3F, F)
  Parameter &input_bias, &state_bias;      // (3F)
  bool reverse;
  PackedWeight packed;   // of input_weight
  Int8Weight quantized;  // instead of it, where it was quantised

  GruDirection(const Scope& scope, int64_t channels, int64_t width, bool reverse);
  Tensor operator()(const Tensor& x, const Tensor& offsets) const;  // (N, C) → (N, F)
};

struct BiGruLayer {
  GruDirection forward, backward;
  Linear output;  // 2F → C
  double output_dropout;

  BiGruLayer(const Scope& scope, const ModelConfig& config, int64_t width);
  Tensor operator()(const Tensor& x, const Tensor& offsets, const Random* random) const;
};

struct BiGruBody {
  Embedding word, position, segment;  // (V, C), (P, C), (types, C)
  LayerNorm norm;
  std::vector<BiGruLayer> layers;
  int64_t longest;
  double embedding_dropout;

  BiGruBody(const Scope& scope, const ModelConfig& config);
  Encoded operator()(const Packed& batch, const EncoderOptions& options = {}) const;
  Tensor pool(const Tensor& hidden, const Tensor& offsets) const;  // raises Error: none here

  void quantize(const Place& place);  // linear layers of the encoder (nn/place.h)
  void pack();
  void unpack();
};

}  // namespace ink
