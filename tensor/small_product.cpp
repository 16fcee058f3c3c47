// Panels and tiles for f32 as in gemm; rows of B and three loops for f64.
#include "tensor/small_product.h"

#include <algorithm>

#include "tensor/gemm_kernel.h"
#include "tensor/panels.h"

namespace ink {

template <>
int64_t packed_size<float>(int64_t n, int64_t k) {
  const int64_t width = gemm_kernel().vector_width;
  return (n + width - 1) / width * width * k;
}

template <>
int64_t packed_size<double>(int64_t n, int64_t k) {
  return n * k;
}

template <>
void pack(const float* b, int64_t ldb, bool transposed, int64_t n, int64_t k, float* out) {
  const GemmKernel& kernel = gemm_kernel();
  pack_panels(b, ldb, transposed, 0, k, 0, n, kernel.panel_width, kernel.vector_width, out);
}

template <>
void pack(const double* b, int64_t ldb, bool transposed, int64_t n, int64_t k, double* out) {
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) out[i * n + j] = transposed ? b[j * ldb + i] : b[i * ldb + j];
  }
}

template <>
void multiply(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, bool a_by_columns,
              const float* b, float* c, int64_t ldc, bool continues) {
  if (m == 0) return;
  const GemmKernel& kernel = gemm_kernel();
  const int64_t width = kernel.panel_width, tiles = (m + kernel.rows - 1) / kernel.rows;
  const int64_t tile_rows = (m + tiles - 1) / tiles;
  TileCall t;
  t.lda = lda;
  t.a_by_columns = a_by_columns;
  t.depth = k;
  t.ldc = ldc;
  t.continues = continues;
  for (int64_t p = 0; p * width < n; ++p) {
    t.b = b + p * width * k;
    t.columns = std::min(width, n - p * width);
    for (int64_t row = 0; row < m; row += tile_rows) {
      t.a = a + (a_by_columns ? row : row * lda);
      t.c = c + row * ldc + p * width;
      kernel.tile(std::min(tile_rows, m - row), t.columns)(t);
    }
  }
}

template <>
void multiply(int64_t m, int64_t n, int64_t k, const double* a, int64_t lda, bool a_by_columns,
              const double* b, double* c, int64_t ldc, bool continues) {
  for (int64_t i = 0; i < m; ++i) {
    double* row = c + i * ldc;
    if (!continues) std::fill_n(row, n, 0.0);
    for (int64_t l = 0; l < k; ++l) {
      const double x = (a_by_columns ? a[l * lda + i] : a[i * lda + l]);
      for (int64_t j = 0; j < n; ++j) row[j] += x * b[l * n + j];
    }
  }
}

}  // namespace ink
