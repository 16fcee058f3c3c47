// The micro-kernels of products of 8-bit integers: a tile of sums stays in registers.
//
//   y[r][n] = epilogue(scale[r]·scale[n]·(Σ_k a[r][k]·w[n][k] − zero[r]·Σ_k w[n][k]))
//
// A step reads four bytes of every row of A, a group of 4 u8 or 2 s16, and broadcasts them; W lies
// in panels [K/group][panel width][group] of s8, the last panel cut to whole vectors. Sums are
// exact, so every kernel gives the same bits. One template (int8_tile.h) is compiled for each:
//
//   avx512vnni  8×48  vpdpbusd, which multiplies u8 by s8
//   avxvnni     6×16  the same in 256 bits
//   avx2        6×16  vpmaddwd on numbers widened to s16. (vpmaddubsw, which multiplies u8 by s8,
//                     cuts its sums off at 16 bits.)
//   portable    4×8   plain loops over the same layout
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "tensor/gemm_kernel.h"
#include "tensor/quantize.h"

namespace ink {

struct Int8TileCall {
  const char* a = nullptr;    // rows of u8 or s16, up to a whole group
  int64_t lda = 0;            // bytes from one row to the next
  const int8_t* b = nullptr;  // one panel
  int64_t steps = 0;
  const QuantizedRow* rows = nullptr;    // of the tile
  const float* column_scales = nullptr;  // of the panel, in whole vectors, as
  const int32_t* column_sums = nullptr;  // Σ_k w[n][k]
  TileCall out = {};                     // c, ldc, columns, epilogue, row and column
};

struct Int8Kernel {
  using Tile = void (*)(const Int8TileCall&);
  const char* name;
  int vector_width;                          // columns
  int rows;                                  // largest tile: rows × panel_width
  int panel_width;                           // a multiple of vector_width
  int group;                                 // numbers that lie together: 4 of u8, or 2 of s16
  std::array<std::array<Tile, 3>, 8> tiles;  // [rows − 1][vectors − 1]

  // The tile for `row_count` rows that covers `columns` columns.
  Tile tile(int64_t row_count, int64_t columns) const {
    const int64_t vectors = (columns + vector_width - 1) / vector_width;
    return tiles[static_cast<size_t>(row_count - 1)][static_cast<size_t>(vectors - 1)];
  }
};

const Int8Kernel& int8_kernel();  // the fastest that simd::level() and this processor allow
std::vector<const Int8Kernel*> int8_kernels();  // all that this processor can run

const Int8Kernel& portable_int8_kernel();
const Int8Kernel& avx2_int8_kernel();
const Int8Kernel& avxvnni_int8_kernel();
const Int8Kernel& avx512vnni_int8_kernel();

}  // namespace ink
