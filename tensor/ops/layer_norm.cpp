// y = x̂·γ + β with x̂ = (x − μ)·r, r = 1/√(σ² + ε), over the last axis (Ba et al. 2016).
//
//   dx = r·(g − mean(g) − x̂·mean(g·x̂)) with g = dy·γ;   dγ = Σ dy·x̂;   dβ = Σ dy
//
// residual_layer_norm is the same of s = x + residual. s lives only in registers and caches:
// backward adds it up again, so that no third copy is kept.
#include <cmath>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/scratch.h"
#include "tensor/sums.h"

#if INK_CUDA
#include "cuda/column_sums.cuh"
#include "cuda/row.cuh"
#endif

namespace ink {
namespace {

constexpr int64_t kRows = 32;  // rows that share one partial sum of dγ and dβ

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// s = x, or x + residual written to `sum` when there is a residual.
template <class T>
const T* row_with_residual(const T* x, const T* residual, T* sum, int64_t C) {
  if (!residual) return x;
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) sum[c] = x[c] + residual[c];
  return sum;
}

// N rows of C. residual, mean and rstd may be null.
// Two passes for the variance: subtracting squares would cancel.
template <class T>
void norm_rows(const T* x, const T* residual, const T* gamma, const T* beta, T* y, T* mean, T* rstd,
               int64_t N, int64_t C, T epsilon) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const T* s = row_with_residual(x, residual ? residual + n * C : nullptr, y, C);
    const T m = row_sum<T>(C, [s](int64_t c) { return s[c]; }) / static_cast<T>(C);
    const T variance =
        row_sum<T>(C, [s, m](int64_t c) { return (s[c] - m) * (s[c] - m); }) / static_cast<T>(C);
    const T r = 1 / std::sqrt(variance + epsilon);
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) y[c] = (s[c] - m) * r * gamma[c] + beta[c];
    if (mean) mean[n] = m, rstd[n] = r;
  }
}

template <class T>
void layer_norm_forward(Cpu, const T* x, const T* residual, const T* gamma, const T* beta, T* y,
                        T* mean, T* rstd, int64_t N, int64_t C, double epsilon) {
  parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * C;
    simd::run([&] {
      norm_rows(x + at, residual ? residual + at : nullptr, gamma, beta, y + at,
                mean ? mean + begin : nullptr, rstd ? rstd + begin : nullptr, end - begin, C,
                static_cast<T>(epsilon));
    });
  });
}

// One row of dx; `normal` is x̂.
template <class T, class Normal>
void input_gradient(const T* dy, const Normal& normal, const T* gamma, T r, T* dx, int64_t C) {
  const T g_mean = row_sum<T>(C, [=](int64_t c) { return dy[c] * gamma[c]; }) / static_cast<T>(C);
  const T gx_mean =
      row_sum<T>(C, [=](int64_t c) { return dy[c] * gamma[c] * normal(c); }) / static_cast<T>(C);
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) dx[c] = r * (dy[c] * gamma[c] - g_mean - normal(c) * gx_mean);
}

// dx, dgamma and dbeta may be null; the last two are added to. sum (C) is room for s.
template <class T>
void norm_rows_backward(const T* dy, const T* x, const T* residual, const T* gamma, const T* mean,
                        const T* rstd, T* sum, T* dx, T* dgamma, T* dbeta, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, dy += C) {
    const T* s = row_with_residual(x, residual ? residual + n * C : nullptr, sum, C);
    const T m = mean[n], r = rstd[n];
    const auto normal = [=](int64_t c) { return (s[c] - m) * r; };
    if (dx) input_gradient(dy, normal, gamma, r, dx + n * C, C);
    if (dgamma) {
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) dgamma[c] += dy[c] * normal(c);
    }
    if (dbeta) {
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) dbeta[c] += dy[c];
    }
  }
}

