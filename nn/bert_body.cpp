// Embeddings, encoder, pooler.
#include "nn/bert_body.h"

namespace ink {

BertBody::BertBody(const Scope& scope, const ModelConfig& c, bool with_pooler)
    : word(scope / c.family->embeddings.word, c.vocab_size, c.embedding_channels(),
           c.initializer_range),
      position(scope / c.family->embeddings.position, c.max_position_embeddings,
               c.embedding_channels(), c.initializer_range),
      norm(scope / c.family->embeddings.norm, c.embedding_channels(), c.layer_norm_eps),
      encoder(scope, c),
      first_position(c.positions_after_padding ? c.pad_token_id + 1 : 0),
      longest(c.longest()),
      embedding_dropout(c.hidden_dropout_prob) {
  check(longest >= 1, "config: max_position_embeddings ", c.max_position_embeddings,
        " leaves no room behind the padding id ", c.pad_token_id);
  const EmbeddingNames& names = c.family->embeddings;
  if (names.segment)
    segment.emplace(scope / names.segment, c.type_vocab_size, c.embedding_channels(),
                    c.initializer_range);
  // ALBERT projects always, ELECTRA only where the sizes differ.
  if (names.projection && (c.shared.groups > 0 || c.embedding_channels() != c.hidden_size))
    projection.emplace(scope / names.projection, c.embedding_channels(), c.hidden_size,
                       c.initializer_range);
  if (with_pooler)
    pooler.emplace(scope / c.family->pooler, c.hidden_size, c.hidden_size, c.initializer_range);
}

Tensor BertBody::embed(const Packed& batch, const Random* random) const {
  Tensor x = word(batch.ids);  // (N, E)
  if (segment) x = add(x, (*segment)(batch.segments));
  const Tensor places = slice(position.table.value, 0, first_position, first_position + longest);
  x = dropout_if(random, norm(x, embedding(places, batch.positions)), embedding_dropout,
                 "embeddings");
  return projection ? (*projection)(x) : x;  // (N, C)
}

Encoded BertBody::operator()(const Packed& batch, const EncoderOptions& options) const {
  check_packed("model", batch, longest);
  return encoder(embed(batch, options.random), batch.offsets, options);
}

Tensor BertBody::pool(const Tensor& hidden, const Tensor& offsets) const {
  check(pooler.has_value(), "model: it has no pooler");
  return (*pooler)(gather_rows(hidden, first_rows(offsets)), Activation::tanh);
}

void BertBody::pack() {
  encoder.pack();
  if (projection) projection->pack();
  if (pooler) pooler->pack();
}

void BertBody::unpack() {
  encoder.unpack();
  if (projection) projection->unpack();
  if (pooler) pooler->unpack();
}

namespace {

// Row of a token of every sequence: its first, or its last.
Tensor rows_at(const Tensor& offsets, bool last) {
  const int64_t B = offsets.dim(0) - 1;
  Tensor rows(Shape{B}, Dtype::i32);
  const int32_t* in = offsets.data<int32_t>();
  for (int64_t b = 0; b < B; ++b) {
    check(in[b] < in[b + 1], "model: sequence ", b, " is empty, expected at least one token");
    rows.data<int32_t>()[b] = last ? in[b + 1] - 1 : in[b];
  }
  return rows;
}

}  // namespace

Tensor first_rows(const Tensor& offsets) { return rows_at(offsets, false); }
Tensor last_rows(const Tensor& offsets) { return rows_at(offsets, true); }

}  // namespace ink
