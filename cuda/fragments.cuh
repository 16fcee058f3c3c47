// Products of a warp on tensor cores: tiles of 16-bit elements in shared memory, and their
// fragments in registers.
//
// A lane's share of a fragment is described in cuda/ptx.cuh.
#pragma once
#include "cuda/kernel.cuh"
#include "cuda/ptx.cuh"

namespace ink::cuda {

// ── tiles in shared memory ──────────────────────────────────────────────────────────────────────

inline constexpr int kChunk = 8;  // elements in 16 bytes: what one copy or one matrix row moves

// Where a chunk of a row-major tile of kColumns lies. Chunks of a row are permuted so that the same
// chunk of eight neighbouring rows covers all 32 banks once.
template <int kColumns>
INK_DEVICE int tile_offset(int row, int chunk) {
  static_assert(kColumns == 32 || kColumns == 64 || kColumns == 128);
  const int turn = kColumns == 32 ? row / 2 % 4 : row % 8;
  return row * kColumns + (chunk ^ turn) * kChunk;
}

// Starts the copy of kRows rows of a matrix, `from` on, to a tile by a block of kThreads. Rows from
// `rows` on and columns from `columns` on become 0. `from` is the same for all threads.
template <int kRows, int kColumns, int kThreads, class T>
INK_DEVICE void copy_tile(T* tile, const T* from, int64_t ld, int rows, int columns) {
  constexpr int kChunks = kColumns / kChunk, kPass = kThreads / kChunks;
  static_assert(kPass % 8 == 0 && kRows % kPass == 0);
  const int row = static_cast<int>(threadIdx.x) / kChunks;
  const int chunk = static_cast<int>(threadIdx.x) % kChunks;
  const uint32_t share = static_cast<uint32_t>(row) * static_cast<uint32_t>(ld) +
                         static_cast<uint32_t>(chunk * kChunk);
  T* target = tile + tile_offset<kColumns>(row, chunk);
  const int wanted = chunk * kChunk < columns ? rows - row : 0;
#pragma unroll
  for (int r = 0; r < kRows; r += kPass)
    cp_async_16(target + r * kColumns, from + r * ld + share, r < wanted);
}

// A tile, or its rows from some row on, within a block's shared memory.
template <class T>
struct Tile {
  const T* shared;
  int place;  // element; of tiles a multiple of 64
};

// Where a lane reads a (16, 16) part of a tile from: row lane_row of it, half lane_chunk. Columns
// are
// chosen by an exclusive or with the place, as chunks are permuted; it would cost registers to keep
// the place of each.
template <int kColumns, class T>
INK_DEVICE const T* row_of_part(Tile<T> x, int row, int column, int lane_row, int lane_chunk) {
  const int first = x.place + tile_offset<kColumns>(lane_row, lane_chunk);
  return x.shared + (first ^ column % 64) + column / 64 * 64 + row * kColumns;
}

// A (16, 16) part of a tile as the left factor of a product.
template <int kColumns, class T>
INK_DEVICE void load_left(uint32_t (&a)[4], Tile<T> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  ldmatrix_x4(a, row_of_part<kColumns>(tile, row, column, lane % 16, lane / 16));
}

// Two right factors, of columns [0, 8) and [8, 16) of a (16, 16) matrix B.
struct RightPair {
  uint32_t first[2], second[2];
};
INK_DEVICE RightPair pair_of(const uint32_t (&r)[4]) { return {{r[0], r[1]}, {r[2], r[3]}}; }

// B = Xᵀ for the part X of a tile: products with rows of X.
template <int kColumns, class T>
INK_DEVICE RightPair load_right_transposed(Tile<T> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  uint32_t r[4];
  ldmatrix_x4(r, row_of_part<kColumns>(tile, row, column, lane / 16 * 8 + lane % 8, lane / 8 % 2));
  return pair_of(r);
}
// B = X.
template <int kColumns, class T>
INK_DEVICE RightPair load_right(Tile<T> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  uint32_t r[4];
  ldmatrix_x4_trans(r, row_of_part<kColumns>(tile, row, column, lane % 16, lane / 16));
  return pair_of(r);
}

// ── fragments in registers ──────────────────────────────────────────────────────────────────────

// A warp's accumulators for a matrix (16·kRowTiles, 8·kColumnTiles).
template <int kRowTiles, int kColumnTiles>
using Accumulators = float[kRowTiles][kColumnTiles][4];

template <int kRowTiles, int kColumnTiles>
INK_DEVICE void clear(Accumulators<kRowTiles, kColumnTiles>& x) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) x[m][n][i] = 0;
    }
  }
}

