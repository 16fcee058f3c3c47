// The micro-kernel template. Include it after `#pragma GCC target`, which is what makes it AVX2 or AVX-512 code;
// everything here is in an unnamed namespace, so every including file has its own.
//
// An Isa names a vector type and five operations on it: zero, load, store, broadcast, multiply_add.
#pragma once
#include <utility>

#include "tensor/gemm_kernel.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// C = epilogue of the sums in `x` (rows × stride), for the columns that exist.
template <class F>
void finish_with(const TileCall& t, int rows, const float* x, int64_t stride, const F& activation) {
  const Epilogue<float>& e = *t.epilogue;
  for (int r = 0; r < rows; ++r, x += stride) {
    const int64_t row = t.row + r, n = t.columns;
    float* c = t.c + r * t.ldc;
    alignas(64) float y[64];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = x[i];
    if (e.bias) {
      const float* bias = e.bias + t.column;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) y[i] += bias[i];
    }
    if (e.before) {
      float* before = e.before + row * e.ld_before + t.column;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) before[i] = y[i];
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = activation(y[i]);
    if (e.residual) {
      const float* residual = e.residual + row * e.ld_residual + t.column;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) y[i] += residual[i];
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) c[i] = y[i];
  }
}

[[gnu::flatten, gnu::noinline]] void finish(const TileCall& t, int rows, const float* x,
                                            int64_t stride) {
  vmath::with(t.epilogue->activation, [&](auto f) { finish_with(t, rows, x, stride, f); });
}

// R rows × V vectors. Loops over R and V are unrolled, so that `sum` lives in registers.
template <class Isa, int R, int V>
void tile(const TileCall& t) {
  using Vector = typename Isa::Vector;
  constexpr int W = Isa::width;
  alignas(64) float edge[R * V * W];  // the tile when it sticks out of C, or has an epilogue
  const bool whole = t.columns == V * W;
  const float* start = t.c;
  int64_t start_ld = t.ldc;
  if (t.continues && !whole) {
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < V * W; ++n) edge[r * V * W + n] = n < t.columns ? t.c[r * t.ldc + n] : 0;
    }
    start = edge;
    start_ld = V * W;
  }

  Vector sum[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      sum[r][v] = t.continues ? Isa::load(start + r * start_ld + v * W) : Isa::zero();
    }
  }

  // Three row pointers and two strides reach up to nine rows with x86's address modes.
  const int64_t row = t.a_row;
  const float *a0 = t.a, *a3 = t.a + 3 * row, *a6 = t.a + 6 * row, *b = t.b;
  for (int64_t k = 0; k < t.depth; ++k) {
    Vector x[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) x[v] = Isa::load(b + v * W);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vector s = Isa::broadcast((r < 3 ? a0 : r < 6 ? a3 : a6) + (r % 3) * row);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) Isa::multiply_add(sum[r][v], s, x[v]);
    }
    a0 += t.a_step;
    a3 += t.a_step;
    a6 += t.a_step;
    b += t.b_step;
  }

  const bool direct = whole && !t.epilogue;
  float* out = direct ? t.c : edge;
  const int64_t out_ld = direct ? t.ldc : V * W;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) Isa::store(out + r * out_ld + v * W, sum[r][v]);
  }
  if (direct) return;
  if (t.epilogue) return finish(t, R, edge, V * W);
  for (int r = 0; r < R; ++r) {
    for (int64_t n = 0; n < t.columns; ++n) t.c[r * t.ldc + n] = edge[r * V * W + n];
  }
}

template <class Isa, int R, int... V>
constexpr std::array<GemmKernel::Tile, 3> tiles_of_rows(std::integer_sequence<int, V...>) {
  return {&tile<Isa, R, V + 1>...};
}

template <class Isa, int... R>
constexpr GemmKernel kernel_of(std::integer_sequence<int, R...>) {
  return {Isa::width,
          Isa::rows,
          Isa::width * Isa::vectors,
          {tiles_of_rows<Isa, R + 1>(std::make_integer_sequence<int, Isa::vectors>())...}};
}

template <class Isa>
constexpr GemmKernel kernel_of() {
  return kernel_of<Isa>(std::make_integer_sequence<int, Isa::rows>());
}

}  // namespace
}  // namespace ink
