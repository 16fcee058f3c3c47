// The micro-kernels of gemm and attention: a tile of C stays in registers, A and B stream past.
//
//   C[r][n] = start + Σ_k A[r][k]·B[k][n],   start = C[r][n] when continuing, else 0
//
// B lies in panels (panels.h): [depth][panel_width], the last panel cut to whole vectors and
// padded with zeros. A is read where it is, by rows or by columns. Of narrow products (gemm.h) both
// lie by rows along k. One template each (gemm_tile.h, gemm_narrow.h) is compiled for every
// instruction set; multiply-adds are fused wherever the set has them, so AVX2 and AVX-512 give the
// same bits.
#pragma once
#include <array>
#include <cstdint>

#include "tensor/gemm.h"
#include "tensor/simd.h"

namespace ink {

struct TileCall {
  const float* a = nullptr;  // A[r][k] at a[r·lda + k], or at a[k·lda + r]
  int64_t lda = 0;
  bool a_by_columns = false;
  const float* b = nullptr;  // one panel, [depth][whole vectors]; narrow: B[k][n] at b[n·ldb + k]
  int64_t ldb = 0;
  int64_t depth = 0;
  float* c = nullptr;  // C[r][n] at c[r·ldc + n]
  int64_t ldc = 0;
  int64_t columns = 0;                        // written: at most the width of the tile
  bool continues = false;                     // the chain starts from C
  const Epilogue<float>* epilogue = nullptr;  // after the last step; null: store
  int64_t row = 0, column = 0;  // place of the tile in the matrices that the epilogue names
};

inline constexpr int kNarrow = 4;  // columns of a narrow product, at most
inline constexpr int kLanes = 16;  // chains of which an element of it is made

struct GemmKernel {
  using Tile = void (*)(const TileCall&);
  using Narrow = void (*)(const TileCall& first, int64_t rows);
  int vector_width;                          // floats
  int rows;                                  // largest tile: rows × panel_width
  int panel_width;                           // a multiple of vector_width
  std::array<std::array<Tile, 3>, 8> tiles;  // [rows − 1][vectors − 1]
  std::array<Narrow, kNarrow> narrow;        // [columns − 1]

  // The tile for `rows` rows that covers `columns` columns.
  Tile tile(int64_t row_count, int64_t columns) const {
    const int64_t vectors = (columns + vector_width - 1) / vector_width;
    return tiles[static_cast<size_t>(row_count - 1)][static_cast<size_t>(vectors - 1)];
  }
};

const GemmKernel& gemm_kernel();                    // for simd::level()
const GemmKernel& gemm_kernel_of(int panel_width);  // the one whose panels are that wide

const GemmKernel& portable_kernel();
const GemmKernel& avx2_kernel();
const GemmKernel& avx512_kernel();
// The 8×48 tiles of AVX-512 in AVX2 instructions: slow, and the same bits; tests prove the tile
// logic with it.
const GemmKernel& avx512_kernel_in_avx2();

}  // namespace ink
