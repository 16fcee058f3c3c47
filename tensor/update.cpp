// In-place updates: one pass over memory each, in chunks that any thread may take.
#include "tensor/update.h"

#include <cmath>
#include <limits>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/sums.h"

namespace ink {
namespace {

// Raises Error unless the tensor's elements may be written where they lie, as one array.
void expect_writable(const char* name, const char* argument, const Tensor& x) {
  check(static_cast<bool>(x), "", name, ": ", argument, " is an undefined tensor");
  check(x.is_contiguous(), "", name, ": ", argument, " should be contiguous, got strides ",
        x.strides());
  check(!x.storage()->borrowed(), "", name, ": ", argument,
        " lies in a mapped file, which is read-only; copy it first (Parameters::own)");
}

// Calls kernel(begin, end) for chunks of [0, n), compiled for this processor.
template <class Kernel>
void for_each_chunk(int64_t n, const Kernel& kernel) {
  parallel_for(n, grain_for(1),
               [&](int64_t begin, int64_t end) { simd::run([&] { kernel(begin, end); }); });
}

template <class T>
double sum_of_squares(const T* x, int64_t n) {
  return chunked_sum(n, [=](int64_t begin, int64_t end) {
    double sum = 0;
    simd::run([&] {
      sum = row_sum<double>(end - begin, [p = x + begin](int64_t i) {
        return static_cast<double>(p[i]) * static_cast<double>(p[i]);
      });
    });
    return sum;
  });
}

}  // namespace

void add_gradient(Tensor& into, Tensor g) {
  check(static_cast<bool>(g), "add_gradient: the gradient is an undefined tensor");
  if (!into) {
    into = std::move(g);
    return;
  }
  expect("add_gradient", "the gradient", g, into.dtype(), into.shape());
  const bool alone =
      into.is_contiguous() && into.storage()->use_count() == 1 && !into.storage()->borrowed();
  Tensor sum = alone ? into : empty_like(into);
  const Tensor a = contiguous(into), b = contiguous(g);
  on("add_gradient", sum, [&](auto, auto t) {
    using T = decltype(t);
    T* out = sum.data<T>();
    const T *x = a.data<T>(), *y = b.data<T>();
    for_each_chunk(sum.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) out[i] = x[i] + y[i];
    });
  });
  sum.touch();
  into = std::move(sum);
}

void scale_in_place(Tensor& x, double factor) {
  expect_writable("scale_in_place", "x", x);
  on("scale_in_place", x, [&](auto, auto t) {
    using T = decltype(t);
    T* out = x.data<T>();
    const T f = static_cast<T>(factor);
    for_each_chunk(x.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) out[i] *= f;
    });
  });
  x.touch();
}

double squared_norm(const Tensor& x) {
  const Tensor packed = contiguous(x);
  double sum = 0;
  on("squared_norm", x,
     [&](auto, auto t) { sum = sum_of_squares(packed.data<decltype(t)>(), x.size()); });
  return sum;
}

bool all_finite(const Tensor& x) {
  const Tensor packed = contiguous(x);
  double bad = 0;
  on("all_finite", x, [&](auto, auto t) {
    using T = decltype(t);
    const T* in = packed.data<T>();
    bad = chunked_sum(x.size(), [=](int64_t begin, int64_t end) {
      int64_t found = 0;
      simd::run([&] {
#pragma omp simd reduction(+ : found)
        for (int64_t i = begin; i < end; ++i)
          found += std::abs(in[i]) <= std::numeric_limits<T>::max() ? 0 : 1;
      });
      return static_cast<double>(found);
    });
  });
  return bad == 0;
}

// ── optimizer steps ─────────────────────────────────────────────────────────────────────────────

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
    const double w_norm = std::sqrt(sum_of_squares<T>(weight, w.size()));
    const double u_norm = std::sqrt(chunked_sum(w.size(), [=](int64_t begin, int64_t end) {
      double sum = 0;
      simd::run([&] {
        sum = row_sum<double>(end - begin, [=, &factors](int64_t k) {
          const int64_t i = begin + k;
          T a = first[i], b = second[i];
          factors.accumulate(in[i], a, b);
          first[i] = a, second[i] = b;
          const auto u = static_cast<double>(factors.direction(weight[i], a, b));
          return u * u;
        });
      });
      return sum;
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
