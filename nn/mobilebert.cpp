// MobileBERT: bottlenecks, trigram embeddings.
#include "nn/mobilebert.h"

#include "nn/bert_body.h"

namespace ink {
namespace {

constexpr double kTorchEpsilon = 1e-5;  // of the layer norms that are made without config.json's

std::optional<NormedLinear> bottleneck(const Scope& scope, const ModelConfig& c, bool wanted) {
  if (!wanted) return std::nullopt;
  return NormedLinear(scope, c, c.hidden_size, c.bottlenecks.intra_bottleneck_size,
                      c.layer_norm_eps);
}

// Rows of x (N, E) before (step −1) or behind (step 1) each token of its sequence, 0 where there is
// none.
Tensor neighbours(const Tensor& x, const Tensor& offsets, int32_t step) {
  const int64_t N = x.dim(0), B = offsets.dim(0) - 1;
  Tensor rows(Shape{N}, Dtype::i32);
  const int32_t* at = offsets.data<int32_t>();
  for (int64_t b = 0; b < B; ++b) {
    for (int32_t n = at[b]; n < at[b + 1]; ++n) {
      const int32_t other = n + step;
      const bool inside = other >= at[b] && other < at[b + 1];
      rows.data<int32_t>()[n] = inside ? other : static_cast<int32_t>(N);
    }
  }
  return gather_rows(concat({x, zeros({1, x.dim(1)}, x.dtype(), x.device())}, 0), rows);
}

}  // namespace

// ── parts ───────────────────────────────────────────────────────────────────────────────────────

MobileNorm::MobileNorm(const Scope& scope, const ModelConfig& c, int64_t channels, double epsilon_)
    : weight(scope.param("weight", {channels}, Initial::ones())),
      bias(scope.param("bias", {channels}, Initial::zeros())) {
  if (c.bottlenecks.layer_norm) epsilon = epsilon_;
}

Tensor MobileNorm::operator()(const Tensor& x) const {
  if (epsilon) return layer_norm(x, weight.value, bias.value, *epsilon);
  return add(multiply(x, weight.value), bias.value);
}

Tensor MobileNorm::operator()(const Tensor& x, const Tensor& residual) const {
  if (epsilon) return residual_layer_norm(x, residual, weight.value, bias.value, *epsilon);
  return (*this)(add(x, residual));
}

NormedLinear::NormedLinear(const Scope& scope, const ModelConfig& c, int64_t in, int64_t out,
                           double epsilon)
    : dense(scope / "dense", in, out, c.initializer_range),
      norm(scope / "LayerNorm", c, out, epsilon) {}

// ── layer ───────────────────────────────────────────────────────────────────────────────────────

MobileBertLayer::MobileBertLayer(const Scope& scope, const ModelConfig& c, int64_t heads_,
                                 int64_t ffn)
    : narrow(bottleneck(scope / "bottleneck.input", c, c.bottlenecks.use_bottleneck)),
      narrow_shared(bottleneck(scope / "bottleneck.attention", c,
                               c.bottlenecks.use_bottleneck && c.bottlenecks.key_query_shared)),
      heads(heads_),
      values_narrow(c.bottlenecks.attention_bottleneck),
      probability_dropout(c.attention_probs_dropout_prob),
      output_dropout(c.hidden_dropout_prob),
      query(scope / "attention.self.query", c.attention_channels(), heads * c.head_size,
            c.initializer_range),
      key(scope / "attention.self.key", c.attention_channels(), heads * c.head_size,
          c.initializer_range),
      value(scope / "attention.self.value", values_narrow ? c.attention_channels() : c.hidden_size,
            heads * c.head_size, c.initializer_range),
      attention_output(scope / "attention.output", c, heads * c.head_size, c.attention_channels(),
                       c.layer_norm_eps),
      activation(c.hidden_act) {
  const Bottlenecks& b = c.bottlenecks;
  check(!b.use_bottleneck || b.key_query_shared || b.attention_bottleneck ||
            b.intra_bottleneck_size == c.hidden_size,
        "config: without key_query_shared_bottleneck and use_bottleneck_attention, "
        "intra_bottleneck_size should be hidden_size ",
        c.hidden_size, ", got ", b.intra_bottleneck_size);
  const int64_t channels = c.attention_channels(), last = b.feedforward_networks - 1;
  for (int64_t i = 0; i <= last; ++i) {
    const Scope network = i < last ? scope / "ffn" / i : scope;
    intermediates.emplace_back(network / "intermediate.dense", channels, ffn, c.initializer_range);
    outputs.emplace_back(network / "output", c, ffn, channels,
                         i < last ? c.layer_norm_eps : kTorchEpsilon);
  }
  if (b.use_bottleneck)
    widen.emplace(scope / "output.bottleneck", c, channels, c.hidden_size, c.layer_norm_eps);
}

Tensor MobileBertLayer::attend(const Tensor& h, const Tensor& l, const Tensor& offsets,
                               const Random* random, AttentionInputs* inputs,
                               const LayerGates* gates) const {
  Tensor shared = h;  // what queries and keys read
  if (values_narrow)
    shared = l;
  else if (narrow_shared)
    shared = narrow_shared->norm(narrow_shared->dense(h));
  const Tensor q = query(shared), k = key(shared), v = value(values_narrow ? l : h);
  if (inputs) *inputs = {q, k, v};
  const Random stream = random ? random->split("probabilities") : Random(0);
  const Tensor mixed = attention(q, k, v, offsets,
                                 {.heads = heads,
                                  .dropout = random ? probability_dropout : 0,
                                  .random = random ? &stream : nullptr});
  Tensor out = attention_output.dense(gated_heads(mixed, heads, offsets, gates));
  if (!widen) out = dropout_if(random, out, output_dropout, "attention output");
  return attention_output.norm(out, l);
}

Tensor MobileBertLayer::operator()(const Tensor& h, const Tensor& offsets, const Random* random,
                                   AttentionInputs* inputs, const LayerGates* gates) const {
  const Tensor l = narrow ? narrow->norm(narrow->dense(h)) : h;  // (N, B)
  Tensor y = attend(h, l, offsets, random, inputs, gates);
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor out = outputs[i].dense(
        gated_neurons(intermediates[i], y, activation, offsets, gates, static_cast<int64_t>(i)));
    const bool last = i + 1 == outputs.size();
    if (last && !widen) out = dropout_if(random, out, output_dropout, "layer output");
    y = outputs[i].norm(out, y);
  }
  if (!widen) return y;
  return widen->norm(dropout_if(random, widen->dense(y), output_dropout, "layer output"), h);
}

