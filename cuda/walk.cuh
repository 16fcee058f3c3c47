// y = f(x…) for operands of one shape that are read and written by strides (tensor/walk.h).
//
// The merged axes are seen as rows of columns. A warp works along a row, the other warps of its
// block on the next ones; where rows are short or few, the block is divided otherwise. A thread has
// P columns of two rows in flight: a 128-bit pack where the result and every operand step by 1 and
// are aligned (an operand that steps by 0 gives one element for all P), else P = 1.
#pragma once
#include <utility>

#include "cuda/block.cuh"
#include "cuda/map.cuh"
#include "tensor/walk.h"

namespace ink::cuda {

// The layout of K operands; number 0 is the result.
template <int K>
struct Operands {
  int64_t rows = 1, columns;
  int outer;                      // axes that make up the rows
  int64_t extent[kMaxRank] = {};  // of these axes
  int64_t stride[kMaxRank][K] = {};
  int64_t step[K];  // from column to column

  explicit Operands(const Walk<K>& walk)
      : columns(walk.extent(walk.rank() - 1)), outer(walk.rank() - 1) {
    for (int axis = 0; axis < outer; ++axis) {
      rows *= extent[axis] = walk.extent(axis);
      std::copy_n(walk.strides(axis).begin(), K, stride[axis]);
    }
    std::copy_n(walk.steps().begin(), K, step);
  }

  // Whether operand k, which begins at p, may be accessed in packs of P.
  template <int P, class T>
  bool is_packed(int k, const T* p) const {
    if (k > 0 && step[k] == 0) return true;
    bool packed = step[k] == 1 && columns % P == 0 && is_aligned<P>(p);
    for (int axis = 0; axis < outer; ++axis) packed &= stride[axis][k] % P == 0;
    return packed;
  }

  // Where row n begins in each operand.
  INK_DEVICE void find_row(int64_t n, int64_t (&at)[K]) const {
#pragma unroll
    for (int k = 0; k < K; ++k) at[k] = 0;
#pragma unroll
    for (int axis = kMaxRank - 2; axis >= 0; --axis) {
      if (axis >= outer) continue;
      const int64_t above = axis > 0 ? n / extent[axis] : 0, i = n - above * extent[axis];
#pragma unroll
      for (int k = 0; k < K; ++k) at[k] += i * stride[axis][k];
      n = above;
    }
  }
};

// Columns [c, c + P) of a row.
template <int P, class T>
INK_DEVICE Pack<T, P> load_columns(const T* row, int64_t c, int64_t step) {
  if (P > 1 && step == 1) return load_pack<T, P>(row + c);
  Pack<T, P> pack;
  const T one = row[c * step];
#pragma unroll
  for (int j = 0; j < P; ++j) pack.at[j] = one;
  return pack;
}

inline constexpr int kRowsInFlight = 2;

// Columns [c, c + P) of operand k, x, in the rows that begin `at` there.
template <int P, class X>
struct ColumnsInFlight {
  Pack<X, P> at[kRowsInFlight];
  template <int K>
  INK_DEVICE ColumnsInFlight(const Operands<K>& o, int k, const X* x,
                             const int64_t (&begin)[kRowsInFlight][K], int64_t c) {
#pragma unroll
    for (int u = 0; u < kRowsInFlight; ++u) at[u] = load_columns<P>(x + begin[u][k], c, o.step[k]);
  }
};

// `count` of the rows in flight.
template <int P, int K, class F, class T, class... X>
INK_DEVICE void store_rows(const F& f, const Operands<K>& o, T* y,
                           const int64_t (&begin)[kRowsInFlight][K], int64_t c, int64_t count,
                           const ColumnsInFlight<P, X>&... x) {
#pragma unroll
  for (int u = 0; u < kRowsInFlight; ++u) {
    if (u >= count) break;
    Pack<T, P> result;
#pragma unroll
    for (int j = 0; j < P; ++j) result.at[j] = f(x.at[u].at[j]...);
    store_pack(y + begin[u][0] + c * o.step[0], result);
  }
}

// Neighbouring rows in flight from `first` on, every `every`-th such group.
template <int P, size_t... I, int K, class F, class T, class... X>
INK_DEVICE void walk_rows(std::index_sequence<I...>, const F& f, const Operands<K>& o, int64_t c,
                          int64_t first, int64_t every, T* y, const X*... x) {
  for (int64_t n = first; n < o.rows; n += every) {
    const int64_t count = o.rows - n;
    int64_t begin[kRowsInFlight][K];
#pragma unroll
    for (int u = 0; u < kRowsInFlight; ++u) o.find_row(u < count ? n + u : n, begin[u]);
    store_rows<P>(f, o, y, begin, c, count,
                  ColumnsInFlight<P, X>(o, static_cast<int>(I) + 1, x, begin, c)...);
  }
}

// `across` threads of a block stand along the columns, the rest along the rows.
template <int P, class F, class T, class... X>
__global__ void walk_kernel(F f, Operands<1 + sizeof...(X)> o, int across, T* y, const X*... x) {
  const int thread = static_cast<int>(threadIdx.x), down = static_cast<int>(blockDim.x) / across;
  const int64_t c = (static_cast<int64_t>(blockIdx.x) * across + thread % across) * P;
  if (c >= o.columns || thread / across >= down) return;
  const int64_t group = static_cast<int64_t>(blockIdx.y) * down + thread / across;
  walk_rows<P>(std::index_sequence_for<X...>(), f, o, c, group * kRowsInFlight,
               static_cast<int64_t>(gridDim.y) * down * kRowsInFlight, y, x...);
}

template <int P, class F, int K, class T, class... X>
void launch_walk(const F& f, const Operands<K>& o, T* y, const X*... x) {
  const int64_t packs = o.columns / P, groups = (o.rows + kRowsInFlight - 1) / kRowsInFlight;
  const int across = threads_across(packs, groups), down = kBlock / across;
  launch(F::name, walk_kernel<P, F, T, X...>,
         {.blocks = (packs + across - 1) / across,
          .threads = kBlock,
          .rows = std::min<int64_t>((groups + down - 1) / down, 65535)},
         f, o, across, y, x...);
}

// f has a name, and takes and returns elements as they are stored: InF32, Same. y may be one of x.
template <class F, class T, class... X>
void walk_elements(const F& f, const Walk<1 + sizeof...(X)>& walk, T* y, const X*... x) {
  constexpr int P = kCommonPack<T, X...>;
  const Operands<1 + sizeof...(X)> o(walk);
  if (o.rows == 0 || o.columns == 0) return;
  int k = 1;
  const bool packed = o.template is_packed<P>(0, y) && (o.template is_packed<P>(k++, x) && ...);
  return packed ? launch_walk<P>(f, o, y, x...) : launch_walk<1>(f, o, y, x...);
}

}  // namespace ink::cuda