// dx, dgamma (C) and dbeta (C) may be null: not wanted.
template <class T>
void layer_norm_backward(Cpu, const T* dy, const T* x, const T* residual, const T* gamma,
                         const T* mean, const T* rstd, T* dx, T* dgamma, T* dbeta, int64_t N,
                         int64_t C) {
  const int64_t chunks = (N + kRows - 1) / kRows;  // each with its own part of dgamma and dbeta
  Tensor gamma_parts = zeros({dgamma ? chunks : 0, C}, dtype_of<T>);
  Tensor beta_parts = zeros({dbeta ? chunks : 0, C}, dtype_of<T>);
  T *gamma_part = gamma_parts.data<T>(), *beta_part = beta_parts.data<T>();
  parallel_for(N, kRows, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * C, part = begin / kRows * C;
    const Scratch<T> sum(residual ? C : 0);
    simd::run([&] {
      norm_rows_backward(dy + at, x + at, residual ? residual + at : nullptr, gamma, mean + begin,
                         rstd + begin, sum.data(), dx ? dx + at : nullptr,
                         dgamma ? gamma_part + part : nullptr, dbeta ? beta_part + part : nullptr,
                         end - begin, C);
    });
  });
  if (dgamma) column_sums(gamma_part, chunks, C, dgamma);
  if (dbeta) column_sums(beta_part, chunks, C, dbeta);
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// A row stays in the registers of its team, so x is read once.

// x, or x + residual.
template <class T, int K, class Team>
INK_DEVICE cuda::Row<T, K> sum_of(const cuda::FetchedRow<T, K>& x, Team team, const T* residual,
                                  int C, bool packed) {
  if (!residual) return cuda::Row<T, K>(x);
  const cuda::Row<T, K> more(cuda::FetchedRow<T, K>(team, residual, C, packed));
  cuda::Row<T, K> s(x);
#pragma unroll
  for (int i = 0; i < K * s.P; ++i) s.at[i / s.P][i % s.P] += more.at[i / s.P][i % s.P];
  return s;
}

template <class T, class Team, int K>
__global__ void layer_norm_kernel(Team team, const T* x, const T* residual, const T* gamma,
                                  const T* beta, T* y, float* mean, float* rstd, int64_t N, int C,
                                  float epsilon, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t n = team.first_row();
  if (n >= N) return;  // a whole team, and one without company at barriers
  const cuda::FetchedRow<T, K> row(team, x + n * C, C, packed), scales(team, gamma, C, packed),
      shifts(team, beta, C, packed);
  cuda::Row<T, K> s = sum_of(row, team, residual ? residual + n * C : nullptr, C, packed);
  float sum = 0, squares = 0;
  s.each(team, [&](float v, int) { sum += v; });
  const float m = team.sum(sum, part) / static_cast<float>(C);
  s.each(team, [&](float v, int c) { squares += c < C ? (v - m) * (v - m) : 0.0f; });
  const float r = 1 / sqrtf(team.sum(squares, part) / static_cast<float>(C) + epsilon);
  const cuda::Row<T, K> scale(scales), shift(shifts);
#pragma unroll
  for (int i = 0; i < K * s.P; ++i) {
    float& v = s.at[i / s.P][i % s.P];
    v = (v - m) * r * scale.at[i / s.P][i % s.P] + shift.at[i / s.P][i % s.P];
  }
  s.store(team, y + n * C, C, packed);
  if (mean && team.rank() == 0) mean[n] = m, rstd[n] = r;
}

template <class T>
void layer_norm_forward(Cuda, const T* x, const T* residual, const T* gamma, const T* beta, T* y,
                        float* mean, float* rstd, int64_t N, int64_t C, double epsilon) {
  const bool packed = cuda::packs<T>(C, x) && cuda::packs<T>(C, residual) &&
                      cuda::packs<T>(C, gamma) && cuda::packs<T>(C, beta) && cuda::packs<T>(C, y);
  cuda::with_row_team<T>("layer_norm", C, [&](auto team, auto k, int threads) {
    using Team = decltype(team);
    cuda::launch("layer_norm_forward", layer_norm_kernel<T, Team, decltype(k)::value>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, residual, gamma, beta, y, mean,
                 rstd, N, C, epsilon, packed);
  });
}

