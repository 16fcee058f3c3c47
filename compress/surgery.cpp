// Finding, zeroing and cutting out what masked heads and neurons own.
#include "compress/surgery.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "tensor/error.h"

namespace ink {
namespace {

template <class P, class Store>
std::vector<PrunableLayer<P>> find_layers(Store& parameters, const ModelConfig& config) {
  const Family& family = *config.family;
  check(family.body_kind == BodyKind::bert && config.shared.groups == 0,
        "prune: expected layers of BERT's form with weights of their own, got ", family.model_type);
  const LayerNames& names = family.layer;
  std::vector<PrunableLayer<P>> layers;
  for (size_t l = 0; l < config.heads_per_layer.size(); ++l) {
    const std::string path =
        std::string(family.prefix) + '.' + family.layers + '.' + std::to_string(l) + '.';
    const auto part = [&](const char* name, const char* kind, const Shape& shape) {
      P& p = parameters.at(path + name + '.' + kind);
      check(p.value.shape() == shape, "prune: expected ", p.name, " to be ", shape, ", got ",
            p.value.shape());
      return &p;
    };
    const int64_t C = config.hidden_size, HD = config.heads_per_layer[l] * config.head_size,
                  F = config.ffn_per_layer[l];
    layers.push_back({.query_weight = part(names.query, "weight", {HD, C}),
                      .query_bias = part(names.query, "bias", {HD}),
                      .key_weight = part(names.key, "weight", {HD, C}),
                      .key_bias = part(names.key, "bias", {HD}),
                      .value_weight = part(names.value, "weight", {HD, C}),
                      .value_bias = part(names.value, "bias", {HD}),
                      .attention_output = part(names.attention_output, "weight", {C, HD}),
                      .ffn_input_weight = part(names.intermediate, "weight", {F, C}),
                      .ffn_input_bias = part(names.intermediate, "bias", {F}),
                      .ffn_output = part(names.output, "weight", {C, F})});
  }
  return layers;
}

void check_mask(const Mask& mask, const std::vector<int64_t>& sizes, const char* what) {
  if (mask.empty()) return;
  check(mask.size() == sizes.size(), "prune: expected a mask of ", sizes.size(), " layers of ",
        what, ", got ", mask.size());
  const std::vector<int64_t> left = kept_per_layer(mask);
  for (size_t l = 0; l < mask.size(); ++l) {
    check(static_cast<int64_t>(mask[l].size()) == sizes[l], "prune: layer ", l, " has ", sizes[l],
          ' ', what, ", but a mask of ", mask[l].size());
    check(left[l] > 0, "prune: the mask leaves layer ", l, " without ", what,
          "; at least one must stay");
  }
}

// Which rows (axis 0) or columns (axis 1) of a parameter stay.
struct Cut {
  int axis;
  std::vector<uint8_t> keep;
};

// Every element of `mask` stands for `width` rows or columns.
std::vector<uint8_t> widened(const std::vector<uint8_t>& mask, int64_t width) {
  std::vector<uint8_t> keep;
  for (const uint8_t m : mask) keep.insert(keep.end(), static_cast<size_t>(width), m);
  return keep;
}

std::map<std::string, Cut> cuts(const ModelConfig& config, const Parameters& parameters,
                                const Masks& masks) {
  check_mask(masks.heads, config.heads_per_layer, "heads");
  check_mask(masks.ffn, config.ffn_per_layer, "FFN neurons");
  const auto layers = prunable_layers(parameters, config);
  std::map<std::string, Cut> all;
  for (size_t l = 0; l < layers.size(); ++l) {
    if (!masks.heads.empty()) {
      const std::vector<uint8_t> keep = widened(masks.heads[l], config.head_size);
      for (const Parameter* p : {layers[l].query_weight, layers[l].query_bias, layers[l].key_weight,
                                 layers[l].key_bias, layers[l].value_weight, layers[l].value_bias})
        all[p->name] = {0, keep};
      all[layers[l].attention_output->name] = {1, keep};
    }
    if (!masks.ffn.empty()) {
      for (const Parameter* p : {layers[l].ffn_input_weight, layers[l].ffn_input_bias})
        all[p->name] = {0, masks.ffn[l]};
      all[layers[l].ffn_output->name] = {1, masks.ffn[l]};
    }
  }
  return all;
}

// Calls f(first byte, byte count) for every run of kept (or dropped) rows, or pieces of
// rows, of contiguous x.
template <class F>
void for_each_run(const Tensor& x, const Cut& cut, bool kept, const F& f) {
  const int64_t outer = cut.axis == 0 ? 1 : x.dim(0);
  const auto n = static_cast<int64_t>(cut.keep.size());
  const size_t unit = x.bytes() / static_cast<size_t>(outer * n);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < n; ++i)
      if ((cut.keep[static_cast<size_t>(i)] != 0) == kept)
        f(static_cast<size_t>(o * n + i) * unit, unit);
}

std::byte* bytes_of(const Tensor& x) {
  return static_cast<std::byte*>(x.storage()->data()) +
         static_cast<size_t>(x.offset()) * size_of(x.dtype());
}

Tensor cut_out(const Tensor& value, const Cut& cut) {
  const Tensor x = contiguous(value);
  Shape shape = x.shape();
  shape[cut.axis] = std::ranges::count_if(cut.keep, [](uint8_t k) { return k != 0; });
  Tensor y(shape, x.dtype());
  std::byte* to = bytes_of(y);
  for_each_run(x, cut, true, [&](size_t first, size_t count) {
    std::memcpy(to, bytes_of(x) + first, count);
    to += count;
  });
  return y;
}

}  // namespace

std::vector<PrunableLayer<Parameter>> prunable_layers(Parameters& parameters,
                                                      const ModelConfig& config) {
  return find_layers<Parameter>(parameters, config);
}

std::vector<PrunableLayer<const Parameter>> prunable_layers(const Parameters& parameters,
                                                            const ModelConfig& config) {
  return find_layers<const Parameter>(parameters, config);
}

PrunedModel prune_with_masks(const ModelConfig& config, const Parameters& parameters,
                             const Masks& masks) {
  const std::map<std::string, Cut> all = cuts(config, parameters, masks);
  PrunedModel pruned{config, {}};
  if (!masks.heads.empty()) pruned.config.heads_per_layer = kept_per_layer(masks.heads);
  if (!masks.ffn.empty()) pruned.config.ffn_per_layer = kept_per_layer(masks.ffn);
  for (const Parameter& p : parameters) {
    const auto at = all.find(p.name);
    Parameter& copy = pruned.parameters.add(
        p.name, at == all.end() ? clone(p.value) : cut_out(p.value, at->second));
    copy.trainable = p.trainable;
    copy.decay = p.decay;
  }
  return pruned;
}

void zero_masked(const ModelConfig& config, Parameters& parameters, const Masks& masks) {
  for (const auto& [name, cut] : cuts(config, parameters, masks)) {
    Tensor& x = parameters.at(name).value;
    check(x.is_contiguous() && !x.storage()->borrowed(), "prune: expected ", name,
          " in writable memory of its own");
    for_each_run(x, cut, false,
                 [&](size_t first, size_t count) { std::memset(bytes_of(x) + first, 0, count); });
    x.touch();
  }
}

}  // namespace ink
