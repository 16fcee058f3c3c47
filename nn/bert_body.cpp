// Embeddings, encoder, pooler.
#include "nn/bert_body.h"

#include <algorithm>
#include <span>

namespace ink {

BertBody::BertBody(const Scope& scope, const ModelConfig& c, bool with_pooler)
    : word(scope / c.family->embeddings.word, c.vocab_size, c.embedding_channels(),
           c.initializer_range),
      position(scope / c.family->embeddings.position, c.max_position_embeddings,
               c.embedding_channels(), c.initializer_range),
      norm(scope / c.family->embeddings.norm, c.embedding_channels(), c.layer_norm_eps),
      encoder(scope, c),
      first_position(c.positions_after_padding ? c.pad_token_id + 1 : 0),
      padding(c.positions_after_padding && c.pad_token_id >= 0 ? std::optional(c.pad_token_id)
                                                               : std::nullopt),
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

namespace {

// Positions from the row of padding on: 0 for padding that a text spells out ("<pad>"), for every
// other token one more than it has of these before it.
Tensor positions_without(int32_t padding, const Packed& batch) {
  Tensor places(batch.ids.shape(), Dtype::i32);
  const int32_t *ids = batch.ids.data<int32_t>(), *positions = batch.positions.data<int32_t>(),
                *offsets = batch.offsets.data<int32_t>();
  for (int64_t b = 0; b < batch.sequences(); ++b) {
    int32_t passed_over = 0;
    for (int32_t i = offsets[b]; i < offsets[b + 1]; ++i) {
      const bool pad = ids[i] == padding;
      places.data<int32_t>()[i] = pad ? 0 : positions[i] + 1 - passed_over;
      passed_over += pad;
    }
  }
  return places;
}

bool holds(const Tensor& ids, int64_t id) {
  const std::span all(ids.data<int32_t>(), static_cast<size_t>(ids.size()));
  return std::ranges::any_of(all, [&](int32_t i) { return i == id; });
}

}  // namespace

bool BertBody::spells_padding(const Packed& batch) const {
  return padding && holds(batch.ids, *padding);
}

Tensor BertBody::position_rows(const Packed& batch) const {
  const Tensor& table = position.table.value;
  const int64_t end = first_position + longest;
  if (spells_padding(batch))
    return embedding(slice(table, 0, *padding, end),
                     positions_without(static_cast<int32_t>(*padding), batch));
  return embedding(slice(table, 0, first_position, end), batch.positions);
}

Tensor BertBody::embed(const Packed& batch, const Random* random) const {
  Tensor x = word(batch.ids);  // (N, E)
  if (segment) x = add(x, (*segment)(batch.segments));
  x = dropout_if(random, norm(x, position_rows(batch)), embedding_dropout, "embeddings");
  return projection ? (*projection)(x) : x;  // (N, C)
}

Encoded BertBody::operator()(const Packed& batch, const EncoderOptions& options) const {
  check_packed("model", batch, longest);
  Tensor x = embed(batch, options.random);
  if (options.stream) x = gated_channels(x, batch.offsets, options.stream->channels);
  return encoder(x, batch.offsets, options);
}

Tensor BertBody::pool(const Tensor& hidden, const Tensor& offsets) const {
  check(pooler.has_value(), "model: it has no pooler");
  return (*pooler)(gather_rows(hidden, first_rows(offsets)), Activation::tanh);
}

void BertBody::quantize(const Place& place) { encoder.quantize(place); }

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

void expect_tokens(const Tensor& offsets) {
  const int32_t* at = offsets.data<int32_t>();
  for (int64_t b = 0; b + 1 < offsets.dim(0); ++b)
    check(at[b] < at[b + 1], "model: sequence ", b, " is empty, expected at least one token");
}

}  // namespace

// All offsets but the last: of the same memory, so that what the device has of it serves both.
Tensor first_rows(const Tensor& offsets) {
  expect_tokens(offsets);
  return view(offsets, {offsets.dim(0) - 1}, {1}, offsets.offset());
}

Tensor last_rows(const Tensor& offsets) {
  expect_tokens(offsets);
  Tensor rows(Shape{offsets.dim(0) - 1}, Dtype::i32);
  const int32_t* at = offsets.data<int32_t>();
  for (int64_t b = 0; b < rows.size(); ++b) rows.data<int32_t>()[b] = at[b + 1] - 1;
  return rows;
}

}  // namespace ink
