// A row of any length that a team of threads (cuda/row.cuh) reads once, several packs in flight.
#pragma once
#include "cuda/map.cuh"
#include "cuda/row.cuh"

namespace ink::cuda {

// Calls f(element, position, j) for the elements of this thread, where j is the element's place in
// its pack, and 0 for those that are read alone.
template <class T, class Team, class F>
INK_DEVICE void each_in_row(Team team, const T* row, int64_t count, bool packed, const F& f) {
  constexpr int P = kPack<T>;
  const int64_t packs = packed ? count / P : 0, size = team.size();
  each_in_flight<4>(
      team.rank(), packs, size,
      [&](int64_t k) { return PackedWords<T>(load_pack<T, P>(row + k * P)); },
      [&](const PackedWords<T>& pack, int64_t k) {
#pragma unroll
        for (int j = 0; j < P; ++j) f(pack[j], k * P + j, j);
      });
  for (int64_t i = packs * P + team.rank(); i < count; i += size) f(widen(row[i]), i, 0);
}

// Whether rows of so many elements that follow one another from p on may be read in packs.
template <class T>
bool rows_are_packed(const T* p, int64_t rows, int64_t count) {
  return is_aligned<kPack<T>>(p) && (rows <= 1 || count % kPack<T> == 0);
}

// Calls f(team, threads of a block): a warp for a short row, a block for a long one.
template <class F>
void with_team_for(int64_t count, const F& f) {
  if (count <= 1024) return f(WarpTeam{}, WarpTeam::kRowsInBlock * kWarp);
  f(BlockTeam{}, 256);
}

}  // namespace ink::cuda
