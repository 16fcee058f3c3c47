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

#if INK_CUDA
#include "cuda/log_sum_exp.cuh"
#endif

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// Each kind of result has its loops over rows here and, on the CUDA device, what the kernels below
// do with an element.
struct Probability {
  template <class T>
  static void forward(const T* x, T* y, int64_t N, int64_t C) {
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
  static void backward(const T* dy, const T* y, T* dx, int64_t N, int64_t C) {
    for (int64_t n = 0; n < N; ++n, dy += C, y += C, dx += C) {
      const T dot = row_sum<T>(C, [=](int64_t c) { return dy[c] * y[c]; });
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) dx[c] = y[c] * (dy[c] - dot);
    }
  }

#if INK_CUDA
  // y = result(x − peak, of(total))
  INK_DEVICE static float of(float total) { return 1 / total; }
  INK_DEVICE static float result(float centred, float inverse) { return expf(centred) * inverse; }
  // The same in two steps: kept(x − peak, total) adds to the total what finished() starts from.
  INK_DEVICE static float kept(float centred, float& total) {
    const float e = expf(centred);
    total += e;
    return e;
  }
  INK_DEVICE static float finished(float e, float inverse) { return e * inverse; }
  // dx = gradient(dy, y, Σ term(dy, y))
  INK_DEVICE static float term(float dy, float y) { return dy * y; }
  INK_DEVICE static float gradient(float dy, float y, float sum) { return y * (dy - sum); }
#endif
};

struct LogProbability {
  template <class T>
  static void forward(const T* x, T* y, int64_t N, int64_t C) {
    for (int64_t n = 0; n < N; ++n, x += C, y += C) {
      const T m = row_maximum(C, x);
      const T log_sum = std::log(row_sum<T>(C, [=](int64_t c) { return vmath::exp(x[c] - m); }));
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) y[c] = (x[c] - m) - log_sum;
    }
  }

  template <class T>
  static void backward(const T* dy, const T* y, T* dx, int64_t N, int64_t C) {
    for (int64_t n = 0; n < N; ++n, dy += C, y += C, dx += C) {
      const T sum = row_sum<T>(C, [=](int64_t c) { return dy[c]; });
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) dx[c] = dy[c] - vmath::exp(y[c]) * sum;
    }
  }

#if INK_CUDA
  INK_DEVICE static float of(float total) { return logf(total); }
  INK_DEVICE static float result(float centred, float log_total) { return centred - log_total; }
  INK_DEVICE static float kept(float centred, float& total) {
    total += expf(centred);
    return centred;
  }
  INK_DEVICE static float finished(float centred, float log_total) { return centred - log_total; }
  INK_DEVICE static float term(float dy, float) { return dy; }
  INK_DEVICE static float gradient(float dy, float y, float sum) { return dy - expf(y) * sum; }
#endif
};

// f(first, rows) over shares of the N rows.
template <class F>
void in_shares(int64_t N, int64_t C, const F& f) {
  parallel_for(N, grain_for(C),
               [&](int64_t begin, int64_t end) { simd::run([&] { f(begin * C, end - begin); }); });
}

template <class Kind, class T>
void forward(Cpu, Kind, const T* x, T* y, int64_t N, int64_t C) {
  in_shares(N, C, [=](int64_t at, int64_t n) { Kind::forward(x + at, y + at, n, C); });
}

