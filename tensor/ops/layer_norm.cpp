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
void layer_norm_forward(Cpu, const T* x, const T* residual, const T* gamma, const T* beta, T* y,
                        T* mean, T* rstd, int64_t N, int64_t C, T epsilon) {
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
void layer_norm_backward(Cpu, const T* dy, const T* x, const T* residual, const T* gamma,
                         const T* mean, const T* rstd, T* sum, T* dx, T* dgamma, T* dbeta,
                         int64_t N, int64_t C) {
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
  if (saved) mean = Tensor({N}, x.dtype()), rstd = Tensor({N}, x.dtype());
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    const T* in = x.data<T>();
    const T* extra = residual ? residual.data<T>() : nullptr;
    const T *scale = gamma.data<T>(), *shift = beta.data<T>();
    T* out = y.data<T>();
    T* means = saved ? mean.data<T>() : nullptr;
    T* rstds = saved ? rstd.data<T>() : nullptr;
    parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
      const int64_t at = begin * C;
      simd::run([&] {
        layer_norm_forward(device, in + at, extra ? extra + at : nullptr, scale, shift, out + at,
                           means ? means + begin : nullptr, rstds ? rstds + begin : nullptr,
                           end - begin, C, static_cast<T>(epsilon));
      });
    });
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
  const int64_t N = s.mean.size(), C = s.gamma.size(), chunks = (N + kRows - 1) / kRows;
  Tensor dx, dgamma, dbeta, gamma_parts, beta_parts;  // parts: of each chunk of rows
  if (wants_x) dx = empty_like(dy);
  if (wants_gamma) dgamma = empty_like(s.gamma), gamma_parts = zeros({chunks, C}, dy.dtype());
  if (wants_beta) dbeta = empty_like(s.gamma), beta_parts = zeros({chunks, C}, dy.dtype());
  on(name, dy, [&](auto device, auto t) {
    using T = decltype(t);
    const T *g = dy.data<T>(), *x = s.x.data<T>(), *gamma = s.gamma.data<T>();
    const T* residual = s.residual ? s.residual.data<T>() : nullptr;
    const T *mean = s.mean.data<T>(), *rstd = s.rstd.data<T>();
    T* out = dx ? dx.data<T>() : nullptr;
    T* gamma_part = dgamma ? gamma_parts.data<T>() : nullptr;
    T* beta_part = dbeta ? beta_parts.data<T>() : nullptr;
    parallel_for(N, kRows, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * C, part = begin / kRows * C;
      const Scratch<T> sum(residual ? C : 0);
      simd::run([&] {
        layer_norm_backward(device, g + at, x + at, residual ? residual + at : nullptr, gamma,
                            mean + begin, rstd + begin, sum.data(), out ? out + at : nullptr,
                            gamma_part ? gamma_part + part : nullptr,
                            beta_part ? beta_part + part : nullptr, end - begin, C);
      });
    });
    if (dgamma) column_sums(gamma_part, chunks, C, dgamma.data<T>());
    if (dbeta) column_sums(beta_part, chunks, C, dbeta.data<T>());
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
