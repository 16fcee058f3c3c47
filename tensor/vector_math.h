// exp, erf, tanh, sigmoid and the GELU family as inline functions of one number.
#pragma once
#include <cmath>

#include "tensor/activation.h"
namespace ink::vmath {
template <class T>
T exp(T x) {
  return std::exp(x);
}
template <class T>
T erf(T x) {
  return std::erf(x);
}
template <class T>
T tanh(T x) {
  return std::tanh(x);
}
template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}
template <class T>
T relu(T x) {
  return x < 0 ? T{0} : x;
}
template <class T>
T gelu(T x) {
  return x * T(0.5) * std::erfc(x * T(-0.70710678118654752));
}
template <class T>
T gelu_tanh(T x) {
  return T(0.5) * x * (1 + std::tanh(T(0.79788456080286536) * (x + T(0.044715) * x * x * x)));
}
template <class F>
void with(Activation a, const F& f) {
  switch (a) {
    case Activation::none: return f([](auto x) { return x; });
    case Activation::relu: return f([](auto x) { return relu(x); });
    case Activation::gelu: return f([](auto x) { return gelu(x); });
    case Activation::gelu_tanh: return f([](auto x) { return gelu_tanh(x); });
    case Activation::tanh: return f([](auto x) { return tanh(x); });
    case Activation::sigmoid: return f([](auto x) { return sigmoid(x); });
  }
}
}  // namespace ink::vmath