template <class Kind, class T>
void backward(Cpu, Kind, const T* dy, const T* y, T* dx, int64_t N, int64_t C) {
  in_shares(N, C, [=](int64_t at, int64_t n) { Kind::backward(dy + at, y + at, dx + at, n, C); });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// Rows of up to 16,384 elements stay in the registers of their team; longer ones are read twice.

constexpr int64_t kLongest = 16384;  // that with_row_team has a team for

// Each team takes every (number of teams)-th row, and fetches the next one before it works on the
// last.
template <class Kind, class T, class Team, int K>
__global__ void __launch_bounds__(Team::kMostThreads,
                                  cuda::blocks_bound(Team::blocks(K*(cuda::kPack<T> + 4))))
    softmax_kernel(Team team, const T* x, T* y, int64_t N, int C, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t step = gridDim.x * int64_t{Team::kRowsInBlock};
  if (team.first_row() >= N) return;  // a whole team, and one without company at barriers
  cuda::FetchedRow<T, K> next(team, x + team.first_row() * C, C, packed);
  for (int64_t n = team.first_row(); n < N; n += step) {
    cuda::Row<T, K> row(next);
    if (n + step < N) next = cuda::FetchedRow<T, K>(team, x + (n + step) * C, C, packed);
    if (C < K * row.P * team.size())
      row.each(team, [&](float& v, int c) { v = c < C ? v : cuda::Larger::kStart; });
    float peak = cuda::Larger::kStart, total = 0;
    row.each(team, [&](float v, int) { peak = cuda::Larger{}(peak, v); });
    peak = team.largest(peak, part);
    row.each(team, [&](float& v, int) { v = Kind::kept(v - peak, total); });
    const float scale = Kind::of(team.sum(total, part));
    row.each(team, [&](float& v, int) { v = Kind::finished(v, scale); });
    row.store(team, y + n * C, C, packed);
  }
}

template <class Kind, class T, class Team, int K>
__global__ void __launch_bounds__(Team::kMostThreads)
    softmax_backward_kernel(Team team, const T* dy, const T* y, T* dx, int64_t N, int C,
                            bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t n = team.first_row();
  if (n >= N) return;
  cuda::Row<T, K> g, p;
  g.load(team, dy + n * C, C, packed);
  p.load(team, y + n * C, C, packed);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < K * g.P; ++i)
    sum += Kind::term(g.at[i / g.P][i % g.P], p.at[i / g.P][i % g.P]);
  sum = team.sum(sum, part);
#pragma unroll
  for (int i = 0; i < K * g.P; ++i) {
    float& v = g.at[i / g.P][i % g.P];
    v = Kind::gradient(v, p.at[i / g.P][i % g.P], sum);
  }
  g.store(team, dx + n * C, C, packed);
}

template <class Kind, class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    long_softmax_kernel(Team team, const T* x, T* y, int64_t N, int64_t C, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  constexpr int P = cuda::kPack<T>;
  const int64_t n = team.first_row();
  if (n >= N) return;
  const cuda::ExpSum s = cuda::exp_sum(team, x + n * C, C, packed, part);
  const float scale = Kind::of(s.total);
  cuda::each_pack_of(team, {x + n * C}, C, packed, [&](int64_t first, const float(&v)[1][P]) {
    float result[P];
#pragma unroll
    for (int j = 0; j < P; ++j) result[j] = Kind::result(v[0][j] - s.peak, scale);
    cuda::store_floats(y + n * C, result, first, C, packed);
  });
}

template <class Kind, class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    long_softmax_backward_kernel(Team team, const T* dy, const T* y, T* dx, int64_t N, int64_t C,
                                 bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  constexpr int P = cuda::kPack<T>;
  const int64_t n = team.first_row();
  if (n >= N) return;
  const auto each = [&](const auto& f) {
    cuda::each_pack_of(team, {dy + n * C, y + n * C}, C, packed, f);
  };
  float own = 0;
  each([&](int64_t, const float(&v)[2][P]) {
#pragma unroll
    for (int j = 0; j < P; ++j) own += Kind::term(v[0][j], v[1][j]);
  });
  const float sum = team.sum(own, part);
  each([&](int64_t first, const float(&v)[2][P]) {
    float g[P];
#pragma unroll
    for (int j = 0; j < P; ++j) g[j] = Kind::gradient(v[0][j], v[1][j], sum);
    cuda::store_floats(dx + n * C, g, first, C, packed);
  });
}

