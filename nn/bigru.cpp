// Embeddings, layers of two directions, and what joins them.
#include "nn/bigru.h"

#include <cmath>

namespace ink {
namespace {

// The deviation of what PyTorch draws evenly from ±1/√width.
Initial usual(int64_t width) {
  return Initial::normal(1 / std::sqrt(3 * static_cast<double>(width)));
}

}  // namespace

GruDirection::GruDirection(const Scope& scope, int64_t channels, int64_t width, bool reverse_)
    : input_weight(scope.param(reverse_ ? "weight_ih_l0_reverse" : "weight_ih_l0",
                               {3 * width, channels}, usual(width))),
      state_weight(scope.param(reverse_ ? "weight_hh_l0_reverse" : "weight_hh_l0",
                               {3 * width, width}, usual(width))),
      input_bias(scope.param(reverse_ ? "bias_ih_l0_reverse" : "bias_ih_l0", {3 * width},
                             Initial::zeros())),
      state_bias(scope.param(reverse_ ? "bias_hh_l0_reverse" : "bias_hh_l0", {3 * width},
                             Initial::zeros())),
      reverse(reverse_) {}

Tensor GruDirection::operator()(const Tensor& x, const Tensor& offsets) const {
  const Tensor inputs = quantized ? int8_linear(x, quantized, input_bias.value)
                                  : linear(x, input_weight.value, input_bias.value,
                                           Activation::none, packed.get(input_weight));  // (N, 3F)
  return gru(inputs, state_weight.value, state_bias.value, offsets, reverse);
}

BiGruLayer::BiGruLayer(const Scope& scope, const ModelConfig& c, int64_t width)
    : forward(scope / "gru", c.hidden_size, width, false),
      backward(scope / "gru", c.hidden_size, width, true),
      output(scope / c.family->layer.output, 2 * width, c.hidden_size, c.initializer_range),
      output_dropout(c.hidden_dropout_prob) {}

Tensor BiGruLayer::operator()(const Tensor& x, const Tensor& offsets, const Random* random) const {
  const Tensor both = concat({forward(x, offsets), backward(x, offsets)}, 1);  // (N, 2F)
  return dropout_if(random, output(both), output_dropout, "layer output");
}

BiGruBody::BiGruBody(const Scope& scope, const ModelConfig& c)
    : word(scope / c.family->embeddings.word, c.vocab_size, c.hidden_size, c.initializer_range),
      position(scope / c.family->embeddings.position, c.max_position_embeddings, c.hidden_size,
               c.initializer_range),
      segment(scope / c.family->embeddings.segment, c.type_vocab_size, c.hidden_size,
              c.initializer_range),
      norm(scope / c.family->embeddings.norm, c.hidden_size, c.layer_norm_eps),
      longest(c.longest()),
      embedding_dropout(c.hidden_dropout_prob) {
  layers.reserve(c.ffn_per_layer.size());
  for (size_t i = 0; i < c.ffn_per_layer.size(); ++i)
    layers.emplace_back(scope / c.family->layers / static_cast<int64_t>(i), c, c.ffn_per_layer[i]);
}

Encoded BiGruBody::operator()(const Packed& batch, const EncoderOptions& options) const {
  check_packed("model", batch, longest);
  check(!options.attention_inputs, "model: bigru has no attention to take inputs of; expected ",
        "matches of hidden states alone");
  const Tensor words = add(word(batch.ids), segment(batch.segments));
  const Tensor embedded = dropout_if(options.random, norm(words, position(batch.positions)),
                                     embedding_dropout, "embeddings");
  return run_layers(
      embedded, layers.size(), options,
      [this, offsets = batch.offsets](size_t i, const Tensor& x, const Random* random,
                                      AttentionInputs*) { return layers[i](x, offsets, random); });
}

Tensor BiGruBody::pool(const Tensor&, const Tensor&) const {
  fail("model: bigru has no pooler; its classifier reads the mean of the states");
}

void BiGruBody::quantize(const Place& place) {
  for (BiGruLayer& layer : layers) {
    for (GruDirection* way : {&layer.forward, &layer.backward}) {
      if (way->input_weight.quantized) continue;
      way->quantized = ink::quantize(way->input_weight, way->input_weight.value, place.device);
    }
    layer.output.quantize(place);
  }
}

void BiGruBody::pack() {
  for (BiGruLayer& layer : layers) {
    for (GruDirection* way : {&layer.forward, &layer.backward})
      if (!way->quantized) way->packed.pack(way->input_weight);
    layer.output.pack();
  }
}

void BiGruBody::unpack() {
  for (BiGruLayer& layer : layers) {
    layer.forward.packed.clear();
    layer.backward.packed.clear();
    layer.output.unpack();
  }
}

}  // namespace ink
