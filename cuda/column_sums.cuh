// out[c] = Σ_n x[n][c] for x (N, C), in an order that depends on N and C alone.
//
// Two launches: each block adds up a strip of columns over its share of the rows, in f32; then
// the shares are added in order. What a row holds may also be computed on the way: see Elements.
#pragma once
#include <algorithm>

#include "cuda/bounds.cuh"
#include "cuda/in_flight.cuh"
#include "cuda/launch.h"
#include "cuda/packs.cuh"
#include "tensor/tensor.h"

namespace ink::cuda {

// Rows for column_sums_of: load() reads the P elements of row n from column c on, add() adds them
// to sum. Several rows are in flight at a time.
template <class T, int Width = kPack<T>>
struct Elements {
  static constexpr int P = Width, kInFlight = 4;
  using Loaded = PackedWords<T, P>;
  const T* x;
  int64_t C, ld;
  bool packed;

  INK_DEVICE Loaded load(int64_t n, int64_t c) const {
    return Loaded(load_row_pack<P>(x + n * ld, c, C, packed));
  }
  INK_DEVICE void add(const Loaded& v, int64_t, int64_t, float (&sum)[P]) const {
#pragma unroll
    for (int j = 0; j < P; ++j) sum[j] += v[j];
  }
};

struct SumOptions {
  float factor = 1;         // of the sums
  bool accumulate = false;  // adds to what out holds
};

// Each warp takes every blockDim.x/32-th row of the block's share, rows [share·blockIdx.y, …), and
// each lane P neighbouring columns of the block's strip, which is the blockIdx.x-th.
template <int kWarps, class Y, class Rows>
__global__ void __launch_bounds__(kWarps* kWarp, blocks_bound(32 / kWarps))
    column_sums_kernel(Rows rows, Y* out, int64_t N, int64_t C, int64_t share, SumOptions options) {
  constexpr int P = Rows::P;
  INK_SHARED(float, part, [kWarps][P][kWarp + 1]);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const int64_t strip = static_cast<int64_t>(blockIdx.x) * kWarp * P, c = strip + lane * P;
  const int64_t first = share * blockIdx.y, end = first + share < N ? first + share : N;
  float sum[P] = {};
  if (c < C) {
    each_in_flight<Rows::kInFlight>(
        first + warp, end, warps, [&](int64_t n) { return rows.load(n, c); },
        [&](const typename Rows::Loaded& at, int64_t n) { rows.add(at, n, c, sum); });
  }
#pragma unroll
  for (int j = 0; j < P; ++j) part[warp][j][lane] = sum[j];
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < kWarp * P; i += static_cast<int>(blockDim.x)) {
    if (strip + i >= C) continue;
    float total = 0;
    for (int w = 0; w < warps; ++w) total += part[w][i % P][i / P];
    Y* at = out + blockIdx.y * C + strip + i;
    total *= options.factor;
    *at = narrow<Y>(options.accumulate ? widen(*at) + total : total);
  }
}

template <class Y, class Rows>
void column_sums_of(const Rows& rows, Y* out, int64_t N, int64_t C, SumOptions options = {}) {
  constexpr int kWarps = 8, kWarpsOfParts = 32;
  // Blocks at most: four for each of 132 processors, which run at the same time; rows at least.
  constexpr int64_t kBlocks = 528, kShare = 4 * kWarps;
  const int64_t strips = (C + kWarp * Rows::P - 1) / (kWarp * Rows::P);
  const int64_t wanted =
      std::min((N + kShare - 1) / kShare, kBlocks / std::max<int64_t>(strips, 1));
  if (wanted <= 1) {
    return launch("column_sums", column_sums_kernel<kWarps, Y, Rows>, {strips, kWarps * kWarp},
                  rows, out, N, C, N, options);
  }
  const int64_t share = (N + wanted - 1) / wanted, parts = (N + share - 1) / share;
  Tensor partial({parts, C}, Dtype::f32, Device::cuda);
  float* sums = partial.data<float>();
  launch("column_sums", column_sums_kernel<kWarps, float, Rows>, {strips, kWarps * kWarp, parts},
         rows, sums, N, C, share, SumOptions{});
  using Parts = Elements<float, 1>;
  launch("column_sums", column_sums_kernel<kWarpsOfParts, Y, Parts>,
         {(C + kWarp - 1) / kWarp, kWarpsOfParts * kWarp}, Parts{sums, C, C, false}, out, parts, C,
         parts, options);
}

// ld: the distance of rows; 0: C.
template <class Y, class T>
void column_sums(const T* x, Y* out, int64_t N, int64_t C, SumOptions options = {},
                 int64_t ld = 0) {
  if (ld == 0) ld = C;
  const bool packed = packs<T>(ld, x);  // the last pack may reach into the rest of its row
  column_sums_of(Elements<T>{x, C, ld, packed}, out, N, C, options);
}

}  // namespace ink::cuda