// dγ (C) and dβ (C) behind it, as sums over the rows of a team, to one row of `parts` a block: the
// teams of a block add up in shared memory, one after the other.
template <class T, int K, class Team>
INK_DEVICE void add_up_teams(Team team, const float (&for_gamma)[K][cuda::kPack<T>],
                             const float (&for_beta)[K][cuda::kPack<T>], float* sums, float* parts,
                             int C) {
  constexpr int P = cuda::kPack<T>;
  const int own = Team::kRowsInBlock > 1 ? static_cast<int>(threadIdx.x) / cuda::kWarp : 0;
  for (int turn = 0; turn < Team::kRowsInBlock; ++turn) {
    if (turn == own) {
#pragma unroll
      for (int i = 0; i < K * P; ++i) {
        const int c = (i / P * team.size() + team.rank()) * P + i % P;
        if (c >= C) continue;
        sums[c] = (turn ? sums[c] : 0) + for_gamma[i / P][i % P];
        sums[C + c] = (turn ? sums[C + c] : 0) + for_beta[i / P][i % P];
      }
    }
    __syncthreads();
  }
  for (int c = static_cast<int>(threadIdx.x); c < 2 * C; c += static_cast<int>(blockDim.x))
    parts[blockIdx.x * int64_t{2} * C + c] = sums[c];
}

// Each team takes every (number of teams)-th row and adds up its part of dγ and dβ in registers.
// parts (blocks, 2C) may be null.
template <class T, class Team, int K>
__global__ void layer_norm_backward_kernel(Team team, const T* dy, const T* x, const T* residual,
                                           const T* gamma, const float* mean, const float* rstd,
                                           T* dx, float* parts, int64_t N, int C, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  INK_DYNAMIC_SHARED(float, sums);
  float for_gamma[K][cuda::kPack<T>] = {}, for_beta[K][cuda::kPack<T>] = {};
  const cuda::FetchedRow<T, K> scales(team, gamma, C, packed);
  const int64_t teams = int64_t{gridDim.x} * Team::kRowsInBlock;
  for (int64_t n = team.first_row(); n < N; n += teams) {
    const cuda::FetchedRow<T, K> gradients(team, dy + n * C, C, packed),
        row(team, x + n * C, C, packed);
    cuda::Row<T, K> s = sum_of(row, team, residual ? residual + n * C : nullptr, C, packed);
    cuda::Row<T, K> g(gradients);
    const cuda::Row<T, K> scale(scales);
    const float m = mean[n], r = rstd[n];
    float sum = 0, dot = 0;
#pragma unroll
    for (int i = 0; i < K * s.P; ++i) {
      float &normal = s.at[i / s.P][i % s.P], &gradient = g.at[i / s.P][i % s.P];
      normal = (normal - m) * r;
      for_beta[i / s.P][i % s.P] += gradient;
      for_gamma[i / s.P][i % s.P] += gradient * normal;
      gradient *= scale.at[i / s.P][i % s.P];
      sum += gradient;
      dot += gradient * normal;
    }
    if (!dx) continue;
    sum = team.sum(sum, part) / static_cast<float>(C);
    dot = team.sum(dot, part) / static_cast<float>(C);
#pragma unroll
    for (int i = 0; i < K * s.P; ++i) {
      float& gradient = g.at[i / s.P][i % s.P];
      gradient = r * (gradient - sum - s.at[i / s.P][i % s.P] * dot);
    }
    g.store(team, dx + n * C, C, packed);
  }
  if (parts) add_up_teams<T, K>(team, for_gamma, for_beta, sums, parts, C);
}

