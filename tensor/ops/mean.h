// Losses that are means: the mean of f(x, y) over elements, and what a mean's gradient is
// multiplied by.
#pragma once
#include "tensor/op.h"
#include "tensor/sums.h"

#if INK_CUDA
#include "cuda/sum.cuh"
#endif

namespace ink {

// Σ f(x[i], y[i]) / n as a scalar; 0 for n = 0.
template <class F, class T>
Tensor mean_of(Cpu, const F& f, int64_t n, const T* x, const T* y) {
  const double sum = sum_in_f64(n, [=](int64_t i) { return f(x[i], y[i]); });
  return full({}, n ? sum / static_cast<double>(n) : 0, dtype_of<T>);
}

#if INK_CUDA
template <class F, class T>
Tensor mean_of(Cuda, const F& f, int64_t n, const T* x, const T* y) {
  return cuda::sum_of(f, n, x, y, n ? 1 / static_cast<double>(n) : 0);
}
#endif

// times·dy/n, the factor of a mean's gradient: on the CPU the number itself, 0 for n = 0.
struct Factor {
  double value;
  template <class T>
  INK_BOTH T as() const {
    return static_cast<T>(value);
  }
};

inline Factor mean_factor(Cpu, const Tensor& dy, double times, int64_t n) {
  return {n ? times * dy.item() / static_cast<double>(n) : 0};
}

// On the CUDA device dy stays where it is, so that nothing waits for it.
struct DeviceFactor {
  const float* dy;
  float scale;
  template <class T>
  INK_BOTH float as() const {
    return *dy * scale;
  }
};

inline DeviceFactor mean_factor(Cuda, const Tensor& dy, double times, int64_t n) {
  return {dy.data<float>(), static_cast<float>(n ? times / static_cast<double>(n) : 0)};
}

}  // namespace ink
