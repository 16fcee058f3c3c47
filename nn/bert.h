// BertModel: tokens → embeddings (word + position + segment, layer norm) → encoder → hidden states;
// optionally pooled.
//
// Devlin et al. 2019. Parameter names below the given scope are Hugging Face's BertModel.
#pragma once
#include <optional>

#include "nn/encoder.h"
#include "tensor/packed.h"

namespace ink {

struct BertModel {
  Embedding word, position, segment;
  LayerNorm norm;
  Encoder encoder;
  std::optional<Linear> pooler;
  int64_t longest;  // tokens in a sequence
  double embedding_dropout;

  BertModel(const Scope& scope, const BertConfig& config, bool with_pooler);

  // Hidden states of every token. Raises Error when the batch is malformed or a sequence too long.
  Encoded operator()(const Packed& batch, const EncoderOptions& options = {}) const;
  // tanh(W h + b) of every sequence's first token: hidden (N, C) → (B, C). Requires a pooler.
  Tensor pool(const Tensor& hidden, const Tensor& offsets) const;

  void
  pack();  // lays weights out for inference, about as large again; repeat after changing weights
  void unpack();  // before training
};

// Row of every sequence's first token, i32 (B). Raises Error for an empty sequence.
Tensor first_rows(const Tensor& offsets);

}  // namespace ink
