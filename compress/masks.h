// Masks: which heads and which FFN neurons of each layer stay, chosen by importance.
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
  int64_t multiple_of = 1;  // uneven only: sizes are multiples of it
  int64_t at_least = 1;     // kept in every layer, whatever the importance
};

// Keeps about `total` of what `before` keeps (TextPruner's rules; equal importances go to the
// earlier layer and element):
//   even     the total/layers (rounded down) most important of every layer;
//   uneven   the `total` most important of all layers; with multiple_of m > 1 each layer is
//            sorted and cut in groups of m, and the total/m groups with the largest sums stay.
// A layer left with fewer than `at_least` keeps its most important ones too, in groups of m,
// so the result can exceed `total`. Raises Error for shapes that do not fit and for layers
// that m does not divide.
Mask choose_mask(const Importance& importance, const Mask& before, int64_t total,
                 const KeepOptions& options);

// Totals after each of `steps` steps from `from` to `to` in nearly equal parts, larger ones first.
std::vector<int64_t> schedule_totals(int64_t from, int64_t to, int64_t steps);

// {"head_mask": [[1, 0, …], …], "ffn_mask": […]}; either may be absent (empty).
struct Masks {
  Mask heads, ffn;
};
Json to_json(const Masks& masks);
Masks masks_from_json(const Json& json);

}  // namespace ink
