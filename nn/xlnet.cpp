// XLNet: relative attention and its two streams.
#include "nn/xlnet.h"

#include <algorithm>
#include <cmath>

#include "nn/ragged.h"

namespace ink {
namespace {

// (T, H·D) → (H, T, D)
Tensor by_heads(const Tensor& x, int64_t heads) {
  return transpose(reshape(x, {x.dim(0), heads, x.dim(1) / heads}), 0, 1);
}

// x (H, T, 2T − 1), a column for each distance from T − 1 down to −(T − 1) → (H, T, T), a column
// for each token: row i begins T − 1 − i columns further on. Rows of 2T − 2 of the same numbers do
// that.
Tensor shifted(const Tensor& x) {
  const int64_t H = x.dim(0), T = x.dim(1);
  if (T == 1) return x;
  const Tensor flat = reshape(x, {H, T * (2 * T - 1)});
  const Tensor rows = slice(flat, 1, T - 1, T - 1 + T * (2 * T - 2));
  return slice(reshape(rows, {H, T, 2 * T - 2}), 2, 0, T);
}

// For each sequence (T, T): 1 where two tokens are of different segments.
std::vector<Tensor> differences(const Packed& batch, const Tensor& table) {
  std::vector<Tensor> all;
  const int32_t* at = batch.offsets.data<int32_t>();
  for (int64_t b = 0; b < batch.sequences(); ++b) {
    const int64_t T = at[b + 1] - at[b];
    const int32_t* s = batch.segments.data<int32_t>() + at[b];
    Tensor different(Shape{T, T});
    for (int64_t i = 0; i < T; ++i)
      for (int64_t j = 0; j < T; ++j) different.data<float>()[i * T + j] = s[i] != s[j] ? 1 : 0;
    all.push_back(like(table, different));
  }
  return all;
}

// What to add to scores: 0 where visible is 1, else a number whose exponential is 0. With `self`,
// tokens see themselves.
Tensor mask_from(const Tensor& visible, bool self) {
  const int64_t T = visible.dim(0);
  Tensor mask(visible.shape());
  for (int64_t i = 0; i < T; ++i) {
    for (int64_t j = 0; j < T; ++j) {
      const bool seen = i == j ? self : visible.data<float>()[i * T + j] != 0;
      mask.data<float>()[i * T + j] = seen ? 0 : static_cast<float>(kNever);
    }
  }
  return mask;
}

}  // namespace

// ── attention ───────────────────────────────────────────────────────────────────────────────────

RelativeSelfAttention::RelativeSelfAttention(const Scope& scope, const ModelConfig& c,
                                             int64_t heads_)
    : heads(heads_),
      head_size(c.head_size),
      dropout(c.hidden_dropout_prob),
      query(scope.param("q", {c.hidden_size, heads, head_size},
                        Initial::normal(c.initializer_range))),
      key(scope.param("k", query.value.shape(), Initial::normal(c.initializer_range))),
      value(scope.param("v", query.value.shape(), Initial::normal(c.initializer_range))),
      output(scope.param("o", query.value.shape(), Initial::normal(c.initializer_range))),
      place(scope.param("r", query.value.shape(), Initial::normal(c.initializer_range))),
      content_bias(scope.param("r_w_bias", {heads, head_size}, Initial::zeros())),
      place_bias(scope.param("r_r_bias", {heads, head_size}, Initial::zeros())),
      segment_bias(scope.param("r_s_bias", {heads, head_size}, Initial::zeros())),
      segments(
          scope.param("seg_embed", {2, heads, head_size}, Initial::normal(c.initializer_range))),
      norm(scope / "layer_norm", c.hidden_size, c.layer_norm_eps) {}

// q, k, v (T, H·D), r (2T − 1, H·D) → (T, H·D)
Tensor RelativeSelfAttention::one_sequence(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Tensor& r, const Tensor& different,
                                           const Tensor& mask, const Random* random) const {
  const int64_t T = q.dim(0), H = heads, D = head_size;
  const auto with = [&](const Parameter& bias) {
    return by_heads(add(q, reshape(bias.value, {H * D})), H);  // (H, T, D)
  };
  const Tensor content = matmul(with(content_bias), by_heads(k, H), false, true);
  const Tensor places = shifted(matmul(with(place_bias), by_heads(r, H), false, true));
  const Tensor pair = matmul(with(segment_bias), transpose(segments.value, 0, 1), false, true);
  const Tensor same = slice(pair, 2, 0, 1), other = slice(pair, 2, 1, 2);  // (H, T, 1)
  const Tensor segment_term = add(same, multiply(subtract(other, same), different));
  Tensor scores = scale(add(add(content, places), segment_term),
                        1 / std::sqrt(static_cast<double>(D)));  // (H, T, T)
  if (mask) scores = add(scores, like(q, mask));
  const Tensor p = dropout_if(random, softmax(scores), dropout, "probabilities");
  return reshape(contiguous(transpose(matmul(p, by_heads(v, H)), 0, 1)), {T, H * D});
}

Tensor RelativeSelfAttention::operator()(const Tensor& x, const Tensor& seen,
                                         const RelativeContext& context, const Random* random,
                                         AttentionInputs* inputs, const LayerGates* gates) const {
  const int64_t C = x.dim(1), HD = heads * head_size;
  const auto matrix = [&](const Parameter& p) { return reshape(p.value, {C, HD}); };
  const auto project = [&](const Tensor& t, const Parameter& p, const Int8Weight& w) {
    return w ? int8_linear(t, w, Tensor()) : matmul(t, matrix(p));  // (N, H·D)
  };
  const Tensor q = project(x, query, quantized.query), k = project(seen, key, quantized.key),
               v = project(seen, value, quantized.value);
  const Tensor r = matmul(context.distances, matrix(place));  // (2T − 1, H·D)
  if (inputs) *inputs = {q, k, v};
  const int32_t* at = context.batch.offsets.data<int32_t>();
  const int64_t longest = (context.distances.dim(0) + 1) / 2;
  std::vector<Tensor> sequences;
  for (int64_t b = 0; b < context.batch.sequences(); ++b) {
    const int64_t begin = at[b], end = at[b + 1], T = end - begin;
    if (T == 0) continue;
    const auto rows = [&](const Tensor& t) { return slice(t, 0, begin, end); };
    const auto index = static_cast<size_t>(b);
    const Random stream = random ? random->split("probabilities").split(index) : Random(0);
    sequences.push_back(one_sequence(
        rows(q), rows(k), rows(v), slice(r, 0, longest - T, longest + T - 1),
        context.differences[index], context.masks.empty() ? Tensor() : context.masks[index],
        random ? &stream : nullptr));
  }
  const Tensor mixed = sequences.empty() ? q : concat(sequences, 0);
  const Tensor gated = gated_heads(mixed, heads, context.batch.offsets, gates);
  const Tensor out = quantized.output ? int8_linear(gated, quantized.output, Tensor())
                                      : matmul(gated, matrix(output), false, true);  // (N, C)
  return norm.of_dropped(random, out, dropout, "attention output", x);
}

void RelativeSelfAttention::quantize(Device device) {
  const auto take = [&](Parameter& p, Int8Weight& w, bool transposed) {
    if (p.quantized) return;
    const Tensor matrix = reshape(on_host(p.value), {p.value.dim(0), heads * head_size});
    w = ink::quantize(p, transposed ? transpose(matrix, 0, 1) : matrix, device);
  };
  take(query, quantized.query, true);
  take(key, quantized.key, true);
  take(value, quantized.value, true);
  take(output, quantized.output, false);
}

// ── layer ───────────────────────────────────────────────────────────────────────────────────────

XlnetLayer::XlnetLayer(const Scope& scope, const ModelConfig& c, int64_t heads, int64_t ffn)
    : attention(scope / "rel_attn", c, heads),
      inner(scope / "ff.layer_1", c.hidden_size, ffn, c.initializer_range),
      outer(scope / "ff.layer_2", ffn, c.hidden_size, c.initializer_range),
      norm(scope / "ff.layer_norm", c.hidden_size, c.layer_norm_eps),
      activation(c.hidden_act),
      dropout(c.hidden_dropout_prob) {}

Tensor XlnetLayer::operator()(const Tensor& x, const Tensor& seen, const RelativeContext& context,
                              const Random* random, AttentionInputs* inputs,
                              const LayerGates* gates) const {
  const Tensor y = attention(x, seen, context, random, inputs, gates);
  const Tensor a = gated_neurons(inner, y, activation, context.batch.offsets, gates);
  const Tensor z = outer(dropout_if(random, a, dropout, "inner"));
  return norm.of_dropped(random, z, dropout, "layer output", y);
}

// ── body ────────────────────────────────────────────────────────────────────────────────────────

XlnetBody::XlnetBody(const Scope& scope, const ModelConfig& c)
    : word(scope / c.family->embeddings.word, c.vocab_size, c.hidden_size, c.initializer_range),
      query_seed(
          scope.param("mask_emb", {1, 1, c.hidden_size}, Initial::normal(c.initializer_range))),
      longest(c.longest()),
      dropout(c.hidden_dropout_prob),
      relative(c.relative) {
  layers.reserve(c.heads_per_layer.size());
  for (size_t i = 0; i < c.heads_per_layer.size(); ++i)
    layers.emplace_back(scope / c.family->layers / static_cast<int64_t>(i), c, c.heads_per_layer[i],
                        c.ffn_per_layer[i]);
}

// R: row T − 1 − d holds [sin(d·f_0) … sin(d·f_{C/2−1}) cos(d·f_0) …], f_t = 10000^(−2t/C).
Tensor XlnetBody::distances(const Packed& batch, const Random* random) const {
  const Tensor& table = word.table.value;
  const int64_t C = table.dim(1), T = std::max<int64_t>(1, rectangle(batch.offsets).dim(1));
  Tensor r(Shape{2 * T - 1, C}, Dtype::f64);
  for (int64_t row = 0; row < 2 * T - 1; ++row) {
    int64_t d = T - 1 - row;
    if (relative.clamp_len > 0) d = std::clamp(d, -relative.clamp_len, relative.clamp_len);
    for (int64_t t = 0; t < C / 2; ++t) {
      const double angle = static_cast<double>(d) *
                           std::pow(1e4, -2.0 * static_cast<double>(t) / static_cast<double>(C));
      r.data<double>()[row * C + t] = std::sin(angle);
      r.data<double>()[row * C + C / 2 + t] = std::cos(angle);
    }
  }
  return dropout_if(random, like(table, r), dropout, "distances");
}

Encoded XlnetBody::operator()(const Packed& batch, const EncoderOptions& options) const {
  check_packed("model", batch, longest);
  const Random* random = options.random;
  const Tensor embedded = dropout_if(random, word(batch.ids), dropout, "embeddings");
  Encoded encoded =
      run_layers(embedded, layers.size(), options,
                 [this, batch, gates = options.gates, r = distances(batch, random),
                  different = differences(batch, word.table.value)](
                     size_t i, const Tensor& x, const Random* drop, AttentionInputs* keep) {
                   return layers[i](x, x, {batch, different, r, {}}, drop, keep,
                                    gates_of(gates, i, layers.size()));
                 });
  encoded.hidden = dropout_if(random, encoded.hidden, dropout, "output");
  return encoded;
}

XlnetStreams XlnetBody::two_streams(const Packed& batch, const std::vector<Tensor>& visible,
                                    const Random* random) const {
  check_packed("model", batch, longest);
  check(static_cast<int64_t>(visible.size()) == batch.sequences(), "xlnet: expected one table of ",
        "visible tokens for each of ", batch.sequences(), " sequences, got ", visible.size());
  const int64_t N = batch.tokens(), C = word.table.value.dim(1);
  const Tensor r = distances(batch, random);
  RelativeContext content{batch, differences(batch, word.table.value), r, {}}, query = content;
  const int32_t* at = batch.offsets.data<int32_t>();
  for (size_t b = 0; b < visible.size(); ++b) {
    const int64_t T = at[b + 1] - at[b];
    check(visible[b].shape() == Shape{T, T}, "xlnet: sequence ", b, " has ", T,
          " tokens; expected a table of that size squared, got ", visible[b].shape());
    content.masks.push_back(mask_from(visible[b], true));
    query.masks.push_back(mask_from(visible[b], false));
  }
  Tensor h = dropout_if(random, word(batch.ids), dropout, "embeddings");
  Tensor g = expand(reshape(query_seed.value, {1, C}), {N, C});
  g = dropout_if(random, g, dropout, "query");
  for (size_t i = 0; i < layers.size(); ++i) {
    const Random stream = random ? random->split("layers").split(i) : Random(0);
    const Random of_query = stream.split("query");
    const Tensor seen = h;
    h = layers[i](seen, seen, content, random ? &stream : nullptr);
    g = layers[i](g, seen, query, random ? &of_query : nullptr);
  }
  return {dropout_if(random, h, dropout, "output"), dropout_if(random, g, dropout, "query output")};
}

Tensor XlnetBody::pool(const Tensor&, const Tensor&) const {
  fail("model: xlnet has no pooler; its classifier reads the last token");
}

namespace {

template <class F>
void for_each_linear(XlnetBody& body, const F& f) {
  for (XlnetLayer& layer : body.layers) {
    f(layer.inner);
    f(layer.outer);
  }
}

}  // namespace

void XlnetBody::quantize(const Place& place) {
  for (XlnetLayer& layer : layers) layer.attention.quantize(place.device);
  for_each_linear(*this, [&](Linear& linear) { linear.quantize(place); });
}

void XlnetBody::pack() {
  for_each_linear(*this, [](Linear& linear) { linear.pack(); });
}

void XlnetBody::unpack() {
  for_each_linear(*this, [](Linear& linear) { linear.unpack(); });
}

}  // namespace ink
