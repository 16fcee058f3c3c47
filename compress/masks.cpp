// Ranking heads and neurons, evenly or across layers.
#include "compress/masks.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

// Elements of one layer from the most important to the least; what was masked before comes last
// among equals. Row r of the result: the r-th of each network.
std::vector<std::vector<size_t>> ranked(const std::vector<double>& importance,
                                        const std::vector<uint8_t>& before, int64_t networks) {
  const size_t size = importance.size() / static_cast<size_t>(networks);
  std::vector<std::vector<size_t>> ranks(size);
  std::vector<size_t> order(size);
  for (size_t first = 0; first < importance.size(); first += size) {
    std::iota(order.begin(), order.end(), first);
    std::ranges::stable_sort(order, std::greater<>{},
                             [&](size_t i) { return std::pair(importance[i], before[i]); });
    for (size_t r = 0; r < size; ++r) ranks[r].push_back(order[r]);
  }
  return ranks;
}

void check_shapes(const Importance& importance, const Mask& before, int64_t total,
                  const KeepOptions& options) {
  check(!importance.empty() && importance.size() == before.size(), "mask: expected ", before.size(),
        " layers of importance, got ", importance.size());
  check(total > 0, "mask: expected a positive number to keep, got ", total);
  check(options.multiple_of > 0 && options.at_least > 0 && options.networks > 0,
        "mask: multiple_of, at_least and networks should be positive, got ", options.multiple_of,
        ", ", options.at_least, " and ", options.networks);
  const auto m = static_cast<size_t>(options.multiple_of),
             networks = static_cast<size_t>(options.networks);
  for (size_t l = 0; l < importance.size(); ++l) {
    const size_t n = importance[l].size();
    check(n == before[l].size(), "mask: layer ", l, " has ", before[l].size(),
          " elements, but importance of ", n);
    check(n % networks == 0, "mask: the ", n, " elements of layer ", l, " are not of ", networks,
          " networks");
    check(options.even || n / networks >= m, "mask: the ", n / networks, " elements of layer ", l,
          " are fewer than the ", m, " that sizes are multiples of");
  }
}

// Of each layer, with even masking.
size_t even_share(int64_t total, size_t layers, const KeepOptions& options) {
  const int64_t each = total / static_cast<int64_t>(layers);
  const int64_t m = options.compatible ? 1 : options.multiple_of;
  return static_cast<size_t>(
      std::max(each / m * m, fewest({.multiple_of = m, .at_least = options.at_least})));
}

Mask nothing(const Mask& like) {
  Mask mask = like;
  for (auto& layer : mask) std::ranges::fill(layer, uint8_t{0});
  return mask;
}

}  // namespace

Mask full_mask(const Importance& like) {
  Mask mask;
  for (const auto& layer : like) mask.emplace_back(layer.size(), uint8_t{1});
  return mask;
}

std::vector<int64_t> kept_per_layer(const Mask& mask) {
  std::vector<int64_t> counts;
  for (const auto& layer : mask)
    counts.push_back(std::accumulate(layer.begin(), layer.end(), int64_t{0}));
  return counts;
}

int64_t fewest(const KeepOptions& options) {
  const int64_t m = options.multiple_of;
  return (options.at_least + m - 1) / m * m;
}

int64_t kept(const Mask& mask) {
  const std::vector<int64_t> counts = kept_per_layer(mask);
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

Mask choose_mask(const Importance& importance, const Mask& before, int64_t total,
                 const KeepOptions& options) {
  check_shapes(importance, before, total, options);
  const size_t layers = importance.size();
  const size_t m = options.even ? 1 : static_cast<size_t>(options.multiple_of);

  // Groups of m ranks that follow one another in their layer.
  struct Group {
    double importance;
    size_t alive, layer, rank;
  };
  std::vector<Group> groups;
  std::vector<std::vector<std::vector<size_t>>> ranks;
  const auto for_each_in = [&](size_t l, size_t rank, size_t count, const auto& f) {
    for (size_t r = rank; r < rank + count; ++r)
      for (const size_t i : ranks[l][r]) f(i);
  };
  for (size_t l = 0; l < layers; ++l) {
    ranks.push_back(ranked(importance[l], before[l], options.networks));
    for (size_t rank = 0; rank + m <= ranks[l].size(); rank += m) {
      Group group{0, 0, l, rank};
      for_each_in(l, rank, m, [&](size_t i) {
        group.importance += importance[l][i];
        group.alive += before[l][i];
      });
      groups.push_back(group);
    }
  }
  if (options.even) {
    const size_t share = even_share(total, layers, options);
    std::erase_if(groups, [&](const Group& g) { return g.rank >= share; });
  } else {
    std::ranges::stable_sort(groups, std::greater<>{},
                             [](const Group& g) { return std::pair(g.importance, g.alive); });
    groups.resize(std::min(groups.size(), static_cast<size_t>(total) / m));
  }

  Mask mask = nothing(before);
  std::vector<int64_t> left(layers);
  const auto keep = [&](size_t l, size_t rank, size_t count) {
    for_each_in(l, rank, count, [&](size_t i) {
      left[l] += before[l][i] - mask[l][i];
      mask[l][i] = before[l][i];
    });
  };
  for (const Group& g : groups) keep(g.layer, g.rank, m);
  const size_t together = options.compatible ? 1 : m;
  for (size_t l = 0; l < layers; ++l)
    for (size_t rank = 0;
         rank + together <= ranks[l].size() && left[l] < options.at_least * options.networks;
         rank += together)
      keep(l, rank, together);
  return mask;
}

bool keeps_everything(const Masks& masks) {
  const auto all = [](const std::vector<uint8_t>& row) {
    return std::ranges::find(row, uint8_t{0}) == row.end();
  };
  return std::ranges::all_of(masks.heads, all) && std::ranges::all_of(masks.ffn, all) &&
         all(masks.layers) && all(masks.channels);
}

Json to_json(const Masks& masks) {
  Json json = Json::make_object();
  for (const auto& [key, mask] :
       {std::pair<const char*, const Mask&>{"head_mask", masks.heads}, {"ffn_mask", masks.ffn}}) {
    if (mask.empty()) continue;
    Json rows = Json::make_array();
    for (const auto& layer : mask) rows.append(Json::make_array({layer.begin(), layer.end()}));
    json.set(key, std::move(rows));
  }
  for (const auto& [key, mask] :
       {std::pair("layer_mask", &masks.layers), {"channel_mask", &masks.channels}})
    if (!mask->empty()) json.set(key, Json::make_array({mask->begin(), mask->end()}));
  return json;
}

namespace {

std::vector<uint8_t> row_from(const Json& row) {
  std::vector<uint8_t> elements;
  for (size_t i = 0; i < row.size(); ++i)
    elements.push_back(static_cast<uint8_t>(row.integer_between(i, 0, 1)));
  return elements;
}

}  // namespace

Masks masks_from_json(const Json& json) {
  check_keys(json, {"head_mask", "ffn_mask", "layer_mask", "channel_mask"});
  Masks masks;
  for (const auto& [key, mask] :
       {std::pair<const char*, Mask*>{"head_mask", &masks.heads}, {"ffn_mask", &masks.ffn}}) {
    if (!json.has(key)) continue;
    const Json& rows = json.array(key);
    for (size_t l = 0; l < rows.size(); ++l) mask->push_back(row_from(rows.array(l)));
  }
  if (json.has("layer_mask")) masks.layers = row_from(json.array("layer_mask"));
  if (json.has("channel_mask")) masks.channels = row_from(json.array("channel_mask"));
  return masks;
}

}  // namespace ink
