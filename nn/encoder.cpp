// Attention, feed-forward and their stack.
#include "nn/encoder.h"

#include <algorithm>

#include "tensor/op.h"

namespace ink {
SelfAttention::SelfAttention(const Scope& layer, const LayerNames& names, const ModelConfig& c,
                             int64_t heads_)
    : heads(heads_),
      probability_dropout(c.attention_probs_dropout_prob),
      output_dropout(c.hidden_dropout_prob),
      query(layer / names.query, c.hidden_size, heads * c.head_size, c.initializer_range),
      key(layer / names.key, c.hidden_size, heads * c.head_size, c.initializer_range),
      value(layer / names.value, c.hidden_size, heads * c.head_size, c.initializer_range),
      output(layer / names.attention_output, heads * c.head_size, c.hidden_size,
             c.initializer_range),
      norm(layer / names.attention_norm, c.hidden_size, c.layer_norm_eps) {}

Tensor SelfAttention::project(const Tensor& x) const {
  if (quantized) return quantized(x);
  if (joined && !Recorder::current) return joined(x);
  JoinedLinears now;
  now.join({&query, &key, &value});
  return now(x);
}

namespace {

// Queries, keys and values that lie side by side.
AttentionInputs parts_of(const Tensor& joined) {
  const int64_t C = joined.dim(1) / 3;
  return {slice(joined, 1, 0, C), slice(joined, 1, C, 2 * C), slice(joined, 1, 2 * C, 3 * C)};
}

}  // namespace

Tensor SelfAttention::attend(const Tensor& x, const Tensor& offsets, const Random* random,
                             AttentionInputs* inputs) const {
  const Random stream = random ? random->split("probabilities") : Random(0);
  const AttentionOptions options{.heads = heads,
                                 .dropout = random ? probability_dropout : 0,
                                 .random = random ? &stream : nullptr};
  if ((quantized || x.device() == Device::cuda) && heads > 0 && !inputs)
    return joined_attention(project(x), offsets, options);
  const auto [q, k, v] =
      quantized ? parts_of(project(x)) : AttentionInputs{query(x), key(x), value(x)};  // (N, H·D)
  if (inputs) *inputs = {q, k, v};
  return heads > 0 ? attention(q, k, v, offsets, options) : v;  // v is (N, 0) without heads
}

void SelfAttention::quantize(const Place& place) {
  quantized.quantize({&query, &key, &value}, place);
  output.quantize(place);
}

void SelfAttention::pack() {
  for (Linear* linear : {&query, &key, &value, &output}) linear->pack();
  joined.join({&query, &key, &value});
}

void SelfAttention::unpack() {
  for (Linear* linear : {&query, &key, &value, &output}) linear->unpack();
  joined.clear();
}

Tensor SelfAttention::operator()(const Tensor& x, const Tensor& offsets, const Random* random,
                                 AttentionInputs* inputs, const LayerGates* gates) const {
  Tensor mixed = attend(x, offsets, random, inputs);  // (N, H·D)
  if (heads > 0) mixed = gated_heads(mixed, heads, offsets, gates);
  const Tensor y = norm.of_dropped(random, output(mixed), output_dropout, "attention output", x);
  return gates ? gated_channels(y, offsets, gates->channels) : y;
}

EncoderLayer::EncoderLayer(const Scope& layer, const LayerNames& names, const ModelConfig& c,
                           int64_t heads, int64_t ffn)
    : attention(layer, names, c, heads),
      intermediate(layer / names.intermediate, c.hidden_size, ffn, c.initializer_range),
      output(layer / names.output, ffn, c.hidden_size, c.initializer_range),
      norm(layer / names.norm, c.hidden_size, c.layer_norm_eps),
      activation(c.hidden_act),
      output_dropout(c.hidden_dropout_prob) {}

Tensor EncoderLayer::operator()(const Tensor& x, const Tensor& offsets, const Random* random,
                                AttentionInputs* inputs, const LayerGates* gates) const {
  const Tensor y = attention(x, offsets, random, inputs, gates);                        // (N, C)
  const Tensor z = output(gated_neurons(intermediate, y, activation, offsets, gates));  // (N, C)
  const Tensor out = norm.of_dropped(random, z, output_dropout, "layer output", y);
  return gates ? gated_channels(out, offsets, gates->channels) : out;
}

void EncoderLayer::quantize(const Place& place) {
  attention.quantize(place);
  intermediate.quantize(place);
  output.quantize(place);
}

Encoder::Encoder(const Scope& body, const ModelConfig& c) {
  const Scope scope = body / c.family->layers;
  const LayerNames& names = c.family->layer;
  const auto L = static_cast<size_t>(c.layers());
  if (c.shared.groups == 0) {
    layers.reserve(L);
    for (size_t i = 0; i < L; ++i) {
      layers.emplace_back(scope / static_cast<int64_t>(i), names, c, c.heads_per_layer[i],
                          c.ffn_per_layer[i]);
      order.push_back(i);
    }
    return;
  }
  const auto G = static_cast<size_t>(c.shared.groups), inner = static_cast<size_t>(c.shared.inner);
  check(L == 0 || (std::ranges::count(c.heads_per_layer, c.heads_per_layer[0]) == c.layers() &&
                   std::ranges::count(c.ffn_per_layer, c.ffn_per_layer[0]) == c.layers()),
        "encoder: layers that share weights should be of one size");
  layers.reserve(G * inner);
  for (size_t i = 0; L > 0 && i < G * inner; ++i) {
    const Scope layer =
        scope / static_cast<int64_t>(i / inner) / "albert_layers" / static_cast<int64_t>(i % inner);
    layers.emplace_back(layer, names, c, c.heads_per_layer[0], c.ffn_per_layer[0]);
  }
  for (size_t i = 0; i < L; ++i) {
    const auto group = static_cast<size_t>(static_cast<double>(i) / (double(L) / double(G)));
    for (size_t j = 0; j < inner; ++j) order.push_back(group * inner + j);
  }
}

Encoded run_layers(const Tensor& embedded, size_t count, const EncoderOptions& options,
                   const LayerFunction& layer) {
  check(!(options.run_layer && options.attention_inputs),
        "encoder: attention inputs are not kept by a layer runner");
  Encoded result;
  Tensor x = embedded;
  if (options.all_hidden) result.all_hidden.push_back(x);
  for (size_t i = 0; i < count; ++i) {
    AttentionInputs inputs;
    // Everything is captured by value: a layer that is run again during backward must find its
    // inputs.
    const auto run = [layer, x, random = options.random ? *options.random : Random(0),
                      training = options.random != nullptr, i](AttentionInputs* keep) {
      const Random stream = random.split("layers").split(i);
      return layer(i, x, training ? &stream : nullptr, keep);
    };
    const Tensor made = options.run_layer ? options.run_layer([run] { return run(nullptr); })
                                          : run(options.attention_inputs ? &inputs : nullptr);
    x = gated_layer(x, made, options.stream, i);
    if (options.all_hidden) result.all_hidden.push_back(x);
    if (options.attention_inputs) result.attention.push_back(std::move(inputs));
  }
  result.hidden = std::move(x);
  return result;
}

const LayerGates* gates_of(const std::vector<LayerGates>* gates, size_t layer, size_t layers) {
  if (!gates) return nullptr;
  check(gates->size() == layers, "encoder: expected gates of ", layers, " layers, got ",
        gates->size());
  return &(*gates)[layer];
}

Encoded Encoder::operator()(const Tensor& embedded, const Tensor& offsets,
                            const EncoderOptions& options) const {
  return run_layers(embedded, order.size(), options,
                    [this, offsets, gates = options.gates](
                        size_t i, const Tensor& x, const Random* random, AttentionInputs* keep) {
                      const size_t layer = order[i];
                      return layers[layer](x, offsets, random, keep,
                                           gates_of(gates, layer, layers.size()));
                    });
}

void Encoder::quantize(const Place& place) {
  for (EncoderLayer& layer : layers) layer.quantize(place);
}

void Encoder::pack() {
  for (EncoderLayer& layer : layers) {
    layer.attention.pack();
    layer.intermediate.pack();
    layer.output.pack();
  }
}

void Encoder::unpack() {
  for (EncoderLayer& layer : layers) {
    layer.attention.unpack();
    layer.intermediate.unpack();
    layer.output.unpack();
  }
}

}  // namespace ink
