// Layer norm on the CUDA device: x̂·γ + β with x̂ of dropout(x) + residual, and its gradients
// (tensor/ops/layer_norm.cpp has the formulas).
//
// A row stays in the registers of its team, a warp where it is short, so x is read once. Each team
// takes every (number of teams)-th row, and fetches the next one before it works on the last: the
// reads of memory never pause.
#pragma once
#include <algorithm>
#include <type_traits>

#include "cuda/dropped_row.cuh"
#include "cuda/row.cuh"

namespace ink::cuda {

inline constexpr int kWarpRow = 1024;  // elements of the longest row of a warp

// Threads of a block at most, and blocks for each of 132 processors, about as many as run at the
// same time; the same on every device, as sums depend on them.
template <class Team>
inline constexpr int kMostThreads = kRowThreads;
template <>
inline constexpr int kMostThreads<WarpTeam> = WarpTeam::kMostThreads;
template <class Team>
inline constexpr int kForwardBlocks = 12;
template <>
inline constexpr int kForwardBlocks<WarpTeam> = 5;
template <class Team>
inline constexpr int kBackwardBlocks = 8;
template <>
inline constexpr int kBackwardBlocks<WarpTeam> = 3;

// Blocks for launch bounds: rows of few elements a thread leave room for as many as above, those of
// f16, whose elements each need a register before they are widened, for three.
template <class T, class Team, int K>
constexpr int bounded(int blocks) {
  if (!std::is_same_v<Team, WarpTeam>) return K == 1 ? 3 : 1;
  return K * kPack<T> > 24 ? 2 : std::is_same_v<T, Float16> ? std::min(blocks, 3) : blocks;
}

template <class Team>
int64_t blocks_of(Team, int64_t N, int on_each) {
  return std::min<int64_t>(blocks_for_rows(Team{}, N), int64_t{132} * on_each);
}

// f(team, std::integral_constant<int, K>, threads). Short rows of 16 bits are a warp's: so many
// barriers would cost a block more than memory does.
template <class T, class F>
void with_norm_team(int64_t C, const F& f) {
  if constexpr (sizeof(T) == 2) {
    if (with_warp_row<T>(C, f)) return;
  }
  with_row_block<T>("layer_norm", C, f);
}

// A row of x and one of the residual, which may be null.
template <class T, int K>
struct FetchedSum {
  FetchedRow<T, K> x, residual;

  FetchedSum() = default;
  template <class Team>
  INK_DEVICE FetchedSum(Team team, const T* x_, const T* residual_, int64_t n, int C, bool packed)
      : x(team, x_ + n * C, C, packed) {
    if (residual_) residual = FetchedRow<T, K>(team, residual_ + n * C, C, packed);
  }
  // dropout(x) + residual
  INK_DEVICE Row<T, K> sum(const DroppedRow<T, K>& dropped, bool has_residual) const {
    Row<T, K> s(x);
    dropped.apply(s);
    if (!has_residual) return s;
    const Row<T, K> more(residual);
#pragma unroll
    for (int i = 0; i < K * s.P; ++i) s.at[i / s.P][i % s.P] += more.at[i / s.P][i % s.P];
    return s;
  }
};

// Σ (v − mean)² of this thread's part of a row of C elements.
template <class T, int K, class Team>
INK_DEVICE float squares_of(Row<T, K>& row, Team team, float mean, int C) {
  float squares = 0;
  if (C == K * row.P * team.size()) {
    row.each(team, [&](float v, int) { squares += (v - mean) * (v - mean); });
  } else {
    row.each(team, [&](float v, int c) { squares += c < C ? (v - mean) * (v - mean) : 0.0f; });
  }
  return squares;
}

// A row that all rows share, such as γ: blocks keep it in registers, of which warps have none to
// spare, so that they fetch it again from the nearest cache.
template <class T, class Team, int K>
struct SharedRow {
  INK_DEVICE SharedRow(Team, const T* row_, int, bool) : row(row_) {}
  INK_DEVICE Row<T, K> get(Team team, int C, bool packed) const {
    return Row<T, K>(FetchedRow<T, K>(team, row, C, packed));
  }
  const T* row;
};
template <class T, int K>
struct SharedRow<T, BlockTeam, K> {
  INK_DEVICE SharedRow(BlockTeam team, const T* row_, int C, bool packed)
      : row(team, row_, C, packed) {}
  INK_DEVICE Row<T, K> get(BlockTeam, int, bool) const { return Row<T, K>(row); }
  FetchedRow<T, K> row;
};

template <class T, class Team, int K>
__global__ void __launch_bounds__(kMostThreads<Team>,
                                  blocks_bound(bounded<T, Team, K>(kForwardBlocks<Team>)))
    layer_norm_kernel(Team team, const T* x, const T* residual, const T* gamma, const T* beta,
                      DropoutMask dropout, T* y, float* mean, float* rstd, int64_t N, int C,
                      float epsilon, bool packed) {
  INK_SHARED(float, part, [kWarp]);
  const int64_t step = gridDim.x * int64_t{Team::kRowsInBlock};
  if (team.first_row() >= N) return;           // a whole team, and one without company at barriers
  dropout.key = StreamKey{dropout.key.get()};  // once, and not for each row
  const SharedRow<T, Team, K> scales(team, gamma, C, packed), shifts(team, beta, C, packed);
  FetchedSum<T, K> next(team, x, residual, team.first_row(), C, packed);
  for (int64_t n = team.first_row(); n < N; n += step) {
    Row<T, K> s = next.sum(DroppedRow<T, K>(dropout, team, n, C), residual != nullptr);
    if (n + step < N) next = FetchedSum<T, K>(team, x, residual, n + step, C, packed);
    float sum = 0;
    s.each(team, [&](float v, int) { sum += v; });
    const float m = team.sum(sum, part) / static_cast<float>(C);
    const float variance = team.sum(squares_of(s, team, m, C), part) / static_cast<float>(C);
    const float r = 1 / sqrtf(variance + epsilon);
    const Row<T, K> scale = scales.get(team, C, packed), shift = shifts.get(team, C, packed);
#pragma unroll
    for (int i = 0; i < K * s.P; ++i) {
      float& v = s.at[i / s.P][i % s.P];
      v = (v - m) * r * scale.at[i / s.P][i % s.P] + shift.at[i / s.P][i % s.P];
    }
    s.store(team, y + n * C, C, packed);
    if (mean && team.rank() == 0) mean[n] = m, rstd[n] = r;
  }
}

// A block's sums for dγ and dβ, written as one row of parts (blocks, 2C); those of several warps
// are added up in shared memory, one warp after the other.
template <class T, int K>
INK_DEVICE void write_parts(BlockTeam team, const float (&for_gamma)[K][kPack<T>],
                            const float (&for_beta)[K][kPack<T>], float*, float* own, int C) {
  constexpr int P = kPack<T>;
#pragma unroll
  for (int i = 0; i < K * P; ++i) {
    const int c = (i / P * team.size() + team.rank()) * P + i % P;
    if (c < C) own[c] = for_gamma[i / P][i % P], own[C + c] = for_beta[i / P][i % P];
  }
}
template <class T, int K>
INK_DEVICE void write_parts(WarpTeam team, const float (&for_gamma)[K][kPack<T>],
                            const float (&for_beta)[K][kPack<T>], float* shared, float* own,
                            int C) {
  constexpr int P = kPack<T>;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int w = 0; w < WarpTeam::kRowsInBlock; ++w) {
    if (warp == w) {
#pragma unroll
      for (int i = 0; i < K * P; ++i) {
        const int c = (i / P * team.size() + team.rank()) * P + i % P;
        if (c >= C) continue;
        shared[c] = for_gamma[i / P][i % P] + (w > 0 ? shared[c] : 0);
        shared[C + c] = for_beta[i / P][i % P] + (w > 0 ? shared[C + c] : 0);
      }
    }
    __syncthreads();
  }
  for (int i = static_cast<int>(threadIdx.x); i < 2 * C; i += static_cast<int>(blockDim.x))
    own[i] = shared[i];
}

