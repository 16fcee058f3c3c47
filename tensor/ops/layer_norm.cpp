// y = x̂·γ + β with x̂ = (x − μ)·r, r = 1/√(σ² + ε), over the last axis (Ba et al. 2016).
//
//   dx = r·(g − mean(g) − x̂·mean(g·x̂)) with g = dy·γ;   dγ = Σ dy·x̂;   dβ = Σ dy
//
// residual_layer_norm is the same of s = x + residual, dropout_residual_layer_norm of
// s = dropout(x) + residual. s lives only in registers and caches: backward adds it up again, so
// that no third copy is kept.
#include <cmath>
#include <utility>

#include "tensor/dropout_rule.h"
#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/dropout.h"
#include "tensor/scratch.h"
#include "tensor/sums.h"

#if INK_CUDA
#include "cuda/column_sums.cuh"
#include "cuda/layer_norm.cuh"
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
void layer_norm_forward(Cpu, const T* x, const T* residual, const T* gamma, const T* beta,
                        const DropoutMask&, T* y, T* mean, T* rstd, int64_t N, int64_t C,
                        double epsilon) {
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

// ds, dgamma (C) and dbeta (C) may be null: not wanted.
template <class T>
void layer_norm_backward(Cpu, const T* dy, const T* x, const T* residual, const T* gamma,
                         const DropoutMask&, const T* mean, const T* rstd, T* ds, T*, T* dgamma,
                         T* dbeta, int64_t N, int64_t C) {
  const int64_t chunks = (N + kRows - 1) / kRows;  // each with its own part of dgamma and dbeta
  Tensor gamma_parts = zeros({dgamma ? chunks : 0, C}, dtype_of<T>);
  Tensor beta_parts = zeros({dbeta ? chunks : 0, C}, dtype_of<T>);
  T *gamma_part = gamma_parts.data<T>(), *beta_part = beta_parts.data<T>();
  parallel_for(N, kRows, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * C, part = begin / kRows * C;
    const Scratch<T> sum(residual ? C : 0);
    simd::run([&] {
      norm_rows_backward(dy + at, x + at, residual ? residual + at : nullptr, gamma, mean + begin,
                         rstd + begin, sum.data(), ds ? ds + at : nullptr,
                         dgamma ? gamma_part + part : nullptr, dbeta ? beta_part + part : nullptr,
                         end - begin, C);
    });
  });
  if (dgamma) column_sums(gamma_part, chunks, C, dgamma);
  if (dbeta) column_sums(beta_part, chunks, C, dbeta);
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
template <class T>
void layer_norm_forward(Cuda, const T* x, const T* residual, const T* gamma, const T* beta,
                        const DropoutMask& dropout, T* y, float* mean, float* rstd, int64_t N,
                        int64_t C, double epsilon) {
  const bool packed = cuda::packs<T>(C, x) && cuda::packs<T>(C, residual) &&
                      cuda::packs<T>(C, gamma) && cuda::packs<T>(C, beta) && cuda::packs<T>(C, y);
  cuda::with_norm_team<T>(C, [&](auto team, auto k, int threads) {
    using Team = decltype(team);
    cuda::launch("layer_norm_forward", cuda::layer_norm_kernel<T, Team, decltype(k)::value>,
                 {cuda::blocks_of(team, N, cuda::kForwardBlocks<Team>), threads}, team, x, residual,
                 gamma, beta, dropout, y, mean, rstd, N, C, epsilon, packed);
  });
}

// dgamma and dbeta, where both are wanted, follow one another in memory.
template <class T>
void layer_norm_backward(Cuda, const T* dy, const T* x, const T* residual, const T* gamma,
                         const DropoutMask& dropout, const float* mean, const float* rstd, T* ds,
                         T* dx, T* dgamma, T* dbeta, int64_t N, int64_t C) {
  const bool packed = cuda::packs<T>(C, dy) && cuda::packs<T>(C, x) &&
                      cuda::packs<T>(C, residual) && cuda::packs<T>(C, gamma) &&
                      cuda::packs<T>(C, ds) && cuda::packs<T>(C, dx);
  cuda::with_norm_team<T>(C, [&](auto team, auto k, int threads) {
    using Team = decltype(team);
    const bool sums = dgamma || dbeta;
    const int64_t blocks = cuda::blocks_of(team, N, cuda::kBackwardBlocks<Team>);
    Tensor partial({sums ? blocks : 0, 2 * C}, Dtype::f32, Device::cuda);
    float* parts = sums ? partial.data<float>() : nullptr;
    cuda::launch("layer_norm_backward",
                 cuda::layer_norm_backward_kernel<T, Team, decltype(k)::value>, {blocks, threads},
                 team, dy, x, residual, gamma, dropout, mean, rstd, ds, dx, parts, N, C, packed);
    if (dgamma && dbeta) {
      cuda::column_sums(parts, dgamma, blocks, 2 * C);
    } else if (sums) {
      cuda::column_sums(parts + (dgamma ? 0 : C), dgamma ? dgamma : dbeta, blocks, C, {}, 2 * C);
    }
  });
}
#endif

// ── what the ops share ──────────────────────────────────────────────────────────────────────────

struct NormSaved {
  Tensor x, residual, gamma, mean = {}, rstd = {};  // residual undefined in layer_norm
  DropoutMask dropout = {};
};

// `in` has everything but mean and rstd, which are kept when backward follows.
Tensor normalize(const char* name, NormSaved* saved, NormSaved in, Tensor beta, double epsilon) {
  const int64_t N = rows_of(name, in.x), C = in.x.dim(-1);
  expect(name, "gamma", in.gamma, in.x.dtype(), Shape{C});
  expect(name, "beta", beta, in.x.dtype(), Shape{C});
  check(epsilon >= 0, "", name, ": epsilon should not be negative, got ", epsilon);
  in.x = contiguous(in.x), in.gamma = contiguous(in.gamma), beta = contiguous(beta);
  if (in.residual) in.residual = contiguous(in.residual);
  Tensor y = empty_like(in.x);
  if (saved)
    in.mean = Tensor({N}, wide(in.x.dtype()), in.x.device()), in.rstd = empty_like(in.mean);
  on(name, in.x, [&](auto device, auto t) {
    using T = decltype(t);
    layer_norm_forward(device, in.x.data<T>(), in.residual ? in.residual.data<T>() : nullptr,
                       in.gamma.data<T>(), beta.data<T>(), in.dropout, y.data<T>(),
                       saved ? in.mean.data<Wide<T>>() : nullptr,
                       saved ? in.rstd.data<Wide<T>>() : nullptr, N, C, epsilon);
  });
  if (saved) *saved = std::move(in);
  return y;
}

// Undefined: not wanted. ds is that of x + residual; dx that of a dropped x.
struct Derivatives {
  Tensor ds, dx, dgamma, dbeta;
};

struct WantedNorms {
  bool ds, dx, gamma, beta;
};

Derivatives normalize_backward(const char* name, const NormSaved& s, const Tensor& dy_,
                               const WantedNorms& wanted) {
  const Tensor dy = contiguous(dy_);
  const int64_t N = s.mean.size(), C = s.gamma.size();
  Derivatives d;
  if (wanted.ds) d.ds = empty_like(dy);
  if (wanted.dx) d.dx = empty_like(dy);
  if (wanted.gamma && wanted.beta) {
    const Tensor both({2 * C}, dy.dtype(), dy.device());  // side by side, for one sum over rows
    d.dgamma = view(both, {C}, {1}, 0), d.dbeta = view(both, {C}, {1}, C);
  } else {
    if (wanted.gamma) d.dgamma = empty_like(s.gamma);
    if (wanted.beta) d.dbeta = empty_like(s.gamma);
  }
  on(name, dy, [&](auto device, auto t) {
    using T = decltype(t);
    const auto or_null = [](Tensor& g) { return g ? g.data<T>() : nullptr; };
    layer_norm_backward(device, dy.data<T>(), s.x.data<T>(),
                        s.residual ? s.residual.data<T>() : nullptr, s.gamma.data<T>(), s.dropout,
                        s.mean.data<Wide<T>>(), s.rstd.data<Wide<T>>(), or_null(d.ds),
                        or_null(d.dx), or_null(d.dgamma), or_null(d.dbeta), N, C);
  });
  return d;
}

// ── the ops ─────────────────────────────────────────────────────────────────────────────────────

struct LayerNorm {
  static constexpr const char* name = "layer_norm";
  using Saved = NormSaved;

  static Tensor forward(Saved* saved, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                        double epsilon) {
    return normalize(name, saved, {.x = x, .residual = {}, .gamma = gamma}, beta, epsilon);
  }
  static Grads backward(const Saved& saved, const Tensor& dy, Wanted wanted) {
    const Derivatives d =
        normalize_backward(name, saved, dy, {wanted[0], false, wanted[1], wanted[2]});
    return {d.ds, d.dgamma, d.dbeta};
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
    return normalize(name, saved, {.x = x, .residual = residual, .gamma = gamma}, beta, epsilon);
  }
  static Grads backward(const Saved& saved, const Tensor& dy, Wanted wanted) {
    const Derivatives d =
        normalize_backward(name, saved, dy, {wanted[0] || wanted[1], false, wanted[2], wanted[3]});
    return {wanted[0] ? d.ds : Tensor(), wanted[1] ? d.ds : Tensor(), d.dgamma, d.dbeta};
  }
  static Tensor reference(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                          const Tensor& beta, double epsilon) {
    return layer_norm(add(x, residual), gamma, beta, epsilon);
  }
  static std::vector<Sample> samples();
};

struct DropoutResidualLayerNorm {
  static constexpr const char* name = "dropout_residual_layer_norm";
  struct Saved {
    NormSaved norm;
    double p = 0;
    Random random{0};
    bool fused = false;  // the kernel drops: on the device, where rows are whole blocks
  };

  static Tensor forward(Saved* saved, const Tensor& x, const Tensor& residual, const Tensor& gamma,
                        const Tensor& beta, double p, const Random& random, double epsilon) {
    expect(name, "residual", residual, x.dtype(), x.shape());
    const bool fused = x.device() == Device::cuda && x.dim(-1) % DropoutRule::kInBlock == 0;
    const DropoutRule rule(p);
    NormSaved in{.x = fused ? x : dropped(x, p, random), .residual = residual, .gamma = gamma};
    if (fused)
      in.dropout = {random.key_for_device(), rule.threshold, static_cast<float>(rule.kept)};
    NormSaved norm;
    Tensor y = normalize(name, saved ? &norm : nullptr, std::move(in), beta, epsilon);
    if (saved) *saved = {std::move(norm), p, random, fused};
    return y;
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    const bool apart = wanted[0] && !s.fused;  // ds is dropped by a kernel of its own
    Derivatives d = normalize_backward(
        name, s.norm, dy, {wanted[1] || apart, wanted[0] && s.fused, wanted[2], wanted[3]});
    if (apart) d.dx = dropped(d.ds, s.p, s.random);
    return {d.dx, wanted[1] ? d.ds : Tensor(), d.dgamma, d.dbeta};
  }
  static Tensor reference(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                          const Tensor& beta, double p, const Random& random, double epsilon) {
    return layer_norm(add(dropout(x, p, random), residual), gamma, beta, epsilon);
  }
  static std::vector<Sample> samples() {
    const auto of = [](const char* label, Shape shape, double p, bool bench = false) {
      const Shape C{shape[-1]};
      return Sample{.label = label,
                    .in = {randn(shape, 1), randn(shape, 4), randn(C, 2), randn(C, 3)},
                    .call =
                        [p](auto in) {
                          return dropout_residual_layer_norm(in[0], in[1], in[2], in[3], p,
                                                             Random(8), 1e-5);
                        },
                    .bench = bench,
                    .backward = moves(5, shape.size())};
    };
    return {of("4x6", {4, 6}, 0.5), of("no rows", {0, 5}, 0.1), of("5x8", {5, 8}, 0.3),
            of("3x5x24", {3, 5, 24}, 0.1), of("1024x768", {1024, 768}, 0.1, true)};
  }
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

INK_OPS entries[] = {describe<LayerNorm>(), describe<ResidualLayerNorm>(),
                     describe<DropoutResidualLayerNorm>()};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon) {
  return apply<LayerNorm>(x, gamma, beta, epsilon);
}

Tensor residual_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                           const Tensor& beta, double epsilon) {
  return apply<ResidualLayerNorm>(x, residual, gamma, beta, epsilon);
}

Tensor dropout_residual_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                                   const Tensor& beta, double p, const Random& random,
                                   double epsilon) {
  check(p >= 0 && p < 1, "dropout_residual_layer_norm: p should be in [0, 1), got ", p);
  return p == 0 ? residual_layer_norm(x, residual, gamma, beta, epsilon)
                : apply<DropoutResidualLayerNorm>(x, residual, gamma, beta, p, random, epsilon);
}

}  // namespace ink
