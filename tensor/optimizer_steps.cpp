// One pass over parameter, gradient and moments for each step; LAMB takes two.
#include "tensor/optimizer_steps.h"

#include <cmath>

#include "tensor/expect.h"
#include "tensor/in_place.h"
#include "tensor/op.h"

namespace ink {
namespace {

// AdamStep in the tensor's type, with the bias corrections as factors.
template <class T>
struct AdamFactors {
  T beta1, beta2, rest1, rest2, correct1, correct2, epsilon, decay, scale;

  explicit AdamFactors(const AdamStep& s)
      : beta1(static_cast<T>(s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        rest1(static_cast<T>(1 - s.beta1)),
        rest2(static_cast<T>(1 - s.beta2)),
        correct1(static_cast<T>(
            s.bias_correction ? 1 / (1 - std::pow(s.beta1, static_cast<double>(s.t))) : 1)),
        correct2(static_cast<T>(
            s.bias_correction ? 1 / (1 - std::pow(s.beta2, static_cast<double>(s.t))) : 1)),
        epsilon(static_cast<T>(s.epsilon)),
        decay(static_cast<T>(s.weight_decay)),
        scale(static_cast<T>(s.gradient_scale)) {}

  // Updates the moments with one element of the gradient.
  void accumulate(T gradient, T& m, T& v) const {
    const T g = scale * gradient;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
  }
  // u, the direction that the learning rate multiplies.
  T direction(T w, T m, T v) const {
    return correct1 * m / (std::sqrt(correct2 * v) + epsilon) + decay * w;
  }
};

void expect_adam(const char* name, const Tensor& w, const Tensor& g, const Tensor& m,
                 const Tensor& v, const AdamStep& step) {
  check(step.t >= 1, "", name, ": steps count from 1, got t = ", step.t);
  expect_writable(name, "the parameter", w);
  expect(name, "the gradient", g, w.dtype(), w.shape());
  expect(name, "the first moment", m, w.dtype(), w.shape());
  expect(name, "the second moment", v, w.dtype(), w.shape());
  expect_writable(name, "the first moment", m);
  expect_writable(name, "the second moment", v);
}

}  // namespace

void adamw_update(Tensor& w, const Tensor& g, Tensor& m, Tensor& v, const AdamStep& step) {
  expect_adam("adamw", w, g, m, v, step);
  const Tensor gradient = contiguous(g);
  on("adamw", w, [&](auto, auto t) {
    using T = decltype(t);
    const AdamFactors<T> factors(step);
    const T rate = static_cast<T>(step.learning_rate), *in = gradient.data<T>();
    T *weight = w.data<T>(), *first = m.data<T>(), *second = v.data<T>();
    for_each_chunk(w.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        T a = first[i], b = second[i];
        factors.accumulate(in[i], a, b);
        first[i] = a, second[i] = b;
        weight[i] -= rate * factors.direction(weight[i], a, b);
      }
    });
  });
  w.touch(), m.touch(), v.touch();
}

void lamb_update(Tensor& w, const Tensor& g, Tensor& m, Tensor& v, const AdamStep& step,
                 bool trust_ratio) {
  if (!trust_ratio) return adamw_update(w, g, m, v, step);
  expect_adam("lamb", w, g, m, v, step);
  const Tensor gradient = contiguous(g);
  on("lamb", w, [&](auto, auto t) {
    using T = decltype(t);
    const AdamFactors<T> factors(step);
    const T* in = gradient.data<T>();
    T *weight = w.data<T>(), *first = m.data<T>(), *second = v.data<T>();
    const double w_norm = std::sqrt(sum_in_f64(w.size(), square_of<T>(weight)));
    const double u_norm = std::sqrt(sum_in_f64(w.size(), [=](int64_t i) {
      T a = first[i], b = second[i];
      factors.accumulate(in[i], a, b);
      first[i] = a, second[i] = b;
      const auto u = static_cast<double>(factors.direction(weight[i], a, b));
      return u * u;
    }));
    const double ratio = w_norm > 0 && u_norm > 0 ? w_norm / u_norm : 1;
    const T rate = static_cast<T>(step.learning_rate * ratio);
    for_each_chunk(w.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        weight[i] -= rate * factors.direction(weight[i], first[i], second[i]);
    });
  });
  w.touch(), m.touch(), v.touch();
}

void sgd_update(Tensor& w, const Tensor& g, Tensor& m, const SgdStep& step) {
  expect_writable("sgd", "the parameter", w);
  expect("sgd", "the gradient", g, w.dtype(), w.shape());
  expect("sgd", "the momentum", m, w.dtype(), w.shape());
  expect_writable("sgd", "the momentum", m);
  const Tensor gradient = contiguous(g);
  on("sgd", w, [&](auto, auto t) {
    using T = decltype(t);
    const T rate = static_cast<T>(step.learning_rate), momentum = static_cast<T>(step.momentum),
            decay = static_cast<T>(step.weight_decay), factor = static_cast<T>(step.gradient_scale);
    const T* in = gradient.data<T>();
    T *weight = w.data<T>(), *velocity = m.data<T>();
    for_each_chunk(w.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        velocity[i] = momentum * velocity[i] + (factor * in[i] + decay * weight[i]);
        weight[i] -= rate * velocity[i];
      }
    });
  });
  w.touch(), m.touch();
}

}  // namespace ink
