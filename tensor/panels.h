// Panels: the operands of a product, copied into the order in which the micro-kernels read them.
//
// op(B) (K, N) becomes panels of `width` columns, each [K][width]: one stream of memory. The last
// panel has its columns rounded up to whole vectors and padded with zeros, so kernels load whole
// vectors and never look past an operand.
#pragma once
#include <cstdint>

namespace ink {

// Columns that panel p of N columns stores: `panel_width`, or what is left in whole vectors.
inline int64_t stored_columns(int64_t n, int64_t panel, int64_t panel_width, int64_t vector_width) {
  const int64_t left = n - panel * panel_width;
  return left >= panel_width ? panel_width
                             : (left + vector_width - 1) / vector_width * vector_width;
}

// Panels of depth × width, one behind the other, for `columns` columns from first_n on:
//
//   out[p][k][n] = op(B)[first_k + k][first_n + p·width + n]
//
// op(B)[k][n] is b[k·ldb + n], or b[n·ldb + k] when transposed.
void pack_panels(const float* b, int64_t ldb, bool transposed, int64_t first_k, int64_t depth,
                 int64_t first_n, int64_t columns, int64_t width, int64_t vector_width, float* out);

}  // namespace ink
