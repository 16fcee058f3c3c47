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
