// L = mean over rows of 1 − c, c = x·y/(|x||y|);   dx = −(y/(|x||y|) − c·x/|x|²)/rows, dy alike
//
// A vector of length 0 has no direction: its row gets c = 0 and no gradient. The loss of no rows
// is 0. The CPU works through rows in f64, where the square of no f32 overflows or vanishes.
#include <algorithm>
#include <bit>
#include <cmath>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/mean.h"
#include "tensor/sums.h"

#if INK_CUDA
#include "cuda/mean.h"
#include "cuda/row_packs.cuh"
#endif

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

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
void rows_forward(const T* x, const T* y, T* loss, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const Lengths l = lengths(x, y, C);
    loss[n] = static_cast<T>(l.zero() ? 1 : 1 - l.dot * l.inverse());
  }
}

template <class T>
Tensor cosine_forward(Cpu, const T* x, const T* y, int64_t N, int64_t C) {
  Tensor losses({N}, dtype_of<T>);
  T* loss = losses.data<T>();
  parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * C;
    simd::run([&] { rows_forward(x + at, y + at, loss + begin, end - begin, C); });
  });
  const double sum = sum_in_f64(N, [=](int64_t n) { return loss[n]; });
  return full({}, N ? sum / static_cast<double>(N) : 0, dtype_of<T>);
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
void rows_backward(const T* x, const T* y, double factor, T* dx, T* dy, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const Lengths l = lengths(x, y, C);
    const double cross = l.zero() ? 0 : -factor * l.inverse();
    const double along_x = l.zero() ? 0 : -cross * (l.dot / l.x2),
                 along_y = l.zero() ? 0 : -cross * (l.dot / l.y2);
    if (dx) direction_gradient(x, y, cross, along_x, dx + n * C, C);
    if (dy) direction_gradient(y, x, cross, along_y, dy + n * C, C);
  }
}

