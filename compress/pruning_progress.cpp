// Masks in terms of the whole model, cut step by step.
#include "compress/pruning_progress.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "compress/mask_rows.h"
#include "compress/pruned_model.h"

namespace ink {
namespace {

std::vector<uint8_t> all_of(int64_t count) {
  return std::vector<uint8_t>(static_cast<size_t>(count), uint8_t{1});
}

// `mask`, or where it is empty one of rows of `sizes` elements that keeps those of `rows`.
Mask filled(const Mask& mask, const std::vector<int64_t>& sizes, const std::vector<uint8_t>& rows) {
  if (!mask.empty()) return mask;
  Mask full;
  for (size_t l = 0; l < sizes.size(); ++l)
    full.emplace_back(static_cast<size_t>(sizes[l]), rows.empty() ? uint8_t{1} : rows[l]);
  return full;
}

std::string left_in(const Model& model, const Masks& masks) {
  const PrunableSizes sizes = prunable_sizes(model.config);
  const auto sum = [](const std::vector<int64_t>& all) {
    return std::to_string(std::accumulate(all.begin(), all.end(), int64_t{0}));
  };
  std::string text = sum(sizes.heads) + " heads, " + sum(sizes.ffn) + " neurons";
  if (!masks.channels.empty())
    text += ", " + std::to_string(model.config.hidden_size) + " channels";
  if (!masks.layers.empty()) text += ", " + std::to_string(model.config.layers()) + " layers";
  return text + " left";
}

}  // namespace

PruningProgress::PruningProgress(const Model& whole, int64_t steps, const Notice& notice,
                                 const Recover& recover)
    : whole_(whole),
      count_(steps),
      notice_(notice),
      recover_(recover),
      sizes_(prunable_sizes(whole.config)),
      shared_(whole.config.shared.groups > 0) {}

std::vector<double> PruningProgress::whole_layers(const std::vector<double>& scores) const {
  return spread(scores, masks_.layers);
}

std::vector<double> PruningProgress::whole_channels(const std::vector<double>& scores) const {
  return spread(scores, masks_.channels);
}

ImportanceScores PruningProgress::whole_elements(const ImportanceScores& scores) const {
  return {.heads = spread(scores.heads, masks_.heads, rows_, sizes_.heads),
          .ffn = spread(scores.ffn, masks_.ffn, rows_, sizes_.ffn)};
}

std::vector<uint8_t> PruningProgress::layers_left() const {
  return masks_.layers.empty() ? all_of(whole_.config.layers()) : masks_.layers;
}

std::vector<uint8_t> PruningProgress::channels_left() const {
  return masks_.channels.empty() ? all_of(whole_.config.hidden_size) : masks_.channels;
}

Masks PruningProgress::elements_left() const {
  return {.heads = filled(masks_.heads, sizes_.heads, rows_),
          .ffn = filled(masks_.ffn, sizes_.ffn, rows_)};
}

void PruningProgress::take(const ImportanceScores& importance, Masks masks) {
  const Masks cut = relative(masks, masks_, shared_);
  masks_ = std::move(masks);
  if (!shared_) rows_ = masks_.layers;
  steps_.push_back({importance, masks_});
  const std::string step =
      "step " + std::to_string(steps_.size()) + " of " + std::to_string(count_) + ": ";
  if (keeps_everything(cut)) {
    if (notice_)
      notice_(step + (recover_ ? "nothing goes, so nothing is trained" : "nothing goes"));
    return;
  }
  current_ = std::make_shared<Model>(pruned_model(model(), cut));
  if (notice_) notice_(step + left_in(model(), masks_));
  if (recover_) recover_(*current_, steps_.size() - 1);
}

Pruning PruningProgress::result() && {
  Pruning pruning{.steps = std::move(steps_), .masks = std::move(masks_)};
  if (recover_) pruning.recovered = std::move(current_);
  return pruning;
}

}  // namespace ink
