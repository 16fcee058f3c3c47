// Body: the part of a model that turns tokens into hidden states, of whatever family.
//
//   Body body(root / family.prefix, config, with_pooler);
//   const Encoded e = body(batch, {.random = &random});   // (N, C)
//
// Four architectures stand behind it: BertBody (six families), MobileBertBody, XlnetBody and
// BiGruBody.
#pragma once
#include <variant>

#include "nn/bert_body.h"
#include "nn/bigru.h"
#include "nn/mobilebert.h"
#include "nn/xlnet.h"

namespace ink {

struct Body {
  std::variant<BertBody, MobileBertBody, XlnetBody, BiGruBody> kind;

  Body(const Scope& scope, const ModelConfig& config, bool with_pooler);

  // Hidden states of every token. Raises Error when the batch is malformed or a sequence too long.
  Encoded operator()(const Packed& batch, const EncoderOptions& options = {}) const;
  // One state for every sequence: hidden (N, C) → (B, C). Raises Error where there is no pooler.
  Tensor pool(const Tensor& hidden, const Tensor& offsets) const;
  // What a classifier of this family reads: the pooled state, that of the first or last token, or
  // the mean of all.
  Tensor summary(const Tensor& hidden, const Tensor& offsets, Summary which) const;

  Parameter& words() const;  // the table of word embeddings (V, E)

  // Linear layers of the encoder in 8 bits, for inference at `place` (nn/place.h); before weights
  // are moved there.
  void quantize(const Place& place);
  // Lays weights out for inference, about as large again; repeat after changing weights.
  void pack();
  void unpack();  // before training
};

// Mean of every sequence's rows: (N, C) → (B, C). Raises Error for an empty sequence.
Tensor mean_rows(const Tensor& hidden, const Tensor& offsets);

}  // namespace ink
