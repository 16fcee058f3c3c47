// The micro-kernel of narrow products, N ≤ kNarrow: dot products, vectors along k. Isa is that of
// gemm_tile.h, which includes this.
//
// A tile as wide as a vector would do a vector's work for each column that does not exist, and
// broadcast every element of A for it. Here A is read once, in whole vectors.
#pragma once
#include <algorithm>

#include "tensor/gemm_epilogue.h"
#include "tensor/sums.h"

namespace ink {
namespace {  // NOLINT: each file for an instruction set has copies of its own

// The first `count` numbers at p, or as many as a vector holds, then zeros.
template <class Isa, bool whole>
[[gnu::always_inline]] inline typename Isa::Vector load(const float* p, int64_t count) {
  if constexpr (whole) return Isa::load(p);
  return Isa::load_first(std::clamp<int64_t>(count, 0, Isa::width), p);
}

// sum[r][n] += A[r][k…]·B[k…][n] for the next kLanes k, or the `count` that are left.
template <class Isa, bool whole, int R, int N, int V>
[[gnu::always_inline]] inline void narrow_step(typename Isa::Vector (&sum)[R][N][V],
                                               const TileCall& t, int64_t k, int64_t count) {
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    const int64_t lane = v * Isa::width, left = count - lane;
    typename Isa::Vector x[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) x[r] = load<Isa, whole>(t.a + r * t.lda + k + lane, left);
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      const auto y = load<Isa, whole>(t.b + n * t.ldb + k + lane, left);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) Isa::multiply_add(sum[r][n][v], x[r], y);
    }
  }
}

// The sums of R rows, and what follows them.
template <int R, int N>
[[gnu::flatten]] void finish_narrow(const TileCall& t, float (&lanes)[R * N][kLanes]) {
  float x[R * N];
  for (int i = 0; i < R * N; ++i) {
    x[i] = in_pairs<kLanes>(lanes[i], [](float p, float q) { return p + q; });
    if (t.continues) x[i] += t.c[i / N * t.ldc + i % N];
  }
  if (t.epilogue) return finish<R, N>(t, x);
  for (int i = 0; i < R * N; ++i) t.c[i / N * t.ldc + i % N] = x[i];
}

template <class Isa, int R, int N>
void narrow_rows(const TileCall& t) {
  constexpr int W = Isa::width, V = kLanes / W;
  typename Isa::Vector sum[R][N][V];
  alignas(64) float lanes[R * N][kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < R * N * V; ++i) sum[i / (N * V)][i / V % N][i % V] = Isa::zero();

  const int64_t rest = t.depth % kLanes, whole = t.depth - rest;
  for (int64_t k = 0; k < whole; k += kLanes) narrow_step<Isa, true>(sum, t, k, kLanes);
  if (rest > 0) narrow_step<Isa, false>(sum, t, whole, rest);
#pragma GCC unroll 16
  for (int i = 0; i < R * N * V; ++i)
    Isa::store(lanes[i / V] + i % V * W, sum[i / (N * V)][i / V % N][i % V]);
  finish_narrow<R, N>(t, lanes);
}

// Any number of rows, as many at a time as there are registers for their sums.
template <class Isa, int N>
void narrow(const TileCall& t, int64_t rows) {
  constexpr int kSums = Isa::rows * Isa::vectors * Isa::width / (N * kLanes);
  constexpr int R = std::clamp(kSums, 1, 4);
  int64_t row = 0;
  const auto from_row = [&] {
    TileCall rest = t;
    rest.a += row * t.lda;
    rest.c += row * t.ldc;
    rest.row += row;
    return rest;
  };
  for (; row + R <= rows; row += R) narrow_rows<Isa, R, N>(from_row());
  for (; row < rows; ++row) narrow_rows<Isa, 1, N>(from_row());
}

template <class Isa, int... N>
constexpr std::array<GemmKernel::Narrow, kNarrow> narrow_of(std::integer_sequence<int, N...>) {
  return {&narrow<Isa, N + 1>...};
}

}  // namespace
}  // namespace ink
