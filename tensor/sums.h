// Sums in a fixed order: the same bits at every instruction set and for any number of threads.
//
// A row is summed in 32 partial sums (element i goes to partial i mod 32), which are then added in
// pairs: enough of them to fill the registers of AVX2 and AVX-512, and the error of a row of 768 is
// that of about 30 additions. Call the functions of the first part inside simd::run.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/tensor.h"

namespace ink {

inline constexpr int kPartials = 32;

// term(0) + … + term(n − 1); 0 for n = 0.
template <class T, class Term>
T row_sum(int64_t n, const Term& term) {
  T part[kPartials] = {};
  int64_t i = 0;
  for (; i + kPartials <= n; i += kPartials) {
#pragma omp simd
    for (int l = 0; l < kPartials; ++l) part[l] += term(i + l);
  }
  for (int l = 0; i < n; ++i, ++l) part[l] += term(i);
  for (int width = kPartials / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) part[l] += part[l + width];
  }
  return part[0];
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
  for (int width = W / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) part[l] = part[l + width] > part[l] ? part[l + width] : part[l];
  }
  return part[0];
}

// The largest of x[0..n); −∞ for n = 0. NaN is skipped here: whoever uses the maximum meets it
// again in x.
template <class T>
T row_maximum(int64_t n, const T* x) {
  if (n >= kPartials) return maximum_in_blocks<kPartials>(n, x);
  if (n >= 8) return maximum_in_blocks<8>(n, x);
  return n > 0 ? maximum_in_blocks<1>(n, x) : -std::numeric_limits<T>::infinity();
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
    for (int64_t n = block; n < std::min(N, block + kRowBlock); ++n) {
      const T* row = x + n * C;
#pragma omp simd
      for (int64_t c = 0; c < width; ++c) part[c] += row[c];
    }
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) total[c] += part[c];
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
  constexpr int64_t kChunk = 16384;
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
