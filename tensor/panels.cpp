// Filling of panels: copies rows, or transposes in blocks of 4×4 that stay in registers.
#include "tensor/panels.h"

#include <algorithm>
#include <cstring>

#include "tensor/simd.h"

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

// One panel of a transposed B.
void pack_transposed(const float* b, int64_t ldb, int64_t depth, int64_t columns, int64_t width,
                     float* out) {
  // A cache line of every row is used up before the next is asked for.
  constexpr int64_t kLine = 16;
  const int64_t even_columns = columns & ~int64_t{3}, even_depth = depth & ~int64_t{3};
  for (int64_t k0 = 0; k0 < even_depth; k0 += kLine) {
    const int64_t k1 = std::min(k0 + kLine, even_depth);
    for (int64_t n = 0; n < even_columns; n += 4) {
      const float* row = b + n * ldb + k0;
      for (int64_t r = 0; r < 4; ++r) __builtin_prefetch(row + r * ldb + 4 * kLine);
      for (int64_t k = k0; k < k1; k += 4)
        transpose_4x4(b + n * ldb + k, ldb, out + k * width + n, width);
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t n = k < even_depth ? even_columns : 0; n < columns; ++n)
      out[k * width + n] = b[n * ldb + k];
    for (int64_t n = columns; n < width; ++n) out[k * width + n] = 0;
  }
}

// The next P whole panels of W columns, rows side by side: what is read lies together. Few enough
// of them that what is written does not crowd one set of the cache.
template <int P, int W>
void copy_panels(const float* b, int64_t ldb, int64_t depth, float* out) {
  for (int64_t k = 0; k < depth; ++k, b += ldb, out += W) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) std::memcpy(out + p * W * depth, b + p * W, W * sizeof(float));
  }
}

// One panel of any width, copied by eights where rows are long enough: the surplus is overwritten
// by the next row.
void copy_panel(const float* b, int64_t ldb, int64_t depth, int64_t columns, int64_t width,
                float* out) {
  // The last rows cannot take eight: there the surplus would lie behind the panel, or behind b.
  const int64_t last_rows = std::max<int64_t>(1, (8 + width - 1) / width - 1);
  const bool long_rows = columns == width && width <= 8 && ldb >= 8;
  const int64_t by_eights = long_rows ? depth - last_rows : 0;
  for (int64_t k = 0; k < by_eights; ++k) std::memcpy(out + k * width, b + k * ldb, 32);
  for (int64_t k = std::max<int64_t>(by_eights, 0); k < depth; ++k) {
    for (int64_t n = 0; n < columns; ++n) out[k * width + n] = b[k * ldb + n];
    for (int64_t n = columns; n < width; ++n) out[k * width + n] = 0;
  }
}

template <int W>
int64_t copy_whole_panels(const float* b, int64_t ldb, int64_t depth, int64_t panels, float* out) {
  int64_t p = 0;
  for (; p + 4 <= panels; p += 4) copy_panels<4, W>(b + p * W, ldb, depth, out + p * W * depth);
  for (; p < panels; ++p) copy_panels<1, W>(b + p * W, ldb, depth, out + p * W * depth);
  return p;
}

void pack_rows(const float* b, int64_t ldb, int64_t depth, int64_t columns, int64_t width,
               int64_t vector_width, float* out) {
  const int64_t whole = columns / width;
  int64_t p = 0;
  if (width == 16) p = copy_whole_panels<16>(b, ldb, depth, whole, out);
  if (width == 48) p = copy_whole_panels<48>(b, ldb, depth, whole, out);
  for (; p * width < columns; ++p) {
    copy_panel(b + p * width, ldb, depth, std::min(width, columns - p * width),
               stored_columns(columns, p, width, vector_width), out + p * width * depth);
  }
}

}  // namespace

void pack_panels(const float* b, int64_t ldb, bool transposed, int64_t first_k, int64_t depth,
                 int64_t first_n, int64_t columns, int64_t width, int64_t vector_width,
                 float* out) {
  simd::run([=] {
    if (!transposed) {
      return pack_rows(b + first_k * ldb + first_n, ldb, depth, columns, width, vector_width, out);
    }
    for (int64_t p = 0; p * width < columns; ++p) {
      pack_transposed(b + (first_n + p * width) * ldb + first_k, ldb, depth,
                      std::min(width, columns - p * width),
                      stored_columns(columns, p, width, vector_width), out + p * width * depth);
    }
  });
}

}  // namespace ink
