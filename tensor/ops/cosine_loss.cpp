// L = mean over rows of 1 − c, c = x·y/(|x||y|);   dx = −(y/(|x||y|) − c·x/|x|²)/rows, dy alike
//
// A vector of length 0 has no direction: its row gets c = 0 and no gradient. The loss of no rows
// is 0. Rows are worked through in f64, where the square of no f32 overflows or vanishes.
#include <algorithm>
#include <cmath>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/sums.h"

namespace ink {
namespace {

struct Lengths {
  double dot, x2, y2;  // x·y, |x|², |y|²

  bool zero() const { return x2 == 0 || y2 == 0; }
  double inverse() const { return 1 / (std::sqrt(x2) * std::sqrt(y2)); }
};

template <class T>
double dot(const T* x, const T* y, int64_t C) {
  return row_sum<double>(
      C, [=](int64_t c) { return static_cast<double>(x[c]) * static_cast<double>(y[c]); });
}

template <class T>
Lengths lengths(const T* x, const T* y, int64_t C) {
  return {dot(x, y, C), dot(x, x, C), dot(y, y, C)};
}

template <class T>
void cosine_forward(Cpu, const T* x, const T* y, T* loss, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const Lengths l = lengths(x, y, C);
    loss[n] = static_cast<T>(l.zero() ? 1 : 1 - l.dot * l.inverse());
  }
}

// One row of the gradient of 1 − c by x, times factor.
template <class T>
void direction_gradient(const T* x, const T* y, double cross, double along, T* dx, int64_t C) {
#pragma omp simd
  for (int64_t c = 0; c < C; ++c)
    dx[c] = static_cast<T>(cross * static_cast<double>(y[c]) + along * static_cast<double>(x[c]));
}

// dx or dy may be null.
template <class T>
void cosine_backward(Cpu, const T* x, const T* y, double factor, T* dx, T* dy, int64_t N,
                     int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const Lengths l = lengths(x, y, C);
    const double cross = l.zero() ? 0 : -factor * l.inverse();
    const double along_x = l.zero() ? 0 : -cross * (l.dot / l.x2),
                 along_y = l.zero() ? 0 : -cross * (l.dot / l.y2);
    if (dx) direction_gradient(x, y, cross, along_x, dx + n * C, C);
    if (dy) direction_gradient(y, x, cross, along_y, dy + n * C, C);
  }
}

struct CosineLoss {
  static constexpr const char* name = "cosine_loss";
  struct Saved {
    Tensor x, y;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& y_) {
    const int64_t N = rows_of(name, x_), C = x_.dim(-1);
    expect(name, "y", y_, x_.dtype(), x_.shape());
    const Tensor x = contiguous(x_), y = contiguous(y_);
    Tensor losses({N}, x.dtype());
    double sum = 0;
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      const T *a = x.data<T>(), *b = y.data<T>();
      T* loss = losses.data<T>();
      parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * C;
        simd::run([&] { cosine_forward(device, a + at, b + at, loss + begin, end - begin, C); });
      });
      sum = sum_in_f64(N, [=](int64_t n) { return loss[n]; });
    });
    if (saved) *saved = {x, y};
    return full({}, N ? sum / static_cast<double>(N) : 0, x.dtype());
  }

  static Grads backward(const Saved& s, const Tensor& dloss, Wanted wanted) {
    const int64_t N = rows_of(name, s.x), C = s.x.dim(-1);
    const double factor = N ? dloss.item() / static_cast<double>(N) : 0;
    Tensor dx, dy;
    if (wanted[0]) dx = empty_like(s.x);
    if (wanted[1]) dy = empty_like(s.y);
    on(name, s.x, [&](auto device, auto t) {
      using T = decltype(t);
      const T *x = s.x.data<T>(), *y = s.y.data<T>();
      T *out_x = dx ? dx.data<T>() : nullptr, *out_y = dy ? dy.data<T>() : nullptr;
      parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * C;
        simd::run([&] {
          cosine_backward(device, x + at, y + at, factor, out_x ? out_x + at : nullptr,
                          out_y ? out_y + at : nullptr, end - begin, C);
        });
      });
    });
    return {dx, dy};
  }

  // Of rows without zero vectors.
  static Tensor reference(const Tensor& x, const Tensor& y) {
    const int64_t N = rows_of(name, x);
    expect(name, "y", y, x.dtype(), x.shape());
    const Tensor dot = sum(multiply(x, y), -1);
    const Tensor lengths = multiply(sqrt(sum(square(x), -1)), sqrt(sum(square(y), -1)));
    return scale(sum(shift(scale(divide(dot, lengths), -1), 1)),
                 1 / static_cast<double>(std::max<int64_t>(N, 1)));
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape) {
      all.push_back({.label = label,
                     .in = {randn(shape, 1), randn(shape, 2)},
                     .call = [](auto in) { return cosine_loss(in[0], in[1]); },
                     .backward = moves(4, shape.size())});
    };
    sample("4x6", {4, 6});
    sample("rank 1", {5});
    sample("one channel", {3, 1});
    sample("no rows", {0, 3});
    sample("3x5x67", {3, 5, 67});
    sample("1024x768", {1024, 768});
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<CosineLoss>()};

}  // namespace

Tensor cosine_loss(const Tensor& x, const Tensor& y) { return apply<CosineLoss>(x, y); }

}  // namespace ink
