// Rows of masks when layers go and when models are cut step by step: which rows are left, scores of
// a cut model in terms of the one before, and masks in terms of a model that is cut already.
//
// Masks of a whole pruning are in terms of the model before it. Where layers share weights
// (`shared`: ALBERT) rows are of weights, not of layers, and stay however many layers run.
#pragma once
#include "compress/importance.h"
#include "compress/masks.h"

namespace ink {

// Masks of the model without the layers that masks.layers drops.
Masks rows_left(const Masks& masks, bool shared);

// `masks` in terms of the model that `before` has left; `before` drops nothing that `masks` keeps.
Masks relative(const Masks& masks, const Masks& before, bool shared);

// Scores of rows of `sizes` elements, from those of the model that `mask` and `layers` have left;
// what went has the score 0.
Importance spread(const Importance& scores, const Mask& mask, const std::vector<uint8_t>& layers,
                  const std::vector<int64_t>& sizes);
std::vector<double> spread(const std::vector<double>& scores, const std::vector<uint8_t>& mask);

// Applies choose_mask to the rows of layers that stay; the others become all zeros.
Mask choose_in_layers(const Importance& importance, const Mask& before,
                      const std::vector<uint8_t>& layers, int64_t total,
                      const KeepOptions& options);

}  // namespace ink
