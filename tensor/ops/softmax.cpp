// y = exp(x − m) / Σ exp(x − m) with m = max x, over the last axis (N rows of C).
//
//   softmax:      dx = y·(dy − Σ dy·y)
//   log_softmax:  y = x − m − log Σ exp(x − m);   dx = dy − exp(y)·Σ dy
#include <cmath>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

template <class T>
void softmax_forward(Cpu, const T* x, T* y, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const T m = row_maximum(C, x);
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) y[c] = vmath::exp(x[c] - m);
    const T sum = row_sum<T>(C, [y](int64_t c) { return y[c]; });
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) y[c] /= sum;
  }
}

template <class T>
void softmax_backward(Cpu, const T* dy, const T* y, T* dx, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, dy += C, y += C, dx += C) {
    const T dot = row_sum<T>(C, [=](int64_t c) { return dy[c] * y[c]; });
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) dx[c] = y[c] * (dy[c] - dot);
  }
}

template <class T>
void log_softmax_forward(Cpu, const T* x, T* y, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const T m = row_maximum(C, x);
    const T log_sum = std::log(row_sum<T>(C, [=](int64_t c) { return vmath::exp(x[c] - m); }));
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) y[c] = (x[c] - m) - log_sum;
  }
}

template <class T>
void log_softmax_backward(Cpu, const T* dy, const T* y, T* dx, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, dy += C, y += C, dx += C) {
    const T sum = row_sum<T>(C, [=](int64_t c) { return dy[c]; });
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) dx[c] = dy[c] - vmath::exp(y[c]) * sum;
  }
}

// A fresh tensor of kernel(x…, y, N, C) over the rows of tensors of one shape (…, C).
template <class Kernel, class... Tensors>
Tensor map_rows(const char* name, const Kernel& kernel, const Tensor& x, const Tensors&... more) {
  const int64_t N = rows_of(name, x), C = x.dim(-1);
  Tensor y = empty_like(x);
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    const auto run = [&](T* out, const auto&... in) {
      parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * C;
        simd::run(
            [&] { kernel(device, (in.template data<T>() + at)..., out + at, end - begin, C); });
      });
    };
    run(y.data<T>(), contiguous(x), contiguous(more)...);
  });
  return y;
}

// ── the ops ─────────────────────────────────────────────────────────────────────────────────────

struct Softmax {
  static constexpr const char* name = "softmax";
  struct Saved {
    Tensor y;
  };

  static Tensor forward(Saved* saved, const Tensor& x) {
    Tensor y = map_rows(
        name, [](auto... a) { softmax_forward(a...); }, x);
    if (saved) saved->y = y;
    return y;
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {map_rows(
        name, [](auto... a) { softmax_backward(a...); }, dy, s.y)};
  }
  static Tensor reference(const Tensor& x) {
    const Tensor e = exp(subtract(x, maximum(x, -1, true)));
    return divide(e, sum(e, -1, true));
  }
  static std::vector<Sample> samples();
};

struct LogSoftmax {
  static constexpr const char* name = "log_softmax";
  struct Saved {
    Tensor y;
  };

  static Tensor forward(Saved* saved, const Tensor& x) {
    Tensor y = map_rows(
        name, [](auto... a) { log_softmax_forward(a...); }, x);
    if (saved) saved->y = y;
    return y;
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {map_rows(
        name, [](auto... a) { log_softmax_backward(a...); }, dy, s.y)};
  }
  static Tensor reference(const Tensor& x) {
    const Tensor centred = subtract(x, maximum(x, -1, true));
    return subtract(centred, log(sum(exp(centred), -1, true)));
  }
  static std::vector<Sample> samples();
};

template <class Function>
std::vector<Sample> samples_of(Function function) {
  std::vector<Sample> all;
  const auto sample = [&](const char* label, Shape shape) {
    Sample s{.label = label,
             .in = {randn(shape, 1)},
             .call = [=](auto in) { return function(in[0]); },
             .backward = moves(3, shape.size())};
    if (shape.rank() > 1) s.by_row = {0};
    all.push_back(std::move(s));
  };
  sample("4x6", {4, 6});
  sample("2x3x5", {2, 3, 5});
  sample("rank 1", {7});
  sample("one class", {3, 1});
  sample("no rows", {0, 5});
  sample("5x131", {5, 131});
  sample("4096x128", {4096, 128});
  all.back().bench = true;
  return all;
}
std::vector<Sample> Softmax::samples() {
  return samples_of([](const Tensor& x) { return softmax(x); });
}
std::vector<Sample> LogSoftmax::samples() {
  return samples_of([](const Tensor& x) { return log_softmax(x); });
}

INK_OPS entries[] = {describe<Softmax>(), describe<LogSoftmax>()};

}  // namespace

Tensor softmax(const Tensor& x) { return apply<Softmax>(x); }
Tensor log_softmax(const Tensor& x) { return apply<LogSoftmax>(x); }

}  // namespace ink
