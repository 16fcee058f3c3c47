// Elementwise ops: write f and its derivative once, get the whole op.  y = f(x), dx = dy·f'(x)
//
// A functor names itself, says what its derivative reads (the input x, or the result y where that
// is cheaper, as for exp and tanh), and where samples are drawn from. Both functions must be free
// of branches that stop vectorization.
//
//   struct Square {
//     static constexpr const char* name = "square";
//     static constexpr Reads reads = Reads::input;
//     static constexpr double low = -3, high = 3;
//     template <class T> INK_BOTH static T f(T x) { return x * x; }
//     template <class T> INK_BOTH static T df(T x) { return 2 * x; }
//   };
//   Tensor square(const Tensor& x) { return apply<Unary<Square>>(x); }
//
// The CUDA kernel is made of the same functions. What is mapped there is a named functor, since no
// kernel can be made of a lambda.
#pragma once
#include <type_traits>
#include <vector>

#include "tensor/op.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

#if INK_CUDA
#include "cuda/map.cuh"
#endif

namespace ink {

// y[i] = f(x[i]…)
template <class F, class T, class... X>
void map_kernel(const F& f, int64_t n, T* y, const X*... x) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]...);
}
template <class F, class T, class... X>
void map(Cpu, const F& f, int64_t n, T* y, const X*... x) {
  parallel_for(n, grain_for(1), [&](int64_t begin, int64_t end) {
    simd::run([&] { map_kernel(f, end - begin, y + begin, (x + begin)...); });
  });
}

#if INK_CUDA
template <class F, class T, class... X>
void map(Cuda, const F& f, int64_t n, T* y, const X*... x) {
  cuda::map_elements(cuda::InF32<F, T>{f}, n, y, x...);
}
#endif

// A fresh tensor of f(x, more…), for tensors of one shape and type, not recorded.
// f takes and returns one element.
template <class F, class... Tensors>
Tensor map(const char* name, const F& f, const Tensor& x, const Tensors&... more) {
  check(((more.device() == x.device()) && ...), "", name, ": expected tensors on ",
        name_of(x.device()), " only");
  Tensor y = empty_like(x);
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    map(device, f, y.size(), y.data<T>(), contiguous(x).template data<T>(),
        contiguous(more).template data<T>()...);
  });
  return y;
}

// A number that functors hold for elements of f32 and f64. It is rounded to f32 here, so that no
// kernel computes in f64 to do so.
class Number {
 public:
  Number(double x) : wide_(x), rounded_(static_cast<float>(x)) {}
  template <class T>
  INK_BOTH T as() const {
    if constexpr (std::is_same_v<T, float>) {
      return rounded_;
    } else {
      return static_cast<T>(wide_);
    }
  }

 private:
  double wide_;
  float rounded_;
};

// v → factor·v
struct Times {
  static constexpr const char* name = "scale";
  Number factor;
  template <class T>
  INK_BOTH T operator()(T v) const {
    return v * factor.as<T>();
  }
};

// exact_output: the derivative cancels (1 − y²), so that it needs y as it was before a 16-bit type
// rounded it; there y is computed anew from x.
enum class Reads { input, output, exact_output };

// x → f(x), and (dy, v) → dy·f'(v)
template <class F>
struct Value {
  static constexpr const char* name = F::name;
  template <class T>
  INK_BOTH T operator()(T x) const {
    return F::f(x);
  }
};
template <class F>
struct ChainRule {
  static constexpr const char* name = F::name;
  template <class T>
  INK_BOTH T operator()(T dy, T v) const {
    return dy * F::df(v);
  }
};

// (dy, x) → dy·f'(f(x)), where f' reads the result
template <class F>
struct ChainRuleAnew {
  static constexpr const char* name = F::name;
  template <class T>
  INK_BOTH T operator()(T dy, T x) const {
    return dy * F::df(F::f(x));
  }
};

// Turns a functor into an op.
template <class F>
struct Unary {
  static constexpr const char* name = F::name;
  struct Saved {
    Tensor v;  // x or y, whichever backward reads
  };
  // Whether y is computed anew from x.
  static bool anew(const Tensor& x) {
    return F::reads == Reads::exact_output && wide(x.dtype()) != x.dtype();
  }

  static Tensor forward(Saved* saved, const Tensor& x) {
    Tensor y = map(name, Value<F>{}, x);
    if (saved) saved->v = F::reads == Reads::input || anew(x) ? x : y;
    return y;
  }

  static Grads backward(const Saved& saved, const Tensor& dy, Wanted) {
    if constexpr (F::reads == Reads::exact_output) {
      if (anew(dy)) return {map(name, ChainRuleAnew<F>{}, dy, saved.v)};
    }
    return {map(name, ChainRule<F>{}, dy, saved.v)};
  }

  static std::vector<Sample> samples() {
    const auto on_shape = [](const char* label, Shape shape, bool bench = false) {
      Sample s{.label = label,
               .in = {rand_uniform(shape, 1, F::low, F::high)},
               .call = [](auto in) { return apply<Unary<F>>(in[0]); },
               .bench = bench,
               .backward = moves(3, shape.size())};  // dy, v and dx
      if (shape.rank() > 0) s.by_row = {0};
      return s;
    };
    return {on_shape("scalar", {}),       on_shape("0", {0}),
            on_shape("2x0x3", {2, 0, 3}), on_shape("1x1", {1, 1}),
            on_shape("3x5x7", {3, 5, 7}), on_shape("2x1x3x2x5", {2, 1, 3, 2, 5}),
            on_shape("37x19", {37, 19}),  on_shape("1024x3072", {1024, 3072}, true)};
  }
};

}  // namespace ink