// dgamma and dbeta, where both are wanted, follow one another in memory.
template <class T>
void layer_norm_backward(Cuda, const T* dy, const T* x, const T* residual, const T* gamma,
                         const float* mean, const float* rstd, T* dx, T* dgamma, T* dbeta,
                         int64_t N, int64_t C) {
  constexpr int64_t kBlocks = 528;  // the same on every device: bits do not depend on it
  const bool packed = cuda::packs<T>(C, dy) && cuda::packs<T>(C, x) &&
                      cuda::packs<T>(C, residual) && cuda::packs<T>(C, gamma) &&
                      cuda::packs<T>(C, dx);
  const bool sums = dgamma || dbeta;
  cuda::with_row_team<T>("layer_norm", C, [&](auto team, auto k, int threads) {
    using Team = decltype(team);
    const int64_t blocks = std::min(cuda::blocks_for_rows(team, N), kBlocks);
    Tensor partial({sums ? blocks : 0, 2 * C}, Dtype::f32, Device::cuda);
    float* parts = sums ? partial.data<float>() : nullptr;
    const size_t shared = sums ? static_cast<size_t>(2 * C) * sizeof(float) : 0;
    cuda::launch("layer_norm_backward", layer_norm_backward_kernel<T, Team, decltype(k)::value>,
                 {.blocks = blocks, .threads = threads, .shared = shared}, team, dy, x, residual,
                 gamma, mean, rstd, dx, parts, N, C, packed);
    if (dgamma && dbeta) {
      cuda::column_sums(parts, dgamma, blocks, 2 * C);
    } else if (sums) {
      cuda::column_sums(parts + (dgamma ? 0 : C), dgamma ? dgamma : dbeta, blocks, C, {}, 2 * C);
    }
  });
}
#endif

// ── what both ops share ─────────────────────────────────────────────────────────────────────────

struct NormSaved {
  Tensor x, residual, gamma, mean, rstd;  // residual undefined in layer_norm
};

Tensor normalize(const char* name, NormSaved* saved, Tensor x, Tensor residual, Tensor gamma,
                 Tensor beta, double epsilon) {
  const int64_t N = rows_of(name, x), C = x.dim(-1);
  expect(name, "gamma", gamma, x.dtype(), Shape{C});
  expect(name, "beta", beta, x.dtype(), Shape{C});
  check(epsilon >= 0, "", name, ": epsilon should not be negative, got ", epsilon);
  x = contiguous(x), gamma = contiguous(gamma), beta = contiguous(beta);
  if (residual) residual = contiguous(residual);
  Tensor y = empty_like(x), mean, rstd;
  if (saved) mean = Tensor({N}, wide(x.dtype()), x.device()), rstd = empty_like(mean);
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    layer_norm_forward(device, x.data<T>(), residual ? residual.data<T>() : nullptr,
                       gamma.data<T>(), beta.data<T>(), y.data<T>(),
                       saved ? mean.data<Wide<T>>() : nullptr,
                       saved ? rstd.data<Wide<T>>() : nullptr, N, C, epsilon);
  });
  if (saved) *saved = {x, residual, gamma, mean, rstd};
  return y;
}

struct Derivatives {
  Tensor dx, dgamma, dbeta;  // undefined: not wanted
};

Derivatives normalize_backward(const char* name, const NormSaved& s, const Tensor& dy_,
                               bool wants_x, bool wants_gamma, bool wants_beta) {
  const Tensor dy = contiguous(dy_);
  const int64_t N = s.mean.size(), C = s.gamma.size();
  Tensor dx, dgamma, dbeta;
  if (wants_x) dx = empty_like(dy);
  if (wants_gamma && wants_beta) {
    const Tensor both({2 * C}, dy.dtype(), dy.device());  // side by side, for one sum over rows
    dgamma = view(both, {C}, {1}, 0), dbeta = view(both, {C}, {1}, C);
  } else {
    if (wants_gamma) dgamma = empty_like(s.gamma);
    if (wants_beta) dbeta = empty_like(s.gamma);
  }
  on(name, dy, [&](auto device, auto t) {
    using T = decltype(t);
    layer_norm_backward(device, dy.data<T>(), s.x.data<T>(),
                        s.residual ? s.residual.data<T>() : nullptr, s.gamma.data<T>(),
                        s.mean.data<Wide<T>>(), s.rstd.data<Wide<T>>(), dx ? dx.data<T>() : nullptr,
                        dgamma ? dgamma.data<T>() : nullptr, dbeta ? dbeta.data<T>() : nullptr, N,
                        C);
  });
  return {dx, dgamma, dbeta};
}

