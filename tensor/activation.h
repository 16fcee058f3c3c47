// The activation functions of the BERT family, by name.
#pragma once
#include <cstdint>
#include <string>

namespace ink {

enum class Activation : uint8_t { none, relu, gelu, gelu_tanh, tanh, sigmoid };

// Names as in config.json: "gelu" is the exact form, "gelu_new" and "gelu_pytorch_tanh" are the
// tanh form. Raises Error for an unknown name, with the known ones.
Activation activation_from(const std::string& name);
const char* name_of(Activation f);

}  // namespace ink
