// out[c] = Σ_n x[n][c] for x (N, C), in an order that depends on N and C alone.
//
// Two launches: each block adds up a strip of 32 columns over its share of the rows, then the
// partial sums, which are f32, are added in order.
#pragma once
#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#include "tensor/tensor.h"

namespace ink::cuda {

inline constexpr int kStrip = 32, kStripRows = 8;  // a block of kStrip × kStripRows threads

// Each block: columns [32·blockIdx.x, …), rows [first, first + share) with first = share·blockIdx.y.
template <class Y, class T>
__global__ void column_sums_kernel(const T* x, Y* out, int64_t N, int64_t C, int64_t share) {
  INK_SHARED(float, part, [kStripRows][kStrip + 1]);
  const int column = static_cast<int>(threadIdx.x) % kStrip;
  const int row = static_cast<int>(threadIdx.x) / kStrip;
  const int64_t c = static_cast<int64_t>(blockIdx.x) * kStrip + column;
  const int64_t first = share * blockIdx.y, end = first + share < N ? first + share : N;
  float sum = 0;
  if (c < C) {
    for (int64_t n = first + row; n < end; n += kStripRows) sum += widen(x[n * C + c]);
  }
  part[row][column] = sum;
  __syncthreads();
  if (row == 0 && c < C) {
    for (int r = 1; r < kStripRows; ++r) sum += part[r][column];
    out[blockIdx.y * C + c] = narrow<Y>(sum);
  }
}

template <class Y, class T>
void column_sums(const T* x, Y* out, int64_t N, int64_t C) {
  constexpr int64_t kShare = 64;  // rows of a block at least
  const int64_t strips = (C + kStrip - 1) / kStrip;
  const int64_t wanted = std::min<int64_t>((N + kShare - 1) / kShare, 512);
  const int threads = kStrip * kStripRows;
  if (wanted <= 1) {
    return launch("column_sums", column_sums_kernel<Y, T>, {strips, threads}, x, out, N, C, N);
  }
  const int64_t share = (N + wanted - 1) / wanted, parts = (N + share - 1) / share;
  Tensor partial({parts, C}, Dtype::f32, Device::cuda);
  float* sums = partial.data<float>();
  launch("column_sums", column_sums_kernel<float, T>, {strips, threads, parts}, x, sums, N, C,
         share);
  launch("column_sums", column_sums_kernel<Y, float>, {strips, threads}, sums, out, parts, C,
         parts);
}

}  // namespace ink::cuda
