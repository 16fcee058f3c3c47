// Index arithmetic between packed rows and rectangles.
#include "nn/ragged.h"

#include <algorithm>

#include "tensor/ops.h"

namespace ink {

Tensor rectangle(const Tensor& starts) {
  const int64_t B = starts.dim(0) - 1;
  const int32_t* at = starts.data<int32_t>();
  int64_t T = 0;
  for (int64_t b = 0; b < B; ++b) T = std::max<int64_t>(T, at[b + 1] - at[b]);
  Tensor rows = full(Shape{B, T}, static_cast<double>(at[B]), Dtype::i32);
  for (int64_t b = 0; b < B; ++b) {
    for (int32_t n = at[b]; n < at[b + 1]; ++n) rows.data<int32_t>()[b * T + n - at[b]] = n;
  }
  return rows;
}

Tensor to_rectangle(const Tensor& x, const Tensor& rows, double filler) {
  return gather_rows(concat({x, full(Shape{1, x.dim(1)}, filler, x.dtype(), x.device())}, 0), rows);
}

StartsAndEnds starts_and_ends(const Tensor& scores, const Tensor& offsets) {
  constexpr double kLow = -3e4;  // kNever is −∞ in f16, and 0·(−∞) no number
  const Tensor all = to_rectangle(scores, rectangle(offsets), kLow);  // (B, T, 2)
  const int64_t B = all.dim(0), T = all.dim(1);
  return {reshape(slice(all, 2, 0, 1), {B, T}), reshape(slice(all, 2, 1, 2), {B, T})};
}

Tensor starts_of(const Tensor& rows, const Tensor& offsets) {
  const int64_t B = offsets.dim(0) - 1, M = rows.dim(0);
  const int32_t* at = offsets.data<int32_t>();
  const int32_t* row = rows.data<int32_t>();
  Tensor starts(Shape{B + 1}, Dtype::i32);
  int64_t m = 0;
  for (int64_t b = 0; b <= B; ++b) {
    for (; m < M && b > 0 && row[m] < at[b]; ++m) {
      check(row[m] >= at[b - 1] && (m == 0 || row[m] > row[m - 1]),
            "rows: expected ascending rows, got ", row[m], " at place ", m);
    }
    starts.data<int32_t>()[b] = static_cast<int32_t>(m);
  }
  check(m == M, "rows: expected rows below ", at[B], ", got ", m < M ? row[m] : 0);
  return starts;
}

}  // namespace ink