// ── body ────────────────────────────────────────────────────────────────────────────────────────

MobileBertBody::MobileBertBody(const Scope& scope, const ModelConfig& c, bool with_pooler)
    : word(scope / c.family->embeddings.word, c.vocab_size, c.embedding_channels(),
           c.initializer_range),
      position(scope / c.family->embeddings.position, c.max_position_embeddings, c.hidden_size,
               c.initializer_range),
      segment(scope / c.family->embeddings.segment, c.type_vocab_size, c.hidden_size,
              c.initializer_range),
      transformation(scope / c.family->embeddings.projection,
                     (c.bottlenecks.trigram_input ? 3 : 1) * c.embedding_channels(), c.hidden_size,
                     c.initializer_range),
      norm(scope / c.family->embeddings.norm, c, c.hidden_size, kTorchEpsilon),
      trigram(c.bottlenecks.trigram_input),
      pools_first_token(!c.bottlenecks.classifier_activation),
      longest(c.longest()),
      embedding_dropout(c.hidden_dropout_prob) {
  layers.reserve(c.heads_per_layer.size());
  for (size_t i = 0; i < c.heads_per_layer.size(); ++i)
    layers.emplace_back(scope / c.family->layers / static_cast<int64_t>(i), c, c.heads_per_layer[i],
                        c.ffn_per_layer[i]);
  if (with_pooler && !pools_first_token)
    pooler.emplace(scope / c.family->pooler, c.hidden_size, c.hidden_size, c.initializer_range);
}

Tensor MobileBertBody::embed(const Packed& batch, const Random* random) const {
  Tensor x = word(batch.ids);  // (N, E)
  if (trigram)
    x = concat({neighbours(x, batch.offsets, 1), x, neighbours(x, batch.offsets, -1)}, 1);
  if (trigram || x.dim(1) != position.table.value.dim(1)) x = transformation(x);
  x = norm(add(add(x, position(batch.positions)), segment(batch.segments)));
  return dropout_if(random, x, embedding_dropout, "embeddings");
}

Encoded MobileBertBody::operator()(const Packed& batch, const EncoderOptions& options) const {
  check_packed("model", batch, longest);
  return run_layers(embed(batch, options.random), layers.size(), options,
                    [this, gates = options.gates, offsets = batch.offsets](
                        size_t i, const Tensor& x, const Random* random, AttentionInputs* keep) {
                      return layers[i](x, offsets, random, keep, gates_of(gates, i, layers.size()));
                    });
}

Tensor MobileBertBody::pool(const Tensor& hidden, const Tensor& offsets) const {
  Tensor first = gather_rows(hidden, first_rows(offsets));
  if (pools_first_token) return first;
  check(pooler.has_value(), "model: it has no pooler");
  return (*pooler)(first, Activation::tanh);
}

namespace {

template <class F>
void for_each_linear_of_layers(MobileBertBody& body, const F& f) {
  for (MobileBertLayer& layer : body.layers) {
    for (auto* part : {&layer.narrow, &layer.narrow_shared, &layer.widen})
      if (*part) f((*part)->dense);
    for (Linear* linear : {&layer.query, &layer.key, &layer.value, &layer.attention_output.dense})
      f(*linear);
    for (Linear& linear : layer.intermediates) f(linear);
    for (NormedLinear& output : layer.outputs) f(output.dense);
  }
}

template <class F>
void for_each_linear(MobileBertBody& body, const F& f) {
  f(body.transformation);
  if (body.pooler) f(*body.pooler);
  for_each_linear_of_layers(body, f);
}

}  // namespace

void MobileBertBody::quantize(const Place& place) {
  for_each_linear_of_layers(*this, [&](Linear& linear) { linear.quantize(place); });
}

void MobileBertBody::pack() {
  for_each_linear(*this, [](Linear& linear) { linear.pack(); });
}

void MobileBertBody::unpack() {
  for_each_linear(*this, [](Linear& linear) { linear.unpack(); });
}

}  // namespace ink
