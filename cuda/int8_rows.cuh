// Around products of 8-bit integers on the CUDA device: rows to integers (tensor/quantize.h), and
// sums of integers to numbers, y = f(scale_m·scale_n·(sum − zero_m·sum of w_n) + b).
//
// Between them cuBLASLt multiplies on tensor cores. Both kernels read and write 16 bytes at a time
// and touch each element once, so they run at the speed of memory.
#pragma once
#include <algorithm>

#include "cuda/packs.cuh"
#include "cuda/rough_gelu.cuh"
#include "cuda/row.cuh"
#include "tensor/quantize.h"

namespace ink::cuda {

// A number as an integer from 0 to 255, less 128: tensor cores multiply s8 by s8.
inline constexpr int kMiddle = 128;
INK_DEVICE int8_t quantized(float x, float factor, int zero) {
  const int q = __float2int_rn(__fmul_rn(x, factor)) + zero;
  return static_cast<int8_t>(min(max(q, 0), 255) - kMiddle);
}

// x (N, C) → q (N, ld), and a scale and a zero (less 128) for each row. What lies behind a row of
// C is multiplied by 0. A row stays in the registers of its team.
template <class T, class Team, int K>
__global__ void __launch_bounds__(Team::kMostThreads)
    quantize_rows_kernel(Team team, const T* x, int64_t N, int C, int8_t* q, int ld, float* scales,
                         int32_t* zeros, bool packed) {
  INK_SHARED(float, part, [kWarp]);
  constexpr int P = kPack<T>;
  const int64_t n = team.first_row();
  if (n >= N) return;  // a whole team, and one without company at barriers
  const FetchedRow<T, K> fetched(team, x + n * C, C, packed);
  Row<T, K> row(fetched);
  RowRange range;
  row.each(team, [&](float v, int) {
    range.high = Larger{}(range.high, v), range.low = Larger{}(range.low, -v);
  });
  range.high = team.largest(range.high, part);
  range.low = team.largest(range.low, part);
  const RowSteps steps = steps_of(range);
  const int zero = steps.factor == 0 ? 0 : __float2int_rn(__fmul_rn(range.low, steps.factor));
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int first = (k * team.size() + team.rank()) * P;
    Pack<int8_t, P> pack;
#pragma unroll
    for (int j = 0; j < P; ++j)
      pack.at[j] = quantized(steps.factor == 0 ? 0.0f : row.at[k][j], steps.factor, zero);
    if (first < ld) store_pack(q + n * ld + first, pack);
  }
  if (team.rank() == 0) scales[n] = steps.scale, zeros[n] = zero - kMiddle;
}

// ld: C rounded up to a multiple of 16.
template <class T>
void quantize_rows(const T* x, int64_t N, int64_t C, int8_t* q, int64_t ld, float* scales,
                   int32_t* zeros) {
  with_row_team<T>("int8_linear", C, [&](auto team, auto k, int threads) {
    using Team = decltype(team);
    launch("quantize_rows", quantize_rows_kernel<T, Team, decltype(k)::value>,
           {blocks_for_rows(team, N), threads}, team, x, N, C, q, ld, scales, zeros,
           packs<T>(C, x));
  });
}

// A block for each row; each thread takes packs, a block's width apart.
template <class T, class F>
__global__ void __launch_bounds__(256)
    scale_sums_kernel(const int32_t* sums, int ld, const float* row_scales, const int32_t* zeros,
                      const float* column_scales, const int32_t* column_sums, const T* bias, T* y,
                      int N, bool packed) {
  constexpr int P = kPack<T>;
  const int64_t m = blockIdx.x;
  const float row_scale = row_scales[m];
  const int32_t zero = zeros[m];
  const int step = static_cast<int>(blockDim.x) * P;
  for (int first = static_cast<int>(threadIdx.x) * P; first < N; first += step) {
    float v[P], b[P] = {};
#pragma unroll
    for (int i = 0; i < P; i += 4) {
      const auto sum = load_pack<int32_t, 4>(sums + m * ld + first + i);
      const auto scale = load_pack<float, 4>(column_scales + first + i);
      const auto of_weights = load_pack<int32_t, 4>(column_sums + first + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int32_t exact = sum.at[j] - zero * of_weights.at[j];
        v[i + j] = __fmul_rn(__fmul_rn(static_cast<float>(exact), row_scale), scale.at[j]);
      }
    }
    if (bias) load_floats(b, bias, first, N, packed);
#pragma unroll
    for (int j = 0; j < P; ++j) v[j] = F{}(__fadd_rn(v[j], b[j]));
    store_floats(y + m * N, v, first, N, packed);
  }
}

// sums (M, ld) of which N columns count; column_scales and column_sums (ld); bias may be null.
template <class T>
void scale_sums(const int32_t* sums, int64_t ld, const float* row_scales, const int32_t* zeros,
                const float* column_scales, const int32_t* column_sums, const T* bias, T* y,
                int64_t M, int64_t N, Activation f) {
  const bool packed = packs<T>(N, y) && (!bias || packs<T>(N, bias));
  const int64_t needed = (N + kPack<T> - 1) / kPack<T>;
  const int threads = static_cast<int>(std::min<int64_t>((needed + kWarp - 1) / kWarp, 8) * kWarp);
  vmath::with(f, [&](auto activation) {
    launch("scale_sums", scale_sums_kernel<T, ActivationOf<T, decltype(activation)>>, {M, threads},
           sums, ld, row_scales, zeros, column_scales, column_sums, bias, y, N, packed);
  });
}

}  // namespace ink::cuda
