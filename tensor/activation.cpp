// Names of the activation functions.
#include "tensor/activation.h"

#include "tensor/error.h"

namespace ink {

Activation activation_from(const std::string& name) {
  if (name == "gelu" || name == "gelu_python") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_fast" || name == "gelu_pytorch_tanh")
    return Activation::gelu_tanh;
  if (name == "relu") return Activation::relu;
  if (name == "tanh") return Activation::tanh;
  if (name == "sigmoid") return Activation::sigmoid;
  if (name == "linear") return Activation::none;
  fail("activation: expected gelu, gelu_new, relu, tanh, sigmoid or linear, got '", name, "'");
}

const char* name_of(Activation f) {
  switch (f) {
    case Activation::none: return "linear";
    case Activation::relu: return "relu";
    case Activation::gelu: return "gelu";
    case Activation::gelu_tanh: return "gelu_new";
    case Activation::tanh: return "tanh";
    case Activation::sigmoid: return "sigmoid";
  }
  fail("activation: unknown value ", static_cast<int>(f));
}

}  // namespace ink
