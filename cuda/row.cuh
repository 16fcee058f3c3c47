// One row of C elements in the registers of a team of threads, a warp or a block: element
// (k·size + rank)·P + j of the row is at[k][j] of thread `rank`, so that a pack of P elements is
// one 128-bit access.
#pragma once
#include <algorithm>

#include "cuda/bounds.cuh"
#include "cuda/in_flight.cuh"
#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#include "cuda/packs.cuh"
#include "tensor/error.h"

namespace ink::cuda {

// Teams. A kernel with a row for each warp has several rows in a block; `row` is the team's.
struct WarpTeam {
  static constexpr int kRowsInBlock = 4, kMostThreads = kRowsInBlock * kWarp;
  // That fit on a multiprocessor when a thread needs so many registers for its part of rows.
  static constexpr int blocks(int registers) {
    return registers <= 24 ? 7 : registers <= 36 ? 5 : registers <= 48 ? 3 : 2;
  }
  INK_DEVICE int rank() const { return static_cast<int>(threadIdx.x) % kWarp; }
  INK_DEVICE int size() const { return kWarp; }
  INK_DEVICE int64_t first_row() const {
    return static_cast<int64_t>(blockIdx.x) * kRowsInBlock + threadIdx.x / kWarp;
  }
  INK_DEVICE float sum(float x, float*) const { return warp_sum(x); }
  INK_DEVICE void sums(float& a, float& b, float*) const { a = warp_sum(a), b = warp_sum(b); }
  INK_DEVICE float largest(float x, float*) const { return warp_max(x); }
};

// In a loop over rows, all threads of the block must take part in each.
struct BlockTeam {
  static constexpr int kRowsInBlock = 1, kMostThreads = 1024;
  static constexpr int blocks(int) { return 1; }
  INK_DEVICE int rank() const { return static_cast<int>(threadIdx.x); }
  INK_DEVICE int size() const { return static_cast<int>(blockDim.x); }
  INK_DEVICE int64_t first_row() const { return blockIdx.x; }
  INK_DEVICE float sum(float x, float* part) const { return block_sum(x, part); }
  INK_DEVICE void sums(float& a, float& b, float* part) const { block_sums(a, b, part); }
  INK_DEVICE float largest(float x, float* part) const { return block_max(x, part); }
};

// A row as it lies in memory. Kernels fetch all rows they need before they use the first: then the
// reads are under way together, and memory's latency is waited for once.
template <class T, int K>
struct FetchedRow {
  static constexpr int P = kPack<T>;
  PackedWords<T> at[K];

  FetchedRow() = default;
  // Elements beyond the row are 0. `packed`: the row may be read in packs.
  template <class Team>
  INK_DEVICE FetchedRow(Team team, const T* row, int C, bool packed) {
    if (packed) {
#pragma unroll
      for (int k = 0; k < K; ++k) {
        const int first = (k * team.size() + team.rank()) * P;
        at[k] = first < C ? PackedWords<T>(load_pack<T, P>(row + first)) : PackedWords<T>();
      }
    } else {
#pragma unroll
      for (int k = 0; k < K; ++k) {
        const int first = (k * team.size() + team.rank()) * P;
        at[k] = PackedWords<T>(load_row_pack<P>(row, first, C, false));
      }
    }
  }
};

template <class T, int K>
struct Row {
  static constexpr int P = kPack<T>;
  float at[K][P];

  Row() = default;
  INK_DEVICE explicit Row(const FetchedRow<T, K>& row) {
#pragma unroll
    for (int i = 0; i < K * P; ++i) at[i / P][i % P] = row.at[i / P][i % P];
  }

  // Elements beyond the row are `beyond`.
  template <class Team>
  INK_DEVICE void load(Team team, const T* row, int C, bool packed, float beyond = 0) {
    *this = Row(FetchedRow<T, K>(team, row, C, packed));
    if (beyond == 0) return;
    each(team, [&](float& v, int c) { v = c < C ? v : beyond; });
  }

  template <class Team>
  INK_DEVICE void store(Team team, T* row, int C, bool packed) const {
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int first = (k * team.size() + team.rank()) * P;
      store_floats(row, at[k], first, C, packed && first < C);
    }
  }

  // f(element, its column) for those of this thread, columns beyond the row included.
  template <class Team, class F>
  INK_DEVICE void each(Team team, const F& f) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
#pragma unroll
      for (int j = 0; j < P; ++j) f(at[k][j], (k * team.size() + team.rank()) * P + j);
    }
  }
};

// Calls f(team, std::integral_constant<int, K>, threads) for a warp that holds a row of up to 1,024
// elements. False: the row is longer.
template <class T, class F>
bool with_warp_row(int64_t C, const F& f) {
  constexpr int64_t P = kPack<T>;
  const int64_t packs = (C + P - 1) / P;
  const auto warp = [&](auto k) {
    f(WarpTeam{}, k, WarpTeam::kRowsInBlock * kWarp);
    return true;
  };
  switch ((packs + kWarp - 1) / kWarp) {
    case 0:
    case 1: return warp(std::integral_constant<int, 1>{});
    case 2: return warp(std::integral_constant<int, 2>{});
    case 3: return warp(std::integral_constant<int, 3>{});
    case 4: return warp(std::integral_constant<int, 4>{});
    default: break;
  }
  if constexpr (P == 4) {
    if (packs <= 6 * kWarp) return warp(std::integral_constant<int, 6>{});
    if (packs <= 8 * kWarp) return warp(std::integral_constant<int, 8>{});
  }
  return false;
}

// The same for the smallest team that holds a row: a warp, or a block of up to 1,024 threads with
// 16 elements each.
template <class T, class F>
void with_row_team(const char* name, int64_t C, const F& f) {
  if (with_warp_row<T>(C, f)) return;
  constexpr int64_t P = kPack<T>;
  const int64_t packs = (C + P - 1) / P;
  constexpr int K = 16 / static_cast<int>(P);
  check(packs <= 1024 * K, "", name, ": rows of at most ", 1024 * 16, " elements on cuda, got ", C);
  const int64_t warps = (packs + K * kWarp - 1) / (K * kWarp);
  f(BlockTeam{}, std::integral_constant<int, K>{}, static_cast<int>(warps * kWarp));
}

// The same with a block of at most kRowThreads for each row and few elements a thread, for kernels
// that keep several rows in registers: many small blocks hide the latency of memory better than few
// threads with much.
inline constexpr int kRowThreads = 256;
template <class T, class F>
void with_row_block(const char* name, int64_t C, const F& f) {
  constexpr int64_t P = kPack<T>, kThreads = kRowThreads;
  const int64_t packs = std::max<int64_t>((C + P - 1) / P, 1);
  const auto with = [&](auto k) {
    const int64_t threads = (packs + k - 1) / k;
    f(BlockTeam{}, k, static_cast<int>((threads + kWarp - 1) / kWarp * kWarp));
  };
  if (packs <= kThreads) return with(std::integral_constant<int, 1>{});
  if (packs <= 2 * kThreads) return with(std::integral_constant<int, 2>{});
  check(packs <= 4 * kThreads, "", name, ": rows of at most ", 4 * kThreads * P,
        " elements on cuda, got ", C);
  with(std::integral_constant<int, 4>{});
}

// Blocks of a launch with a row for each team.
template <class Team>
int64_t blocks_for_rows(Team, int64_t N) {
  return (N + Team::kRowsInBlock - 1) / Team::kRowsInBlock;
}

}  // namespace ink::cuda
