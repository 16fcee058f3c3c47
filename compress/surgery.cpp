// Finding, zeroing and cutting out what masked heads and neurons own.
#include "compress/surgery.h"

#include <map>
#include <span>
#include <string>

#include "compress/cut.h"
#include "compress/mask_rows.h"
#include "compress/stream_surgery.h"
#include "tensor/error.h"

namespace ink {
namespace {

// ── what masks fit ──────────────────────────────────────────────────────────────────────────────

void check_mask(const Mask& mask, const std::vector<int64_t>& sizes, const char* what) {
  if (mask.empty()) return;
  check(mask.size() == sizes.size(), "prune: expected a mask of ", sizes.size(), " layers of ",
        what, ", got ", mask.size());
  const std::vector<int64_t> left = kept_per_layer(mask);
  for (size_t l = 0; l < mask.size(); ++l) {
    check(static_cast<int64_t>(mask[l].size()) == sizes[l], "prune: layer ", l, " has ", sizes[l],
          ' ', what, ", but a mask of ", mask[l].size());
    check(left[l] > 0 || sizes[l] == 0, "prune: the mask leaves layer ", l, " without ", what,
          "; at least one must stay");
  }
}

// The part of a mask's row that is of one network.
std::span<const uint8_t> network_of(const std::vector<uint8_t>& row, int64_t network,
                                    int64_t networks) {
  const size_t size = row.size() / static_cast<size_t>(networks);
  return std::span(row).subspan(static_cast<size_t>(network) * size, size);
}

// What each row keeps, of one network.
std::vector<int64_t> sizes_left(const Mask& mask, int64_t networks, const char* what) {
  std::vector<int64_t> sizes;
  for (size_t l = 0; l < mask.size(); ++l) {
    sizes.push_back(kept_in(network_of(mask[l], 0, networks)));
    for (int64_t n = 1; n < networks; ++n) {
      const int64_t other = kept_in(network_of(mask[l], n, networks));
      check(other == sizes.back(), "prune: the networks of a layer are of one size; expected ",
            sizes.back(), ' ', what, " of network ", n, " in layer ", l, ", got ", other);
    }
  }
  return sizes;
}

// One size for each layer of the config, from one for each row.
std::vector<int64_t> per_layer(const std::vector<int64_t>& rows, const ModelConfig& config,
                               const char* what) {
  if (config.shared.groups == 0 || rows.empty()) return rows;
  for (const int64_t size : rows)
    check(size == rows.front(), "prune: layers that share weights are of one size; expected ",
          rows.front(), ' ', what, " in each, got ", size, "; set even masking");
  return std::vector<int64_t>(config.heads_per_layer.size(), rows.front());
}

// ── what heads and neurons own ──────────────────────────────────────────────────────────────────

using Cuts = std::map<std::string, Cut>;  // by name of the parameter

std::string path_of_row(const ModelConfig& config, size_t row) {
  const Family& family = *config.family;
  const std::string path = std::string(family.prefix) + '.' + family.layers + '.';
  if (config.shared.groups == 0) return path + std::to_string(row) + '.';
  const auto inner = static_cast<size_t>(config.shared.inner);
  return path + std::to_string(row / inner) + ".albert_layers." + std::to_string(row % inner) + '.';
}

// Every element of `row` stands for `width` parts.
std::vector<uint8_t> widened(std::span<const uint8_t> row, int64_t width) {
  std::vector<uint8_t> keep;
  for (const uint8_t element : row) keep.insert(keep.end(), static_cast<size_t>(width), element);
  return keep;
}

void cut_heads(const ModelConfig& config, const std::string& path, const std::vector<uint8_t>& row,
               Cuts& cuts) {
  if (config.family->body_kind == BodyKind::xlnet) {
    const std::string attention = path + "rel_attn.";
    for (const char* name : {"q", "k", "v", "o", "r", "seg_embed"})
      cuts[attention + name] = {1, row};
    for (const char* name : {"r_w_bias", "r_r_bias", "r_s_bias"}) cuts[attention + name] = {0, row};
    return;
  }
  const LayerNames& names = config.family->layer;
  const std::vector<uint8_t> keep = widened(row, config.head_size);
  for (const char* name : {names.query, names.key, names.value})
    for (const char* kind : {".weight", ".bias"}) cuts[path + name + kind] = {0, keep};
  cuts[path + names.attention_output + ".weight"] = {1, keep};
}

void cut_neurons(const std::string& first, const std::string& second, std::span<const uint8_t> row,
                 Cuts& cuts) {
  for (const char* kind : {".weight", ".bias"}) cuts[first + kind] = {0, widened(row, 1)};
  cuts[second + ".weight"] = {1, widened(row, 1)};
}

void cut_networks(const ModelConfig& config, const std::string& path,
                  const std::vector<uint8_t>& row, int64_t networks, Cuts& cuts) {
  if (config.family->body_kind == BodyKind::xlnet)
    return cut_neurons(path + "ff.layer_1", path + "ff.layer_2", row, cuts);
  const LayerNames& names = config.family->layer;
  for (int64_t n = 0; n < networks; ++n) {
    const std::string network = n + 1 < networks ? path + "ffn." + std::to_string(n) + '.'
                                                 : path;  // the last has no number
    cut_neurons(network + names.intermediate, network + names.output, network_of(row, n, networks),
                cuts);
  }
}

Cuts cuts_of(const ModelConfig& config, const Parameters& parameters, const Masks& masks) {
  Cuts cuts;
  for (size_t l = 0; l < masks.heads.size(); ++l)
    cut_heads(config, path_of_row(config, l), masks.heads[l], cuts);
  const int64_t networks = prunable_sizes(config).networks;
  for (size_t l = 0; l < masks.ffn.size(); ++l)
    cut_networks(config, path_of_row(config, l), masks.ffn[l], networks, cuts);
  for (const auto& [name, cut] : cuts) {
    const Tensor& x = parameters.at(name).value;
    check(cut.axis < x.rank() && x.dim(cut.axis) == std::ssize(cut.keep), "prune: expected ", name,
          " to have ", cut.keep.size(), " parts along axis ", cut.axis, ", got the shape ",
          x.shape());
  }
  return cuts;
}

}  // namespace

PrunableSizes prunable_sizes(const ModelConfig& config) {
  const BodyKind kind = config.family->body_kind;
  check(kind == BodyKind::bert || kind == BodyKind::mobilebert || kind == BodyKind::xlnet,
        "prune: ", config.family->model_type,
        " has no attention heads and feed-forward neurons; expected a transformer");
  PrunableSizes sizes{.heads = config.heads_per_layer, .ffn = config.ffn_per_layer};
  if (config.shared.groups > 0 && !sizes.heads.empty()) {
    const auto rows = static_cast<size_t>(config.shared.groups * config.shared.inner);
    sizes.heads.assign(rows, config.heads_per_layer.front());
    sizes.ffn.assign(rows, config.ffn_per_layer.front());
  }
  if (kind == BodyKind::mobilebert) {
    sizes.networks = config.bottlenecks.feedforward_networks;
    for (int64_t& row : sizes.ffn) row *= sizes.networks;
  }
  return sizes;
}

ModelConfig pruned_config(const ModelConfig& config, const Masks& masks) {
  if (!masks.layers.empty())
    return pruned_config(config_with_layers(config, masks.layers),
                         rows_left(masks, config.shared.groups > 0));
  const PrunableSizes sizes = prunable_sizes(config);
  check_mask(masks.heads, sizes.heads, "heads");
  check_mask(masks.ffn, sizes.ffn, "FFN neurons");
  ModelConfig pruned = config;
  if (!masks.heads.empty())
    pruned.heads_per_layer = per_layer(kept_per_layer(masks.heads), config, "heads");
  if (!masks.ffn.empty())
    pruned.ffn_per_layer =
        per_layer(sizes_left(masks.ffn, sizes.networks, "neurons"), config, "neurons");
  if (!masks.channels.empty()) return config_with_channels(pruned, masks.channels);
  return pruned;
}

namespace {

void check_elements_alone(const Masks& masks) {
  check(masks.layers.empty() && masks.channels.empty(),
        "prune: layers and channels cannot be zeroed, as layer norms would still count them; "
        "expected masks of heads and FFN neurons alone");
}

}  // namespace

PrunedModel prune_with_masks(const ModelConfig& config, const Parameters& parameters,
                             const Masks& masks) {
  check_elements_alone(masks);
  PrunedModel pruned{pruned_config(config, masks), {}};
  const Cuts cuts = cuts_of(config, parameters, masks);
  for (const Parameter& p : parameters) {
    const auto at = cuts.find(p.name);
    Parameter& copy = pruned.parameters.add(
        p.name, at == cuts.end() ? clone(p.value) : cut_out(p.value, at->second));
    copy.trainable = p.trainable;
    copy.decay = p.decay;
  }
  return pruned;
}

void zero_masked(const ModelConfig& config, Parameters& parameters, const Masks& masks) {
  check_elements_alone(masks);
  pruned_config(config, masks);  // raises Error for masks that do not fit
  for (const auto& [name, cut] : cuts_of(config, parameters, masks)) {
    Tensor& x = parameters.at(name).value;
    check(x.is_contiguous() && !x.storage()->borrowed(), "prune: expected ", name,
          " in writable memory of its own");
    zero_out(x, cut);
  }
}

}  // namespace ink