template <class Kind, class T>
void forward(Cuda, Kind, const T* x, T* y, int64_t N, int64_t C) {
  const bool packed = cuda::packs<T>(C, x) && cuda::packs<T>(C, y);
  if (C > kLongest) {
    return cuda::with_long_row_team<T>(C, [&](auto team, int threads) {
      cuda::launch("softmax_forward", long_softmax_kernel<Kind, T, decltype(team)>,
                   {cuda::blocks_for_rows(team, N), threads}, team, x, y, N, C, packed);
    });
  }
  cuda::with_row_team<T>("softmax", C, [&](auto team, auto k, int threads) {
    constexpr int64_t kBlocks = 2112;  // sixteen for each of 132 processors
    cuda::launch("softmax_forward", softmax_kernel<Kind, T, decltype(team), decltype(k)::value>,
                 {std::min(cuda::blocks_for_rows(team, N), kBlocks), threads}, team, x, y, N, C,
                 packed);
  });
}

template <class Kind, class T>
void backward(Cuda, Kind, const T* dy, const T* y, T* dx, int64_t N, int64_t C) {
  const bool packed = cuda::packs<T>(C, dy) && cuda::packs<T>(C, y) && cuda::packs<T>(C, dx);
  if (C > kLongest) {
    return cuda::with_long_row_team<T>(C, [&](auto team, int threads) {
      cuda::launch("softmax_backward", long_softmax_backward_kernel<Kind, T, decltype(team)>,
                   {cuda::blocks_for_rows(team, N), threads}, team, dy, y, dx, N, C, packed);
    });
  }
  cuda::with_row_team<T>("softmax", C, [&](auto team, auto k, int threads) {
    cuda::launch("softmax_backward",
                 softmax_backward_kernel<Kind, T, decltype(team), decltype(k)::value>,
                 {cuda::blocks_for_rows(team, N), threads}, team, dy, y, dx, N, C, packed);
  });
}
#endif

// ── the ops ─────────────────────────────────────────────────────────────────────────────────────

struct SoftmaxSaved {
  Tensor y;
};

template <class Kind>
Tensor probabilities(const char* name, Kind kind, SoftmaxSaved* saved, const Tensor& x_) {
  const int64_t N = rows_of(name, x_), C = x_.dim(-1);
  const Tensor x = contiguous(x_);
  Tensor y = empty_like(x);
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    forward(device, kind, x.data<T>(), y.data<T>(), N, C);
  });
  if (saved) saved->y = y;
  return y;
}

template <class Kind>
Grads probabilities_backward(const char* name, Kind kind, const SoftmaxSaved& s,
                             const Tensor& dy_) {
  const int64_t N = rows_of(name, dy_), C = dy_.dim(-1);
  const Tensor dy = contiguous(dy_);
  Tensor dx = empty_like(dy);
  on(name, dy, [&](auto device, auto t) {
    using T = decltype(t);
    backward(device, kind, dy.data<T>(), s.y.data<T>(), dx.data<T>(), N, C);
  });
  return {dx};
}

struct Softmax {
  static constexpr const char* name = "softmax";
  using Saved = SoftmaxSaved;

  static Tensor forward(Saved* saved, const Tensor& x) {
    return probabilities(name, Probability{}, saved, x);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return probabilities_backward(name, Probability{}, s, dy);
  }
  static Tensor reference(const Tensor& x) {
    const Tensor e = exp(subtract(x, maximum(x, -1, true)));
    return divide(e, sum(e, -1, true));
  }
  static std::vector<Sample> samples();
};

struct LogSoftmax {
  static constexpr const char* name = "log_softmax";
  using Saved = SoftmaxSaved;

  static Tensor forward(Saved* saved, const Tensor& x) {
    return probabilities(name, LogProbability{}, saved, x);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return probabilities_backward(name, LogProbability{}, s, dy);
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