// ── the ops ─────────────────────────────────────────────────────────────────────────────────────

struct LayerNorm {
  static constexpr const char* name = "layer_norm";
  using Saved = NormSaved;

  static Tensor forward(Saved* saved, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                        double epsilon) {
    return normalize(name, saved, x, {}, gamma, beta, epsilon);
  }
  static Grads backward(const Saved& saved, const Tensor& dy, Wanted wanted) {
    const auto [dx, dgamma, dbeta] =
        normalize_backward(name, saved, dy, wanted[0], wanted[1], wanted[2]);
    return {dx, dgamma, dbeta};
  }
  static Tensor reference(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                          double epsilon) {
    const Tensor centred = subtract(x, mean(x, -1, true));
    const Tensor deviation = sqrt(shift(mean(square(centred), -1, true), epsilon));
    return add(multiply(divide(centred, deviation), gamma), beta);
  }
  static std::vector<Sample> samples();
};

struct ResidualLayerNorm {
  static constexpr const char* name = "residual_layer_norm";
  using Saved = NormSaved;

  static Tensor forward(Saved* saved, const Tensor& x, const Tensor& residual, const Tensor& gamma,
                        const Tensor& beta, double epsilon) {
    expect(name, "residual", residual, x.dtype(), x.shape());
    return normalize(name, saved, x, residual, gamma, beta, epsilon);
  }
  static Grads backward(const Saved& saved, const Tensor& dy, Wanted wanted) {
    const auto [ds, dgamma, dbeta] =
        normalize_backward(name, saved, dy, wanted[0] || wanted[1], wanted[2], wanted[3]);
    return {wanted[0] ? ds : Tensor(), wanted[1] ? ds : Tensor(), dgamma, dbeta};
  }
  static Tensor reference(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                          const Tensor& beta, double epsilon) {
    return layer_norm(add(x, residual), gamma, beta, epsilon);
  }
  static std::vector<Sample> samples();
};

Sample sample(const char* label, Shape shape, bool residual, double epsilon = 1e-5) {
  const Shape channels{shape[-1]};
  Sample s{.label = label,
           .in = {randn(shape, 1), randn(channels, 2), randn(channels, 3)},
           .call = [=](auto in) { return layer_norm(in[0], in[1], in[2], epsilon); },
           .backward = moves(residual ? 4 : 3, shape.size())};
  if (residual) {
    s.in.insert(s.in.begin() + 1, randn(shape, 4));
    s.call = [=](auto in) { return residual_layer_norm(in[0], in[1], in[2], in[3], epsilon); };
  }
  if (shape.rank() > 1) s.by_row = residual ? std::vector<size_t>{0, 1} : std::vector<size_t>{0};
  return s;
}

std::vector<Sample> norm_samples(bool residual) {
  std::vector<Sample> all = {sample("4x6", {4, 6}, residual),
                             sample("2x3x5", {2, 3, 5}, residual),
                             sample("rank 1", {7}, residual),
                             sample("no rows", {0, 5}, residual),
                             sample("one channel", {3, 1}, residual, 0.1),
                             sample("67x33", {67, 33}, residual)};
  all.push_back(sample("1024x768", {1024, 768}, residual));
  all.back().bench = true;
  return all;
}
std::vector<Sample> LayerNorm::samples() { return norm_samples(false); }
std::vector<Sample> ResidualLayerNorm::samples() { return norm_samples(true); }

INK_OPS entries[] = {describe<LayerNorm>(), describe<ResidualLayerNorm>()};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon) {
  return apply<LayerNorm>(x, gamma, beta, epsilon);
}

Tensor residual_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                           const Tensor& beta, double epsilon) {
  return apply<ResidualLayerNorm>(x, residual, gamma, beta, epsilon);
}

}  // namespace ink
