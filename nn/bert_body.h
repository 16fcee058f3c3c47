// BertBody: tokens → embeddings (word + position + segment, layer norm) → encoder → hidden states;
// optionally pooled.
//
// Devlin et al. 2019, and with the names and options of nn/family.h also RoBERTa, XLM-R, ELECTRA,
// ALBERT and DistilBERT. Parameter names below the given scope are Hugging Face's.
#pragma once
#include <optional>

#include "nn/encoder.h"
#include "tensor/packed.h"

namespace ink {

struct BertBody {
  Embedding word, position;          // (V, E), (P, E)
  std::optional<Embedding> segment;  // (types, E)
  LayerNorm norm;
  std::optional<Linear> projection;  // E → C, where embeddings are narrower than hidden states
  Encoder encoder;
  std::optional<Linear> pooler;
  int64_t first_position;          // row of `position` for the first token of a sequence
  std::optional<int64_t> padding;  // id that positions pass over, where they count from behind it
  int64_t longest;                 // tokens in a sequence
  double embedding_dropout;

  BertBody(const Scope& scope, const ModelConfig& config, bool with_pooler);

  // Hidden states of every token. Raises Error when the batch is malformed or a sequence too long.
  Encoded operator()(const Packed& batch, const EncoderOptions& options = {}) const;
  // tanh(W h + b) of every sequence's first token: hidden (N, C) → (B, C). Requires a pooler.
  Tensor pool(const Tensor& hidden, const Tensor& offsets) const;

  // Whether positions follow from the ids too: where padding has one of its own, and a text has it.
  bool spells_padding(const Packed& batch) const;

  void quantize(const Place& place);  // linear layers of the encoder (nn/place.h)
  // Lays weights out for inference, about as large again; repeat after changing weights.
  void pack();
  void unpack();  // before training

 private:
  Tensor embed(const Packed& batch, const Random* random) const;  // (N, C)
  Tensor position_rows(const Packed& batch) const;                // (N, E)
};

// Row of every sequence's first or last token, i32 (B). Raises Error for an empty sequence.
Tensor first_rows(const Tensor& offsets);
Tensor last_rows(const Tensor& offsets);

}  // namespace ink
