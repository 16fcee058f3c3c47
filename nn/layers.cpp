// Linear, LayerNorm, Embedding: parameters and the ops they go into.
#include "nn/layers.h"

namespace ink {

void PackedWeight::pack(const Parameter& weight) {
  if (weight.value.device() == Device::cuda) return clear();
  const Tensor w = contiguous(weight.value);
  matrix_ = std::make_shared<PackedMatrix>(w.data<float>(), w.dim(1), true, w.dim(0), w.dim(1),
                                           weight.value.storage()->version());
}

const PackedMatrix* PackedWeight::get(const Parameter& weight) const {
  if (!matrix_) return nullptr;
  check(weight.value.storage()->version() == matrix_->source_version(), "linear: ", weight.name,
        " has changed since it was packed; call pack() again");
  return matrix_.get();
}

Linear::Linear(const Scope& scope, int64_t in, int64_t out, double deviation)
    : weight(scope.param("weight", {out, in}, Initial::normal(deviation))),
      bias(scope.param("bias", {out}, Initial::zeros())) {}

namespace {

// An Error begins with the names of the parameters.
Int8Weight int8_weight(const std::string& names, const Tensor& matrix, Device device) {
  try {
    return Int8Weight(matrix, device);
  } catch (const Error& error) {
    fail("", names, ": ", error.message());
  }
}

}  // namespace

Int8Weight quantize(Parameter& weight, const Tensor& matrix, Device device) {
  Int8Weight made = int8_weight(weight.name, matrix, device);
  weight.give_numbers_away();
  return made;
}

void Linear::quantize(const Place& place) {
  if (!weight.quantized) quantized = ink::quantize(weight, weight.value, place.device);
}

void Linear::pack() {
  if (!weight.quantized) packed.pack(weight);
}

Tensor Linear::operator()(const Tensor& x, Activation f) const {
  if (quantized) return int8_linear(x, quantized, bias.value, f);
  check(!weight.quantized, "linear: ", weight.name, " was quantised together with others, and is ",
        "no layer of its own any more");
  return linear(x, weight.value, bias.value, f, packed.get(weight));
}

void JoinedLinears::join(std::initializer_list<const Linear*> parts) {
  clear();
  std::vector<Tensor> weights, biases;
  for (const Linear* part : parts) {
    if (part->weight.value.device() != Device::cuda) return clear();
    weights.push_back(part->weight.value);
    biases.push_back(part->bias.value);
    for (const Parameter* p : {&part->weight, &part->bias})
      sources_.emplace_back(p, p->value.storage()->version());
  }
  weight_ = concat(weights, 0);
  bias_ = concat(biases, 0);
}

Tensor JoinedLinears::operator()(const Tensor& x) const {
  for (const auto& [parameter, version] : sources_) {
    check(parameter->value.storage()->version() == version, "linear: ", parameter->name,
          " has changed since it was joined with others; call pack() again");
  }
  return linear(x, weight_, bias_);
}

void QuantizedLinears::quantize(std::initializer_list<Linear*> parts, const Place& place) {
  if (weight_) return;
  std::vector<Tensor> weights, biases;
  std::string names;
  for (const Linear* part : parts) {
    names += (names.empty() ? "" : ", ") + part->weight.name;
    weights.push_back(on_host(part->weight.value));
    biases.push_back(on_host(part->bias.value));
  }
  weight_ = int8_weight(names, concat(weights, 0), place.device);
  bias_ = to(converted(concat(biases, 0), place.dtype), place.device);
  for (Linear* part : parts) part->weight.give_numbers_away();
}

LayerNorm::LayerNorm(const Scope& scope, int64_t channels, double epsilon_)
    : gamma(scope.param("weight", {channels}, Initial::ones())),
      beta(scope.param("bias", {channels}, Initial::zeros())),
      epsilon(epsilon_) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return layer_norm(x, gamma.value, beta.value, epsilon);
}

Tensor LayerNorm::operator()(const Tensor& x, const Tensor& residual) const {
  return residual_layer_norm(x, residual, gamma.value, beta.value, epsilon);
}

Tensor LayerNorm::of_dropped(const Random* random, const Tensor& x, double p,
                             std::string_view stream, const Tensor& residual) const {
  if (!random || p == 0) return (*this)(x, residual);
  return dropout_residual_layer_norm(x, residual, gamma.value, beta.value, p, random->split(stream),
                                     epsilon);
}

Embedding::Embedding(const Scope& scope, int64_t rows, int64_t channels, double deviation)
    : table(scope.param("weight", {rows, channels}, Initial::normal(deviation))) {}

Tensor dropout_if(const Random* random, const Tensor& x, double p, std::string_view stream) {
  return random && p > 0 ? dropout(x, p, random->split(stream)) : x;
}

}  // namespace ink
