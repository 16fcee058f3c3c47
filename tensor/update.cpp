// Gradient sums and norms: one pass over memory each, in chunks that any thread may take.
#include "tensor/update.h"

#include <cmath>
#include <limits>
#include <utility>

#include "tensor/expect.h"
#include "tensor/in_place.h"
#include "tensor/op.h"

namespace ink {

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
     [&](auto, auto t) { sum = sum_in_f64(x.size(), square_of(packed.data<decltype(t)>())); });
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

}  // namespace ink
