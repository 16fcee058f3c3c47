// Masks: which heads and FFN neurons of each layer stay, which channels and which layers, chosen by
// importance.
#pragma once
#include <cstdint>
#include <vector>

#include "tensor/json.h"

namespace ink {

// One row a layer, one element a head or a neuron; rows may differ in length.
using Importance = std::vector<std::vector<double>>;
using Mask = std::vector<std::vector<uint8_t>>;  // 1 = keep

Mask full_mask(const Importance& like);  // keeps everything
int64_t kept(const Mask& mask);
std::vector<int64_t> kept_per_layer(const Mask& mask);

struct KeepOptions {
  bool even = true;         // the same number in every layer; otherwise wherever importance is
  int64_t multiple_of = 1;  // sizes are multiples of it
  int64_t at_least = 1;     // kept in every layer, whatever the importance
  int64_t networks = 1;     // a row is those of so many networks, each of which keeps as many
  // As TextPruner rescues an empty layer: by its most important element alone, though that is no
  // multiple; and even sizes are not made multiples.
  bool compatible = false;
};

int64_t fewest(const KeepOptions& options);  // at_least in multiples of multiple_of

// Keeps about `total` of what `before` keeps (TextPruner's rules; equal importances go to the
// earlier layer and element):
//   even     the total/layers (rounded down, to a multiple of m) most important of every layer;
//   uneven   the `total` most important of all layers; with multiple_of m > 1 each layer is
//            sorted and cut in groups of m, and the total/m groups with the largest sums stay; what
//            is left over at the end of a layer that m does not divide goes.
// A layer left with fewer than `at_least` keeps its most important ones too, in groups of m,
// so the result can exceed `total`. With networks, `total` counts the elements of one of them: the
// r-th most important of each network stand or fall together, by the sum of their importance.
// Raises Error for shapes that do not fit and, uneven, for layers of fewer than m.
Mask choose_mask(const Importance& importance, const Mask& before, int64_t total,
                 const KeepOptions& options);

// {"head_mask": [[1, 0, …], …], "ffn_mask": […], "layer_mask": [1, 0, …], "channel_mask": […]};
// each may be absent (empty), and nothing of its kind goes then. Rows of a layer that goes are not
// read.
struct Masks {
  Mask heads, ffn;
  std::vector<uint8_t> layers = {}, channels = {};  // of the residual stream
};
bool keeps_everything(const Masks& masks);
Json to_json(const Masks& masks);
Masks masks_from_json(const Json& json);

}  // namespace ink
