// Sums in a fixed order: the same bits at every instruction set and for any number of threads.
//
// A row is summed in 32 partial sums (element i goes to partial i mod 32): enough of them to fill
// the registers of AVX2 and AVX-512, and the error of a row of 768 is that of about 30 additions.
// They are added in pairs down to 8, which take what is left in whole eights, then to one, which
// takes the rest. Columns are summed four rows at a time, in blocks of rows. Call what stands
// before column_sums inside simd::run.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/tensor.h"

namespace ink {

inline constexpr int kPartials = 32;
inline constexpr int64_t kChunk = 16384;  // elements that are summed as one row

// The first of W = 2^i partial results takes in the others, in pairs: part[l] with part[l + W/2],
// and so on until `left` are left.
template <int W, int left = 1, class T, class Combine>
T in_pairs(T* part, const Combine& combine) {
  if constexpr (W > left) {
#pragma omp simd
    for (int l = 0; l < W / 2; ++l) part[l] = combine(part[l], part[l + W / 2]);
    return in_pairs<W / 2, left>(part, combine);
  }
  return part[0];
}

// Adds term(i), term(i + 1), … in whole blocks of W to part[0..W); returns where they end.
template <int W, class T, class Term>
int64_t add_blocks(int64_t i, int64_t n, const Term& term, T* part) {
  for (; i + W <= n; i += W) {
#pragma omp simd
    for (int l = 0; l < W; ++l) part[l] += term(i + l);
  }
  return i;
}

// term(0) + … + term(n − 1); 0 for n = 0.
template <class T, class Term>
T row_sum(int64_t n, const Term& term) {
  const auto plus = [](T a, T b) { return a + b; };
  T part[kPartials] = {};
  int64_t i = add_blocks<kPartials>(0, n, term, part);
  in_pairs<kPartials, 8>(part, plus);
  i = add_blocks<8>(i, n, term, part);
  T sum = in_pairs<8>(part, plus);
  for (; i < n; ++i) sum += term(i);
  return sum;
}

// The largest of 0 < W ≤ n numbers x[0..n) in blocks of W, of which the last may overlap the one
// before: a maximum may be met twice.
template <int W, class T>
T maximum_in_blocks(int64_t n, const T* x) {
  T part[W];
  std::fill_n(part, W, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + W <= n; i += W) {
#pragma omp simd
    for (int l = 0; l < W; ++l) part[l] = x[i + l] > part[l] ? x[i + l] : part[l];
  }
  if (i < n) {
    const T* last = x + n - W;
#pragma omp simd
    for (int l = 0; l < W; ++l) part[l] = last[l] > part[l] ? last[l] : part[l];
  }
  return in_pairs<W>(part, [](T a, T b) { return b > a ? b : a; });
}

// The largest of x[0..n); −∞ for n = 0. NaN is skipped here: whoever uses the maximum meets it
// again in x.
template <class T>
T row_maximum(int64_t n, const T* x) {
  if (n >= kPartials) return maximum_in_blocks<kPartials>(n, x);
  if (n >= 8) return maximum_in_blocks<8>(n, x);
  return n > 0 ? maximum_in_blocks<1>(n, x) : -std::numeric_limits<T>::infinity();
}

// sum[c] += Σ_r x[r·ld + c] for R rows and `width` columns: four rows at a time, in order.
template <class T, class S>
void add_rows(const T* x, int64_t R, int64_t ld, int64_t width, S* sum) {
  int64_t r = 0;
  for (; r + 4 <= R; r += 4, x += 4 * ld) {
    const T *x1 = x + ld, *x2 = x + 2 * ld, *x3 = x + 3 * ld;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      sum[c] += (static_cast<S>(x[c]) + static_cast<S>(x1[c])) +
                (static_cast<S>(x2[c]) + static_cast<S>(x3[c]));
    }
  }
  for (; r < R; ++r, x += ld) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) sum[c] += static_cast<S>(x[c]);
  }
}

inline constexpr int64_t kColumns = 128, kRowBlock = 64;  // of column_sums

// column_sums (below) for the first `width` ≤ kColumns columns.
template <class T>
void column_sums_of_strip(const T* x, int64_t N, int64_t C, int64_t width, T* out,
                          bool accumulate) {
  T total[kColumns] = {};
  if (accumulate) std::copy_n(out, width, total);
  for (int64_t block = 0; block < N; block += kRowBlock) {
    T part[kColumns] = {};
    add_rows(x + block * C, std::min(N - block, kRowBlock), C, width, part);
    add_rows(part, 1, 0, width, total);
  }
  std::copy_n(total, width, out);
}

// out[c] = Σ_n x[n·C + c] for x (N, C), added to what out holds if `accumulate`. Parallel over
// columns; rows are added in blocks, and the blocks in order.
template <class T>
void column_sums(const T* x, int64_t N, int64_t C, T* out, bool accumulate = false) {
  const int64_t strips = (C + kColumns - 1) / kColumns;
  parallel_for(strips, grain_for(N * kColumns), [&](int64_t begin, int64_t end) {
    simd::run([=] {
      for (int64_t first = begin * kColumns; first < std::min(C, end * kColumns);
           first += kColumns) {
        column_sums_of_strip(x + first, N, C, std::min(kColumns, C - first), out + first,
                             accumulate);
      }
    });
  });
}

// Σ over [0, n) of sum(begin, end) for chunks of fixed size, added in order. sum gives the double
// of one chunk, runs in any thread and does its own simd::run.
template <class Sum>
double chunked_sum(int64_t n, const Sum& sum) {
  if (n <= kChunk) return sum(int64_t{0}, n);
  Tensor parts(Shape{(n + kChunk - 1) / kChunk}, Dtype::f64);
  double* part = parts.data<double>();
  parallel_for(parts.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) part[i] = sum(i * kChunk, std::min(n, (i + 1) * kChunk));
  });
  double total = 0;
  for (int64_t i = 0; i < parts.size(); ++i) total += part[i];
  return total;
}

// term(0) + … + term(n − 1), added up in f64 and in parallel.
template <class Term>
double sum_in_f64(int64_t n, const Term& term) {
  return chunked_sum(n, [&](int64_t begin, int64_t end) {
    double sum = 0;
    simd::run([&] {
      sum = row_sum<double>(end - begin,
                            [&](int64_t i) { return static_cast<double>(term(begin + i)); });
    });
    return sum;
  });
}

}  // namespace ink
