// Rows of any length: a team of threads goes through one in packs, as laid out in cuda/row.cuh,
// and reads it again where it needs it again.
#pragma once
#include <algorithm>

#include "cuda/row.cuh"

namespace ink::cuda {

// f(first) for the first column of each pack of this thread.
template <class T, class Team, class F>
INK_DEVICE void each_pack(Team team, int64_t C, const F& f) {
  const int64_t stride = int64_t{kPack<T>} * team.size();
  for (int64_t first = int64_t{kPack<T>} * team.rank(); first < C; first += stride) f(first);
}

// f(first, v) for the first column of each pack of this thread, with v[k] the elements of row k
// there. Behind the row's end they are 0, or anything in `packed` rows that end within a pack.
// Several packs are under way before the first is used; f may write what lies at its columns.
template <class T, int N, class Team, class F>
INK_DEVICE void each_pack_of(Team team, const T* const (&rows)[N], int64_t C, bool packed,
                             const F& f) {
  constexpr int P = kPack<T>;
  struct Packs {
    PackedWords<T> at[N];
  };
  const auto load = [&](int64_t first) {
    Packs packs;
#pragma unroll
    for (int k = 0; k < N; ++k)
      packs.at[k] = PackedWords<T>(load_row_pack<P>(rows[k], first, C, packed));
    return packs;
  };
  each_in_flight<4 / N>(int64_t{P} * team.rank(), C, int64_t{P} * team.size(), load,
                        [&](const Packs& packs, int64_t first) {
                          float v[N][P];
#pragma unroll
                          for (int i = 0; i < N * P; ++i) v[i / P][i % P] = packs.at[i / P][i % P];
                          f(first, v);
                        });
}

// Launch bounds of kernels with the following teams: without them the compiler saves registers and
// has fewer packs under way; 1,024 threads on a multiprocessor leave each 64.
template <class Team>
inline constexpr int kLongRowThreads = std::min(Team::kMostThreads, 512);
template <class Team>
inline constexpr int kLongRowBlocks = blocks_bound(1024 / kLongRowThreads<Team>);

// Calls f(team, threads) with the team that rows of C elements are given to: a warp for up to four
// packs a thread, or a block of up to 512 threads with sixteen each.
template <class T, class F>
void with_long_row_team(int64_t C, const F& f) {
  constexpr int64_t kShare = 16 * kWarp;  // packs of a warp in a block
  const int64_t packs = (C + kPack<T> - 1) / kPack<T>;
  if (packs <= 4 * kWarp) return f(WarpTeam{}, WarpTeam::kRowsInBlock * kWarp);
  const int64_t warps = std::min<int64_t>((packs + kShare - 1) / kShare, 16);
  f(BlockTeam{}, static_cast<int>(warps * kWarp));
}

}  // namespace ink::cuda
