// Embeddings, encoder, pooler.
#include "nn/bert.h"

namespace ink {
namespace {

// Streams of randomness in the body. Heads use streams of their own (nn/heads.cpp).
enum Stream : uint64_t { kEmbeddings, kEncoder };

}  // namespace

BertModel::BertModel(const Scope& scope, const BertConfig& c, bool with_pooler)
    : word(scope / "embeddings" / "word_embeddings", c.vocab_size, c.hidden_size,
           c.initializer_range),
      position(scope / "embeddings" / "position_embeddings", c.max_position_embeddings,
               c.hidden_size, c.initializer_range),
      segment(scope / "embeddings" / "token_type_embeddings", c.type_vocab_size, c.hidden_size,
              c.initializer_range),
      norm(scope / "embeddings" / "LayerNorm", c.hidden_size, c.layer_norm_eps),
      encoder(scope / "encoder", c),
      longest(c.max_position_embeddings),
      embedding_dropout(c.hidden_dropout_prob) {
  if (with_pooler)
    pooler.emplace(scope / "pooler" / "dense", c.hidden_size, c.hidden_size, c.initializer_range);
}

Encoded BertModel::operator()(const Packed& batch, const EncoderOptions& options) const {
  check_packed("bert", batch, longest);
  const Tensor tokens = add(word(batch.ids), segment(batch.segments));  // (N, C)
  const Tensor embedded = dropout_if(options.random, norm(tokens, position(batch.positions)),
                                     embedding_dropout, kEmbeddings);  // (N, C)
  EncoderOptions inner = options;
  const Random stream = options.random ? options.random->split(kEncoder) : Random(0);
  if (options.random) inner.random = &stream;
  return encoder(embedded, batch.offsets, inner);
}

Tensor BertModel::pool(const Tensor& hidden, const Tensor& offsets) const {
  check(pooler.has_value(), "bert: this model has no pooler");
  return (*pooler)(gather_rows(hidden, first_rows(offsets)), Activation::tanh);
}

void BertModel::pack() {
  encoder.pack();
  if (pooler) pooler->packed.pack(pooler->weight);
}

void BertModel::unpack() {
  encoder.unpack();
  if (pooler) pooler->packed.clear();
}

Tensor first_rows(const Tensor& offsets) {
  const int64_t B = offsets.dim(0) - 1;
  Tensor rows(Shape{B}, Dtype::i32);
  const int32_t* in = offsets.data<int32_t>();
  for (int64_t b = 0; b < B; ++b) {
    check(in[b] < in[b + 1], "bert: sequence ", b, " is empty, expected at least one token");
    rows.data<int32_t>()[b] = in[b];
  }
  return rows;
}

}  // namespace ink
