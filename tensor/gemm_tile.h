// The micro-kernel template. Include it after `#pragma GCC target`, which is what makes it AVX2 or
// AVX-512 code; everything here is in an unnamed namespace, so every including file has its own.
//
// An Isa names a vector type and six operations on it: zero, load, load_first (n numbers, then
// zeros), store, broadcast, multiply_add.
#pragma once
#include <utility>

#include "tensor/gemm_epilogue.h"
#include "tensor/gemm_narrow.h"

namespace ink {
namespace {  // NOLINT: each file for an instruction set has copies of its own

// sum[r][v] += A[r][k]·B[k][v] for one k; A[r] is at a(r)
template <class Isa, int R, int V, class A>
[[gnu::always_inline]] inline void step(typename Isa::Vector (&sum)[R][V], const A& a,
                                        const float* b) {
  typename Isa::Vector x[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) x[v] = Isa::load(b + v * Isa::width);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const auto s = Isa::broadcast(a(r));
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) Isa::multiply_add(sum[r][v], s, x[v]);
  }
}

// R rows × V vectors. Loops over R and V are unrolled, so that `sum` lives in registers.
template <class Isa, int R, int V>
void tile(const TileCall& t) {
  using Vector = typename Isa::Vector;
  constexpr int W = Isa::width, S = V * W;
  alignas(64) float edge[R * S];  // the tile when it sticks out of C, or has an epilogue
  const bool whole = t.columns == S;
  const float* start = t.c;
  int64_t start_ld = t.ldc;
  if (t.continues && !whole) {
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < S; ++n) edge[r * S + n] = n < t.columns ? t.c[r * t.ldc + n] : 0;
    }
    start = edge;
    start_ld = S;
  }

  Vector sum[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      sum[r][v] = t.continues ? Isa::load(start + r * start_ld + v * W) : Isa::zero();
    }
  }

  const int64_t lda = t.lda, depth = t.depth;
  const float* b = t.b;
  if (t.a_by_columns) {
    const float* a = t.a;
#pragma GCC unroll 4
    for (int64_t k = 0; k < depth; ++k) {
      step<Isa, R, V>(
          sum, [a](int r) { return a + r; }, b);
      a += lda;
      b += S;
    }
  } else {
    // Three row pointers and one stride reach all rows with x86's address modes.
    const float *a0 = t.a, *a3 = a0 + 3 * lda, *a6 = a0 + 6 * lda;
    const auto row = [=](int r) { return (r < 3 ? a0 : r < 6 ? a3 : a6) + (r % 3) * lda; };
#pragma GCC unroll 4
    for (int64_t k = 0; k < depth; ++k) {
      step<Isa, R, V>(
          sum, [=](int r) { return row(r) + k; }, b);
      b += S;
    }
  }

  const bool direct = whole && !t.epilogue;
  float* out = direct ? t.c : edge;
  const int64_t out_ld = direct ? t.ldc : S;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) Isa::store(out + r * out_ld + v * W, sum[r][v]);
  }
  if (direct) return;
  if (t.epilogue) return finish<R, S>(t, edge);
  for (int r = 0; r < R; ++r) {
    for (int64_t n = 0; n < t.columns; ++n) t.c[r * t.ldc + n] = edge[r * S + n];
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
          {tiles_of_rows<Isa, R + 1>(std::make_integer_sequence<int, Isa::vectors>())...},
          narrow_of<Isa>(std::make_integer_sequence<int, kNarrow>())};
}

template <class Isa>
constexpr GemmKernel kernel_of() {
  return kernel_of<Isa>(std::make_integer_sequence<int, Isa::rows>());
}

}  // namespace
}  // namespace ink
