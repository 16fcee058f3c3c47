// Activations: relu(x) = max(x, 0); gelu(x) = x·Φ(x) and its tanh form; tanh; sigmoid.
//   tanh' = 1 − y²;   sigmoid' = y(1 − y);   gelu' = Φ(x) + x·φ(x), where Φ and φ are the normal
//   distribution and its density
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/vector_math.h"

#if INK_CUDA
#include "cuda/rough_gelu.cuh"
#endif

namespace ink {
namespace {

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr Reads reads = Reads::output;  // which the next layer keeps anyway
  static constexpr double low = -2, high = 2;
  // A NaN stays one: it fails the comparison.
  template <class T>
  INK_BOTH static T f(T x) {
    return x < 0 ? T(0) : x;
  }
  template <class T>
  INK_BOTH static T df(T y) {
    return y > 0 ? T(1) : T(0);
  }
};

struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr Reads reads = Reads::input;
  static constexpr double low = -5, high = 5;
  template <class T>
  INK_BOTH static T f(T x) {
    return vmath::gelu(x);
  }
  template <class T>
  INK_BOTH static T df(T x) {
    return vmath::gelu_derivative(x);
  }
};

struct GeluTanh {
  static constexpr const char* name = "gelu_tanh";
  static constexpr Reads reads = Reads::input;
  static constexpr double low = -5, high = 5;
  template <class T>
  INK_BOTH static T f(T x) {
    return vmath::gelu_tanh(x);
  }
  template <class T>
  INK_BOTH static T df(T x) {
    return vmath::gelu_tanh_derivative(x);
  }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr Reads reads = Reads::exact_output;
  static constexpr double low = -3, high = 3;
  template <class T>
  INK_BOTH static T f(T x) {
    return vmath::tanh(x);
  }
  template <class T>
  INK_BOTH static T df(T y) {
    return 1 - y * y;
  }
};

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr Reads reads = Reads::exact_output;
  static constexpr double low = -6, high = 6;
  template <class T>
  INK_BOTH static T f(T x) {
    return vmath::sigmoid(x);
  }
  template <class T>
  INK_BOTH static T df(T y) {
    return y * (1 - y);
  }
};

}  // namespace

#if INK_CUDA
template <>
struct cuda::Rough<Value<Gelu>> {
  using Function = cuda::RoughGelu;
};
template <>
struct cuda::Rough<ChainRule<Gelu>> {
  struct Function {
    INK_DEVICE float operator()(float dy, float x) const { return dy * RoughGelu::derivative(x); }
  };
};
#endif

Tensor relu(const Tensor& x) { return apply<Unary<Relu>>(x); }
Tensor gelu(const Tensor& x) { return apply<Unary<Gelu>>(x); }
Tensor gelu_tanh(const Tensor& x) { return apply<Unary<GeluTanh>>(x); }
Tensor tanh(const Tensor& x) { return apply<Unary<Tanh>>(x); }
Tensor sigmoid(const Tensor& x) { return apply<Unary<Sigmoid>>(x); }

Tensor activate(const Tensor& x, Activation f) {
  switch (f) {
    case Activation::none: return x;
    case Activation::relu: return relu(x);
    case Activation::gelu: return gelu(x);
    case Activation::gelu_tanh: return gelu_tanh(x);
    case Activation::tanh: return tanh(x);
    case Activation::sigmoid: return sigmoid(x);
  }
  fail("activate: unknown activation ", static_cast<int>(f));
}

INK_OPS entries[] = {describe<Unary<Relu>>(), describe<Unary<Gelu>>(), describe<Unary<GeluTanh>>(),
                     describe<Unary<Tanh>>(), describe<Unary<Sigmoid>>()};

}  // namespace ink
