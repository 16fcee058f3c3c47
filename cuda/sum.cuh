// factor · Σ f(x[i], y[i]) over n elements as an f32 scalar on the device, in an order that depends
// on n alone: each block adds up its share, then one block the blocks' sums.
#pragma once
#include <algorithm>

#include "cuda/in_flight.cuh"
#include "cuda/map.cuh"
#include "cuda/mean.h"

namespace ink::cuda {

inline constexpr int kSumThreads = 256;

// f takes and returns f32. The first `packs` packs are read as such, the rest one by one.
template <class F, class T>
__global__ void __launch_bounds__(kSumThreads)
    sum_kernel(F f, const T* x, const T* y, int64_t packs, int64_t n, float* sums) {
  INK_SHARED(float, part, [kWarp]);
  constexpr int P = kPack<T>;
  float sum[P] = {};
  struct Pair {
    PackedWords<T> x, y;
  };
  const auto load = [&](int64_t i) -> Pair {
    return {PackedWords<T>(load_pack<T, P>(x + i * P)), PackedWords<T>(load_pack<T, P>(y + i * P))};
  };
  each_in_flight<2>(global_thread(), packs, all_threads(), load, [&](const Pair& at, int64_t) {
#pragma unroll
    for (int j = 0; j < P; ++j) sum[j] += f(at.x[j], at.y[j]);
  });
  for (int64_t i = packs * P + global_thread(); i < n; i += all_threads())
    sum[0] += f(widen(x[i]), widen(y[i]));
#pragma unroll
  for (int j = 1; j < P; ++j) sum[0] += sum[j];
  const float total = block_sum(sum[0], part);
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

template <class F, class T>
Tensor sum_of(const F& f, int64_t n, const T* x, const T* y, double factor) {
  constexpr int64_t kShare = 4 * kSumThreads * kPack<T>;  // elements of a block at least
  const int64_t blocks = std::min<int64_t>((n + kShare - 1) / kShare, 528);
  Tensor sums({blocks}, Dtype::f32, Device::cuda);
  launch("sum", sum_kernel<F, T>, {blocks, kSumThreads}, f, x, y,
         is_aligned<kPack<T>>(x) && is_aligned<kPack<T>>(y) ? n / kPack<T> : 0, n,
         sums.data<float>());
  return scaled_sum(sums, factor);
}

}  // namespace ink::cuda