// Room in shared memory: for write_parts(), or for the sums of a block.
template <class Team>
inline constexpr int kRoom = 2 * kWarp;
template <>
inline constexpr int kRoom<WarpTeam> = 2 * kWarpRow;

// ds, dx and parts may be null.
template <class T, class Team, int K>
__global__ void __launch_bounds__(kMostThreads<Team>,
                                  blocks_bound(bounded<T, Team, K>(kBackwardBlocks<Team>)))
    layer_norm_backward_kernel(Team team, const T* dy, const T* x, const T* residual,
                               const T* gamma, DropoutMask dropout, const float* mean,
                               const float* rstd, T* ds, T* dx, float* parts, int64_t N, int C,
                               bool packed) {
  INK_SHARED(float, room, [kRoom<Team>]);
  const int64_t first = team.first_row(), step = gridDim.x * int64_t{Team::kRowsInBlock};
  dropout.key = StreamKey{dropout.key.get()};  // once, and not for each row
  float for_gamma[K][kPack<T>] = {}, for_beta[K][kPack<T>] = {};
  const SharedRow<T, Team, K> scales(team, gamma, C, packed);
  FetchedRow<T, K> next_dy;
  FetchedSum<T, K> next;
  const auto fetch = [&](int64_t n) {
    if (n >= N) return;
    next_dy = FetchedRow<T, K>(team, dy + n * C, C, packed);
    next = FetchedSum<T, K>(team, x, residual, n, C, packed);
  };
  fetch(first);
  for (int64_t n = first; n < N; n += step) {
    const DroppedRow<T, K> dropped(dropout, team, n, C);
    Row<T, K> s = next.sum(dropped, residual != nullptr), g(next_dy);
    fetch(n + step);
    const Row<T, K> scale = scales.get(team, C, packed);
    const float m = mean[n], r = rstd[n];
    float sum = 0, dot = 0;
#pragma unroll
    for (int i = 0; i < K * s.P; ++i) {
      float &normal = s.at[i / s.P][i % s.P], &gradient = g.at[i / s.P][i % s.P];
      normal = (normal - m) * r;
      for_beta[i / s.P][i % s.P] += gradient;
      for_gamma[i / s.P][i % s.P] += gradient * normal;
      gradient *= scale.at[i / s.P][i % s.P];
      sum += gradient;
      dot += gradient * normal;
    }
    if (!ds && !dx) continue;
    team.sums(sum, dot, room);
    sum /= static_cast<float>(C), dot /= static_cast<float>(C);
#pragma unroll
    for (int i = 0; i < K * s.P; ++i) {
      float& gradient = g.at[i / s.P][i % s.P];
      gradient = r * (gradient - sum - s.at[i / s.P][i % s.P] * dot);
    }
    if (ds) g.store(team, ds + n * C, C, packed);
    if (!dx) continue;
    dropped.apply(g);
    g.store(team, dx + n * C, C, packed);
  }
  if (parts)
    write_parts<T, K>(team, for_gamma, for_beta, room, parts + int64_t{blockIdx.x} * 2 * C, C);
}

}  // namespace ink::cuda