template <class T>
void cosine_backward(Cpu, const T* x, const T* y, Factor factor, T* dx, T* dy, int64_t N,
                     int64_t C) {
  parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * C;
    simd::run([&] {
      rows_backward(x + at, y + at, factor.value, dx ? dx + at : nullptr, dy ? dy + at : nullptr,
                    end - begin, C);
    });
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// In f32, with directions u = x/|x| and v = y/|y|: 1 − c = |u − v|²/2, which keeps its digits where
// u and v nearly agree, and dx = −(v − u + (1 − c)·u)/|x|. Before lengths are taken, x is scaled by
// a power of 2, so that no square overflows or vanishes.

// The inverse power of 2 that brings a row whose largest element is `largest` near 1.
INK_DEVICE float unit_scale(float largest) {
  const int exponent = static_cast<int>(std::bit_cast<uint32_t>(largest) >> 23);
  const int inverse = exponent > 253 ? 1 : exponent < 1 ? 253 : 254 - exponent;
  return std::bit_cast<float>(static_cast<uint32_t>(inverse) << 23);
}

// x → u = x·scale/length, where length is |x·scale|, or 1 for a row of zeros.
struct Direction {
  float scale, length;
  bool zero;
  INK_DEVICE float operator()(float x) const { return x * scale / length; }
};

template <class T, class Team>
INK_DEVICE Direction direction(Team team, const T* x, int64_t C, bool packed, float* part) {
  constexpr int P = cuda::kPack<T>;
  float largest = 0, squares = 0;
  cuda::each_pack_of(team, {x}, C, packed, [&](int64_t, const float(&v)[1][P]) {
#pragma unroll
    for (const float each : v[0]) largest = cuda::Larger{}(largest, fabsf(each));
  });
  const float scale = unit_scale(team.largest(largest, part));
  cuda::each_pack_of(team, {x}, C, packed, [&](int64_t, const float(&v)[1][P]) {
#pragma unroll
    for (const float each : v[0]) squares += (each * scale) * (each * scale);
  });
  squares = team.sum(squares, part);
  return {scale, squares == 0 ? 1.0f : sqrtf(squares), squares == 0};
}

// f(u, v, first column) for the directions of each pack of x and y.
template <class T, class Team, class F>
INK_DEVICE void each_direction(Team team, const T* x, const T* y, Direction of_x, Direction of_y,
                               int64_t C, bool packed, const F& f) {
  constexpr int P = cuda::kPack<T>;
  cuda::each_pack_of(team, {x, y}, C, packed, [&](int64_t first, const float(&row)[2][P]) {
    float u[P], v[P];
#pragma unroll
    for (int j = 0; j < P; ++j) u[j] = of_x(row[0][j]), v[j] = of_y(row[1][j]);
    f(u, v, first);
  });
}

// 1 − c = |u − v|²/2
template <class T, class Team>
INK_DEVICE float distance(Team team, const T* x, const T* y, Direction of_x, Direction of_y,
                          int64_t C, bool packed, float* part) {
  constexpr int P = cuda::kPack<T>;
  float sum = 0;
  each_direction(team, x, y, of_x, of_y, C, packed,
                 [&](const float(&u)[P], const float(&v)[P], int64_t) {
#pragma unroll
                   for (int j = 0; j < P; ++j) sum += (u[j] - v[j]) * (u[j] - v[j]);
                 });
  return 0.5f * team.sum(sum, part);
}

template <class T, class Team>
__global__ void cosine_kernel(Team team, const T* x, const T* y, float* loss, int64_t N, int64_t C,
                              bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t n = team.first_row();
  if (n >= N) return;  // a whole team, and one without company at barriers
  x += n * C, y += n * C;
  const Direction of_x = direction(team, x, C, packed, part);
  const Direction of_y = direction(team, y, C, packed, part);
  const float l = distance(team, x, y, of_x, of_y, C, packed, part);
  if (team.rank() == 0) loss[n] = of_x.zero || of_y.zero ? 1.0f : l;
}

template <class T>
Tensor cosine_forward(Cuda, const T* x, const T* y, int64_t N, int64_t C) {
  Tensor losses({N}, Dtype::f32, Device::cuda);
  cuda::with_long_row_team<T>(C, [&](auto team, int threads) {
    cuda::launch("cosine_loss_forward", cosine_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, y, losses.data<float>(), N, C,
                 cuda::packs<T>(C, x) && cuda::packs<T>(C, y));
  });
  return cuda::scaled_sum(losses, N ? 1 / static_cast<double>(N) : 0);
}

// One row of the gradient by x: by·(v − u + (1 − c)·u), by = −factor/|x|
template <class T, class Team>
INK_DEVICE void turn(Team team, const T* x, const T* y, Direction of_x, Direction of_y,
                     float distance, float factor, T* dx, int64_t C, bool packed) {
  constexpr int P = cuda::kPack<T>;
  const float by = of_x.zero || of_y.zero ? 0.0f : -factor / of_x.length;
  each_direction(team, x, y, of_x, of_y, C, packed,
                 [&](const float(&u)[P], const float(&v)[P], int64_t first) {
                   float g[P];
#pragma unroll
                   for (int j = 0; j < P; ++j)
                     g[j] = by * (v[j] - u[j] + distance * u[j]) * of_x.scale;
                   cuda::store_floats(dx, g, first, C, packed);
                 });
}

template <class T, class Team>
__global__ void cosine_backward_kernel(Team team, const T* x, const T* y, DeviceFactor factor,
                                       T* dx, T* dy, int64_t N, int64_t C, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t n = team.first_row();
  if (n >= N) return;
  x += n * C, y += n * C;
  const Direction of_x = direction(team, x, C, packed, part);
  const Direction of_y = direction(team, y, C, packed, part);
  const float l = distance(team, x, y, of_x, of_y, C, packed, part), by = factor.as<float>();
  if (dx) turn(team, x, y, of_x, of_y, l, by, dx + n * C, C, packed);
  if (dy) turn(team, y, x, of_y, of_x, l, by, dy + n * C, C, packed);
}

template <class T>
void cosine_backward(Cuda, const T* x, const T* y, DeviceFactor factor, T* dx, T* dy, int64_t N,
                     int64_t C) {
  const bool packed = cuda::packs<T>(C, x) && cuda::packs<T>(C, y) && cuda::packs<T>(C, dx) &&
                      cuda::packs<T>(C, dy);
  cuda::with_long_row_team<T>(C, [&](auto team, int threads) {
    cuda::launch("cosine_loss_backward", cosine_backward_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, y, factor, dx, dy, N, C,
                 packed);
  });
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct CosineLoss {
  static constexpr const char* name = "cosine_loss";
  struct Saved {
    Tensor x, y;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& y_) {
    const int64_t N = rows_of(name, x_), C = x_.dim(-1);
    expect_like(name, "y", y_, x_);
    const Tensor x = contiguous(x_), y = contiguous(y_);
    Tensor loss;
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      loss = cosine_forward(device, x.data<T>(), y.data<T>(), N, C);
    });
    if (saved) *saved = {x, y};
    return loss;
  }

  static Grads backward(const Saved& s, const Tensor& dloss, Wanted wanted) {
    const int64_t N = rows_of(name, s.x), C = s.x.dim(-1);
    Tensor dx, dy;
    if (wanted[0]) dx = empty_like(s.x);
    if (wanted[1]) dy = empty_like(s.y);
    on(name, s.x, [&](auto device, auto t) {
      using T = decltype(t);
      cosine_backward(device, s.x.data<T>(), s.y.data<T>(), mean_factor(device, dloss, 1, N),
                      dx ? dx.data<T>() : nullptr, dy ? dy.data<T>() : nullptr, N, C);
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
