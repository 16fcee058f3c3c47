// Packing of one panel: copies rows, or transposes in blocks of 4×4 that stay in registers.
#include "tensor/packing.h"

#include <cstring>

namespace ink {
namespace {

using Four = float __attribute__((vector_size(16)));
using FourAnywhere = float __attribute__((vector_size(16), aligned(4), may_alias));

Four load(const float* p) { return *reinterpret_cast<const FourAnywhere*>(p); }
void store(float* p, Four x) { *reinterpret_cast<FourAnywhere*>(p) = x; }

// out[k][n] = b[n][k] for k, n < 4
void transpose_4x4(const float* b, int64_t ldb, float* out, int64_t width) {
  const Four r0 = load(b), r1 = load(b + ldb), r2 = load(b + 2 * ldb), r3 = load(b + 3 * ldb);
  const Four a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5),
             c = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  const Four d = __builtin_shufflevector(r2, r3, 0, 4, 1, 5),
             e = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  store(out, __builtin_shufflevector(a, d, 0, 1, 4, 5));
  store(out + width, __builtin_shufflevector(a, d, 2, 3, 6, 7));
  store(out + 2 * width, __builtin_shufflevector(c, e, 0, 1, 4, 5));
  store(out + 3 * width, __builtin_shufflevector(c, e, 2, 3, 6, 7));
}

void pack_transposed(const float* b, int64_t ldb, int64_t depth, int64_t columns, int64_t width,
                     float* out) {
  constexpr int64_t kLine =
      16;  // a cache line of every row is used up before the next is asked for
  const int64_t even_columns = columns & ~int64_t{3}, even_depth = depth & ~int64_t{3};
  for (int64_t k0 = 0; k0 < even_depth; k0 += kLine) {
    const int64_t k1 = k0 + kLine < even_depth ? k0 + kLine : even_depth;
    for (int64_t n = 0; n < even_columns; n += 4) {
      for (int64_t k = k0; k < k1; k += 4)
        transpose_4x4(b + n * ldb + k, ldb, out + k * width + n, width);
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    const int64_t done = k < even_depth ? even_columns : 0;
    for (int64_t n = done; n < columns; ++n) out[k * width + n] = b[n * ldb + k];
    for (int64_t n = columns; n < width; ++n) out[k * width + n] = 0;
  }
}

void pack_rows(const float* b, int64_t ldb, int64_t depth, int64_t columns, int64_t width,
               float* out) {
  for (int64_t k = 0; k < depth; ++k, b += ldb, out += width) {
    for (int64_t n = 0; n < columns; ++n) out[n] = b[n];
    for (int64_t n = columns; n < width; ++n) out[n] = 0;
  }
}

}  // namespace

void pack_panel(const float* b, int64_t ldb, bool transposed, int64_t first_k, int64_t depth,
                int64_t first_n, int64_t columns, int64_t width, float* out) {
  if (transposed) {
    pack_transposed(b + first_n * ldb + first_k, ldb, depth, columns, width, out);
  } else {
    pack_rows(b + first_k * ldb + first_n, ldb, depth, columns, width, out);
  }
}

}  // namespace ink