// A matrix (16·kRowTiles, kColumns) as left factors: its first 16·kHeld columns stay in registers,
// the others are read from its tile at every use.
template <class T, int kRowTiles, int kColumns, int kHeld>
class LeftFactor {
 public:
  // The tile has to stay as it is.
  INK_DEVICE void load(Tile<T> tile) {
    tile_ = tile;
#pragma unroll
    for (int k = 0; k < kHeld; ++k) read(held_[k], k);
  }
  // Columns [16·k, 16·k + 16).
  INK_DEVICE void get(uint32_t (&a)[kRowTiles][4], int k) const {
    if (k >= kHeld) return read(a, k);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) a[m][i] = held_[k][m][i];
    }
  }

 private:
  static_assert(kHeld <= kColumns / 16);
  INK_DEVICE void read(uint32_t (&a)[kRowTiles][4], int k) const {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) load_left<kColumns>(a[m], tile_, 16 * m, 16 * k);
  }
  Tile<T> tile_;
  uint32_t held_[kHeld > 0 ? kHeld : 1][kRowTiles][4];
};

// d = a·Xᵀ, X the first rows of a tile: scores of queries and keys.
template <class T, int kRowTiles, int kColumnTiles, int kColumns, int kHeld>
INK_DEVICE void multiply_transposed(Accumulators<kRowTiles, kColumnTiles>& d,
                                    const LeftFactor<T, kRowTiles, kColumns, kHeld>& left,
                                    Tile<T> tile) {
  clear<kRowTiles, kColumnTiles>(d);
#pragma unroll
  for (int k = 0; k < kColumns / 16; ++k) {
    uint32_t a[kRowTiles][4];
    left.get(a, k);
#pragma unroll
    for (int n = 0; n < kColumnTiles; n += 2) {
      const RightPair b = load_right_transposed<kColumns>(tile, 8 * n, 16 * k);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        mma_16x8x16<T>(d[m][n], a[m], b.first);
        mma_16x8x16<T>(d[m][n + 1], a[m], b.second);
      }
    }
  }
}

// d += p·X, X the first rows of a tile: what accumulators hold, rounded to T, is a left
// factor as it stands.
template <class T, int kRowTiles, int kInner, int kColumnTiles>
INK_DEVICE void multiply_add(Accumulators<kRowTiles, kColumnTiles>& d,
                             const Accumulators<kRowTiles, kInner>& p, Tile<T> tile) {
#pragma unroll
  for (int k = 0; k < kInner; k += 2) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        a[m][i] = narrow_pair<T>(p[m][k + i / 2][i % 2 * 2], p[m][k + i / 2][i % 2 * 2 + 1]);
    }
#pragma unroll
    for (int n = 0; n < kColumnTiles; n += 2) {
      const RightPair b = load_right<8 * kColumnTiles>(tile, 8 * k, 8 * n);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        mma_16x8x16<T>(d[m][n], a[m], b.first);
        mma_16x8x16<T>(d[m][n + 1], a[m], b.second);
      }
    }
  }
}

// Columns from `columns` on become `value`.
template <int kRowTiles, int kColumnTiles>
INK_DEVICE void mask_columns(Accumulators<kRowTiles, kColumnTiles>& x, int columns, float value) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        x[m][n][i] = 8 * n + column + i % 2 < columns ? x[m][n][i] : value;
    }
  }
}

// Sum and maximum over the four lanes that share the rows of a fragment.
INK_DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(kAllLanes, x, 1);
  return x + __shfl_xor_sync(kAllLanes, x, 2);
}
INK_DEVICE float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, 1));
  return fmaxf(x, __shfl_xor_sync(kAllLanes, x, 2));
}

// Writes a warp's accumulators, each row times factor[m][half], to the first `rows` rows and
// `columns` columns of a matrix. They pass through `room`, shared memory for a tile that belongs to
// this warp, so that whole rows reach memory in 16 bytes a lane.
template <class T, int kRowTiles, int kColumnTiles>
INK_DEVICE void store_rows(const Accumulators<kRowTiles, kColumnTiles>& x,
                           const float (&factor)[kRowTiles][2], T* room, T* to, int64_t ld,
                           int rows, int columns) {
  constexpr int kColumns = 8 * kColumnTiles, kChunks = kColumnTiles;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  __syncwarp();
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float f = factor[m][half];
        T* pair = room + tile_offset<kColumns>(16 * m + 8 * half + lane / 4, n) + lane % 4 * 2;
        *reinterpret_cast<uint32_t*>(pair) =
            narrow_pair<T>(x[m][n][2 * half] * f, x[m][n][2 * half + 1] * f);
      }
    }
  }
  __syncwarp();
#pragma unroll
  for (int i = lane; i < 16 * kRowTiles * kChunks; i += kWarp) {
    const int row = i / kChunks, chunk = i % kChunks;
    if (row < rows && chunk * kChunk < columns) {
      store_pack(to + row * ld + chunk * kChunk,
                 load_pack<T, kChunk>(room + tile_offset<kColumns>(row, chunk)));
    }
  }
}

}  // namespace ink::cuda
