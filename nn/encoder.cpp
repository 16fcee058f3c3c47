// Attention, feed-forward and their stack.
#include "nn/encoder.h"

namespace ink {
namespace {

// Streams of randomness inside a layer.
enum Stream : uint64_t { kProbabilities, kAttentionOutput, kLayerOutput };

}  // namespace

SelfAttention::SelfAttention(const Scope& scope, const BertConfig& c, int64_t heads_)
    : heads(heads_),
      probability_dropout(c.attention_probs_dropout_prob),
      output_dropout(c.hidden_dropout_prob),
      query(scope / "self" / "query", c.hidden_size, heads * c.head_size, c.initializer_range),
      key(scope / "self" / "key", c.hidden_size, heads * c.head_size, c.initializer_range),
      value(scope / "self" / "value", c.hidden_size, heads * c.head_size, c.initializer_range),
      output(scope / "output" / "dense", heads * c.head_size, c.hidden_size, c.initializer_range),
      norm(scope / "output" / "LayerNorm", c.hidden_size, c.layer_norm_eps) {}

Tensor SelfAttention::operator()(const Tensor& x, const Tensor& offsets, const Random* random,
                                 AttentionInputs* inputs) const {
  const Tensor q = query(x), k = key(x), v = value(x);  // (N, H·D)
  if (inputs) *inputs = {q, k, v};
  Tensor mixed = v;  // without heads it is (N, 0), and the output is its bias
  if (heads > 0) {
    const Random stream = random ? random->split(kProbabilities) : Random(0);
    mixed = attention(q, k, v, offsets,
                      {.heads = heads,
                       .dropout = random ? probability_dropout : 0,
                       .random = random ? &stream : nullptr});
  }
  return norm(dropout_if(random, output(mixed), output_dropout, kAttentionOutput), x);
}

EncoderLayer::EncoderLayer(const Scope& scope, const BertConfig& c, int64_t heads, int64_t ffn)
    : attention(scope / "attention", c, heads),
      intermediate(scope / "intermediate" / "dense", c.hidden_size, ffn, c.initializer_range),
      output(scope / "output" / "dense", ffn, c.hidden_size, c.initializer_range),
      norm(scope / "output" / "LayerNorm", c.hidden_size, c.layer_norm_eps),
      activation(c.hidden_act),
      output_dropout(c.hidden_dropout_prob) {}

Tensor EncoderLayer::operator()(const Tensor& x, const Tensor& offsets, const Random* random,
                                AttentionInputs* inputs) const {
  const Tensor y = attention(x, offsets, random, inputs);  // (N, C)
  const Tensor z = output(intermediate(y, activation));    // (N, C)
  return norm(dropout_if(random, z, output_dropout, kLayerOutput), y);
}

Encoder::Encoder(const Scope& scope, const BertConfig& c) {
  layers.reserve(c.heads_per_layer.size());
  for (size_t i = 0; i < c.heads_per_layer.size(); ++i)
    layers.emplace_back(scope / "layer" / static_cast<int64_t>(i), c, c.heads_per_layer[i],
                        c.ffn_per_layer[i]);
}

Encoded Encoder::operator()(const Tensor& embedded, const Tensor& offsets,
                            const EncoderOptions& options) const {
  check(!(options.run_layer && options.attention_inputs),
        "encoder: attention inputs are not kept by a layer runner");
  Encoded result;
  Tensor x = embedded;
  if (options.all_hidden) result.all_hidden.push_back(x);
  for (size_t i = 0; i < layers.size(); ++i) {
    AttentionInputs inputs;
    // Everything is captured by value: a layer that is run again during backward must find its
    // inputs.
    const auto run = [&layer = layers[i], x, offsets,
                      random = options.random ? *options.random : Random(0),
                      training = options.random != nullptr, i](AttentionInputs* keep) {
      const Random stream = random.split(i);
      return layer(x, offsets, training ? &stream : nullptr, keep);
    };
    x = options.run_layer ? options.run_layer([run] { return run(nullptr); })
                          : run(options.attention_inputs ? &inputs : nullptr);
    if (options.all_hidden) result.all_hidden.push_back(x);
    if (options.attention_inputs) result.attention.push_back(std::move(inputs));
  }
  result.hidden = std::move(x);
  return result;
}

namespace {

template <class F>
void for_each_linear(Encoder& encoder, const F& f) {
  for (EncoderLayer& layer : encoder.layers) {
    for (Linear* linear : {&layer.attention.query, &layer.attention.key, &layer.attention.value,
                           &layer.attention.output, &layer.intermediate, &layer.output}) {
      f(*linear);
    }
  }
}

}  // namespace

void Encoder::pack() {
  for_each_linear(*this, [](Linear& linear) { linear.packed.pack(linear.weight); });
}

void Encoder::unpack() {
  for_each_linear(*this, [](Linear& linear) { linear.packed.clear(); });
}

}  // namespace ink
