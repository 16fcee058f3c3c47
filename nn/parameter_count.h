// How many parameters a model will have and of what shapes, known before any of them takes memory.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "nn/model.h"

namespace ink {

int64_t parameter_count(const ModelConfig& config, const Heads& heads);
// And of what shapes.
std::map<std::string, Shape> parameter_shapes(const ModelConfig& config, const Heads& heads);

// Raises Error when training such a model (16 bytes a parameter: value, gradient, two moments)
// needs more memory than the machine has.
void check_trainable_here(const ModelConfig& config, const Heads& heads);

}  // namespace ink
