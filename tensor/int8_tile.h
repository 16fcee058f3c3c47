// The micro-kernel template of 8-bit products. Include it after `#pragma GCC target`, as
// gemm_tile.h.
//
// An Isa names its sizes (width: columns of a vector, group) and five operations: zero,
// load (weights of a vector of columns), broadcast (four bytes of a row), multiply_add, store.
#pragma once
#include <utility>

#include "tensor/gemm_epilogue.h"
#include "tensor/int8_kernel.h"

namespace ink {
namespace {  // NOLINT: each file for an instruction set has copies of its own

// x = the numbers that sums stand for, R rows of S columns.
template <int R, int S>
[[gnu::always_inline]] inline void scale_sums(const Int8TileCall& t, const int32_t* sums,
                                              float* x) {
  const float* column_scales = t.column_scales;
  const int32_t* column_sums = t.column_sums;
  for (int r = 0; r < R; ++r) {
    const int32_t zero = t.rows[r].zero;
    const float row_scale = t.rows[r].scale;
#pragma omp simd
    for (int n = 0; n < S; ++n) {
      const int32_t exact = sums[r * S + n] - zero * column_sums[n];
      x[r * S + n] = static_cast<float>(exact) * row_scale * column_scales[n];
    }
  }
}

// R rows × V vectors. Loops over R and V are unrolled, so that `sum` lives in registers.
template <class Isa, int R, int V>
void int8_tile(const Int8TileCall& t) {
  constexpr int W = Isa::width, S = V * W, kBytes = W * Isa::group;
  typename Isa::Sum sum[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v] = Isa::zero();
  }

  const int64_t lda = t.lda, bytes = 4 * t.steps;
  const char *a0 = t.a, *a3 = a0 + 3 * lda, *a6 = a0 + 6 * lda;
  const auto row = [=](int r) { return (r < 3 ? a0 : r < 6 ? a3 : a6) + (r % 3) * lda; };
  const int8_t* b = t.b;
  for (int64_t i = 0; i < bytes; i += 4) {
    typename Isa::Weights w[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) w[v] = Isa::load(b + v * kBytes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto x = Isa::broadcast(row(r) + i);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) Isa::multiply_add(sum[r][v], x, w[v]);
    }
    b += V * kBytes;
  }

  alignas(64) int32_t sums[R * S];
  alignas(64) float x[R * S];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) Isa::store(sums + r * S + v * W, sum[r][v]);
  }
  scale_sums<R, S>(t, sums, x);
  finish<R, S>(t.out, x);
}

template <class Isa, int R, int... V>
constexpr std::array<Int8Kernel::Tile, 3> int8_tiles_of_rows(std::integer_sequence<int, V...>) {
  return {&int8_tile<Isa, R, V + 1>...};
}

template <class Isa, int... R>
constexpr Int8Kernel int8_kernel_of(const char* name, std::integer_sequence<int, R...>) {
  return {name,
          Isa::width,
          Isa::rows,
          Isa::width * Isa::vectors,
          Isa::group,
          {int8_tiles_of_rows<Isa, R + 1>(std::make_integer_sequence<int, Isa::vectors>())...}};
}

template <class Isa>
constexpr Int8Kernel int8_kernel_of(const char* name) {
  return int8_kernel_of<Isa>(name, std::make_integer_sequence<int, Isa::rows>());
}

}  // namespace
}  // namespace ink
