// Layers, channels, then heads and neurons of whichever layers are left.
#include "compress/check_pruning.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "compress/element_costs.h"
#include "compress/stream_surgery.h"
#include "compress/surgery.h"
#include "tensor/error.h"

namespace ink {
namespace {

using Sizes = std::vector<int64_t>;

ModelConfig without_dropped(const ModelConfig& whole, const PruningConfig& config) {
  std::vector<uint8_t> keep(static_cast<size_t>(whole.layers()), uint8_t{1});
  for (const int64_t layer : config.drop_layers) keep[static_cast<size_t>(layer)] = 0;
  return config_with_layers(whole, keep);
}

// The sizes that come first in this order, as many as layers are left.
template <class Order>
Sizes first_of(Sizes sizes, const PruningConfig& config, const Order& order) {
  if (!config.target_num_of_layers) return sizes;
  std::ranges::sort(sizes, order);
  sizes.resize(static_cast<size_t>(config.target_num_of_layers));
  return sizes;
}

template <class Order>
ModelConfig left_of(const ModelConfig& whole, const PruningConfig& config, const Order& order) {
  const bool layers_go = !config.drop_layers.empty() || config.target_num_of_layers;
  ModelConfig left = layers_go ? without_dropped(whole, config) : whole;
  left.heads_per_layer = first_of(left.heads_per_layer, config, order);
  left.ffn_per_layer = first_of(left.ffn_per_layer, config, order);
  if (!config.target_hidden_size) return left;
  std::vector<uint8_t> some(static_cast<size_t>(whole.hidden_size));
  std::fill_n(some.begin(), config.target_hidden_size, uint8_t{1});
  return config_with_channels(left, some);
}

void check_layers(const ModelConfig& whole, const PruningConfig& config) {
  for (const int64_t layer : config.drop_layers)
    check(layer < whole.layers(), "prune: drop_layers: expected layers below ", whole.layers(),
          ", got ", layer);
  const int64_t left = whole.layers() - std::ssize(config.drop_layers);
  check(left > 0, "prune: drop_layers: leaves no layers; expected fewer than ", whole.layers(),
        " of them");
  check(config.target_num_of_layers <= left, "prune: target_num_of_layers: expected at most ", left,
        ", got ", config.target_num_of_layers);
}

void check_channels(const ModelConfig& whole, const PruningConfig& config) {
  check(config.target_hidden_size <= whole.hidden_size,
        "prune: target_hidden_size: expected at most ", whole.hidden_size, ", got ",
        config.target_hidden_size);
}

void check_shared(const ModelConfig& model, const PruningConfig& c) {
  const size_t rows = prunable_sizes(model).heads.size();
  const bool uneven =
      (c.target_num_of_heads && !c.head_even_masking) || (c.target_ffn_size && !c.ffn_even_masking);
  check(model.shared.groups == 0 || rows <= 1 || !uneven, "prune: the ", rows, " layers of ",
        model.family->model_type,
        " that have weights of their own are of one size; set head_even_masking and "
        "ffn_even_masking");
}

// What the keys of heads, or those of neurons, ask for.
struct Wish {
  const char *what, *target_key, *even_key, *fewest_key;
  int64_t target, fewest;
  bool even;
};

void check_wish(const Sizes& sizes, const Wish& wish) {
  if (sizes.empty()) return;
  const auto layers = std::ssize(sizes);
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0}),
                narrowest = *std::ranges::min_element(sizes);
  check(wish.target * layers <= all, "prune: ", wish.target_key, ": expected at most ",
        all / layers, " per layer (", all, " in all ", layers, " layers together), got ",
        wish.target);
  check(!wish.even || wish.target <= narrowest, "prune: ", wish.target_key,
        ": every layer should keep ", wish.target, ", but one has ", narrowest, ' ', wish.what,
        "; expected at most ", narrowest, ", or \"", wish.even_key, "\": false");
  check(wish.fewest <= narrowest, "prune: ", wish.fewest_key, ": every layer should keep ",
        wish.fewest, " or more, but one has ", narrowest, ' ', wish.what, "; expected at most ",
        narrowest);
}

void check_elements(const ModelConfig& narrowest, const PruningConfig& c) {
  const KeepOptions heads{.multiple_of = c.head_multiple_of, .at_least = c.min_heads};
  if (c.target || c.target_num_of_heads)
    check_wish(narrowest.heads_per_layer,
               {"heads", "target_num_of_heads", "head_even_masking",
                c.head_multiple_of > 1 ? "head_multiple_of" : "min_heads", c.target_num_of_heads,
                fewest(heads), c.head_even_masking && !c.target});
  if (c.target || c.target_ffn_size)
    check_wish(
        narrowest.ffn_per_layer,
        {"neurons", "target_ffn_size", "ffn_even_masking", "multiple_of", c.target_ffn_size,
         c.compatible && c.ffn_even_masking ? 1 : c.multiple_of, c.ffn_even_masking && !c.target});
}

}  // namespace

ModelConfig widest_left(const ModelConfig& whole, const PruningConfig& config) {
  return left_of(whole, config, std::greater<>{});
}

void check_pruning(const ModelConfig& whole, const PruningConfig& config) {
  check_shared(whole, config);
  check_layers(whole, config);
  check_channels(whole, config);
  check_elements(left_of(whole, config, std::less<>{}), config);
  if (config.target) check_timed(*config.target, widest_left(whole, config));
}

}  // namespace ink
