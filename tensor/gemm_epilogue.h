// What a micro-kernel does after its last step. Included by the kernels' templates, so after
// `#pragma GCC target`.
#pragma once
#include "tensor/gemm_kernel.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {  // NOLINT: each file for an instruction set has copies of its own

// The epilogue of a tile: `x` holds its sums, R rows of S floats, of which the first t.columns
// exist in C.
template <int R, int S, class F>
void finish_with(const TileCall& t, float* x, const F& activation) {
  const Epilogue<float>& e = *t.epilogue;
  const int64_t n = t.columns;
  if (e.bias) {
    const float* bias = e.bias + t.column;
    for (int64_t r = 0; r < R; ++r) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) x[r * S + i] += bias[i];
    }
  }
  if (e.before) {
    for (int64_t r = 0; r < R; ++r) {
      float* before = e.before + (t.row + r) * e.ld_before + t.column;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) before[i] = x[r * S + i];
    }
  }
  // One long loop; columns that do not exist are 0.
#pragma omp simd
  for (int64_t i = 0; i < R * S; ++i) x[i] = activation(x[i]);
  for (int64_t r = 0; r < R; ++r) {
    float* c = t.c + r * t.ldc;
    if (e.residual) {
      const float* residual = e.residual + (t.row + r) * e.ld_residual + t.column;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) x[r * S + i] += residual[i];
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) c[i] = x[r * S + i];
  }
}

template <int R, int S>
[[gnu::flatten, gnu::noinline]] void finish(const TileCall& t, float* x) {
  vmath::with(t.epilogue->activation, [&](auto f) { finish_with<R, S>(t, x, f); });
}

}  // namespace
}  // namespace ink
