// Leaving rows and elements out, and putting zeros in their place.
#include "compress/mask_rows.h"

#include "tensor/error.h"

namespace ink {
namespace {

bool stays(const std::vector<uint8_t>& mask, size_t i) { return mask.empty() || mask[i]; }

template <class T>
std::vector<T> where(const std::vector<T>& values, const std::vector<uint8_t>& mask) {
  check(mask.empty() || mask.size() == values.size(), "prune: expected a mask of ", values.size(),
        " elements, got ", mask.size());
  std::vector<T> left;
  for (size_t i = 0; i < values.size(); ++i)
    if (stays(mask, i)) left.push_back(values[i]);
  return left;
}

Mask relative(const Mask& mask, const Mask& before, const std::vector<uint8_t>& layers) {
  Mask rows = where(mask, layers);
  const Mask rows_before = before.empty() ? before : where(before, layers);
  for (size_t l = 0; l < rows.size() && !rows_before.empty(); ++l)
    rows[l] = where(rows[l], rows_before[l]);
  return rows;
}

}  // namespace

Masks rows_left(const Masks& masks, bool shared) {
  Masks left = masks;
  left.layers.clear();
  if (shared || masks.layers.empty()) return left;
  if (!masks.heads.empty()) left.heads = where(masks.heads, masks.layers);
  if (!masks.ffn.empty()) left.ffn = where(masks.ffn, masks.layers);
  return left;
}

Masks relative(const Masks& masks, const Masks& before, bool shared) {
  const std::vector<uint8_t> rows = shared ? std::vector<uint8_t>() : before.layers;
  Masks result;
  if (!masks.heads.empty()) result.heads = relative(masks.heads, before.heads, rows);
  if (!masks.ffn.empty()) result.ffn = relative(masks.ffn, before.ffn, rows);
  if (!masks.layers.empty()) result.layers = where(masks.layers, before.layers);
  if (!masks.channels.empty()) result.channels = where(masks.channels, before.channels);
  return result;
}

std::vector<double> spread(const std::vector<double>& scores, const std::vector<uint8_t>& mask) {
  if (mask.empty()) return scores;
  std::vector<double> all(mask.size());
  size_t next = 0;
  for (size_t i = 0; i < mask.size(); ++i)
    if (mask[i]) all[i] = scores[next++];
  return all;
}

Importance spread(const Importance& scores, const Mask& mask, const std::vector<uint8_t>& layers,
                  const std::vector<int64_t>& sizes) {
  Importance all;
  size_t next = 0;
  for (size_t l = 0; l < sizes.size(); ++l) {
    if (stays(layers, l))
      all.push_back(spread(scores[next++], mask.empty() ? std::vector<uint8_t>() : mask[l]));
    else
      all.emplace_back(static_cast<size_t>(sizes[l]));
  }
  return all;
}

Mask choose_in_layers(const Importance& importance, const Mask& before,
                      const std::vector<uint8_t>& layers, int64_t total,
                      const KeepOptions& options) {
  const Mask chosen = choose_mask(where(importance, layers), where(before, layers), total, options);
  Mask all;
  size_t next = 0;
  for (size_t l = 0; l < before.size(); ++l) {
    if (stays(layers, l))
      all.push_back(chosen[next++]);
    else
      all.emplace_back(before[l].size());
  }
  return all;
}

}  // namespace ink
