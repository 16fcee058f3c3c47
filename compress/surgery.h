// Model surgery as a pure function: (config, parameters, masks) → smaller (config, parameters).
//
// A head owns D rows of the query, key and value weights (with their biases) and D columns of the
// attention's output weight; in XLNet also its part of the weight of distances, of the biases r_w,
// r_r and r_s and of the segments' vectors. An FFN neuron owns a row of the first weight, its bias,
// and a column of the second. What a mask drops is cut out, everything else is copied; the result
// is an ordinary model. The same masks applied as zeros keep all shapes and compute the same
// function, because what enters with output weights of 0 adds nothing.
//
// Masks have a row for each layer that has weights of its own:
//   ALBERT      a row for each of its groups' layers, however often it runs; all of one size
//   MobileBERT  a row of `ffn` is the neurons of a layer's networks one behind the other, and each
//               network keeps as many
#pragma once
#include <vector>

#include "compress/masks.h"
#include "nn/config.h"
#include "tensor/parameters.h"

namespace ink {

// What rows of masks a model has.
struct PrunableSizes {
  std::vector<int64_t> heads, ffn;  // elements of each row
  int64_t networks = 1;             // that a row of ffn is of
};

// Raises Error for a body without heads and feed-forward networks.
PrunableSizes prunable_sizes(const ModelConfig& config);

// Empty masks prune nothing; layers and channels go by compress/stream_surgery.h. Raises Error for
// masks that do not fit the config, for a layer left empty, and where layers that share weights or
// networks of a layer would differ in size.
ModelConfig pruned_config(const ModelConfig& config, const Masks& masks);

struct PrunedModel {
  ModelConfig config;
  Parameters parameters;  // own memory: nothing is shared with the original
};

// Of heads and neurons alone: masks of layers and channels are an Error, here and below. Raises
// Error as above, and when a weight is missing or does not have the size that `config` says.
PrunedModel prune_with_masks(const ModelConfig& config, const Parameters& parameters,
                             const Masks& masks);

// Writes zeros where the masks drop, in place.
void zero_masked(const ModelConfig& config, Parameters& parameters, const Masks& masks);

}  // namespace ink
