// Layer-wise decay of the learning rate: layer i of L learns at rate·decay^(L + 1 − i), i from 0, the
// embeddings at rate·decay^(L + 2), heads and pooler at the rate (Clark et al. 2020, ELECTRA's
// fine-tuning, with 0.8; Howard & Ruder 2018).
#pragma once
#include "nn/config.h"
#include "tensor/parameters.h"

namespace ink {

// Multiplies Parameter::rate of all parameters of a model. decay: above 0, at most 1. Raises Error
// where layers share weights, or where there are none.
void decay_rates_by_layer(Parameters& parameters, const ModelConfig& config, double decay);

}  // namespace ink
