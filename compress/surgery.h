// Model surgery as a pure function: (config, parameters, masks) → smaller (config, parameters).
//
// A head owns D rows of the query, key and value weights (with their biases) and D columns of the
// attention's output weight; an FFN neuron owns a row of the first weight, its bias, and a column
// of the second. What a mask drops is cut out, everything else is copied; the result is an ordinary
// model. The same masks applied as zeros keep all shapes and compute the same function, because a
// head whose values are 0 and a neuron whose activation is f(0) = 0 add nothing.
#pragma once
#include <string>
#include <vector>

#include "compress/masks.h"
#include "nn/config.h"
#include "tensor/parameters.h"

namespace ink {

// The weights of one layer that heads and neurons own.
template <class P>  // Parameter or const Parameter
struct PrunableLayer {
  P *query_weight, *query_bias, *key_weight, *key_bias, *value_weight,
      *value_bias;                       // (H·D, C), (H·D)
  P* attention_output;                   // (C, H·D)
  P *ffn_input_weight, *ffn_input_bias;  // (F, C), (F)
  P* ffn_output;                         // (C, F)
};

// Found by the names of the family. Raises Error when a weight is missing or does not
// have the shape that `config` says.
std::vector<PrunableLayer<Parameter>> prunable_layers(Parameters& parameters,
                                                      const ModelConfig& config);
std::vector<PrunableLayer<const Parameter>> prunable_layers(const Parameters& parameters,
                                                            const ModelConfig& config);

struct PrunedModel {
  ModelConfig config;
  Parameters parameters;  // own memory: nothing is shared with the original
};

// Empty masks prune nothing. Raises Error for masks that do not fit the config and
// for a layer left empty.
PrunedModel prune_with_masks(const ModelConfig& config, const Parameters& parameters,
                             const Masks& masks);

// Writes zeros where the masks drop, in place.
void zero_masked(const ModelConfig& config, Parameters& parameters, const Masks& masks);

}  // namespace ink
