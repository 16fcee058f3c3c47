// What the attention kernels on tensor cores share: which rows a block works on, tiles in shared
// memory, their fragments in registers, and the mask of dropout.
//
// Tiles hold 16-bit elements. A lane's share of a fragment is described in cuda/ptx.cuh.
#pragma once
#include <type_traits>

#include "cuda/kernel.cuh"
#include "cuda/ptx.cuh"
#include "tensor/attention_kernel.h"

namespace ink::cuda {

// ── the problem ─────────────────────────────────────────────────────────────────────────────────

// AttentionInput as kernels see it: offsets lie on the device.
template <class T>
struct PackedAttention {
  Rows<const T> q, k, v;
  const int32_t* offsets;
  int32_t sequences;
  int64_t rows;
  int heads, head_size;
  float scale, scale_log2;  // scale_log2 = scale·log2 e
  uint32_t threshold;       // a word of the stream below it drops its element
  float kept;               // factor of the others, 1 / (1 − dropout)
  PhiloxKey key;
};

inline constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

// Some rows of one sequence.
struct Part {
  int64_t begin;  // first row of the sequence
  int sequence, length;
  int first, rows;  // within the sequence; rows ≤ 0: nothing to do
};

// The sequences cut into tiles of kTile rows need no more than rows / kTile + sequences slots: slots
// [offsets[b] / kTile + b, offsets[b + 1] / kTile + b + 1) belong to sequence b, the last of them
// perhaps to nothing.
template <int kTile>
int64_t slots_of(int64_t rows, int64_t sequences) {
  return rows / kTile + sequences;
}

// Called by whole warps, which look at 32 sequences at a time. Whatever the offsets are, the part
// lies inside the matrices.
template <int kTile, class T>
INK_DEVICE Part part_of_slot(const PackedAttention<T>& in, int slot) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  int low = 0, count = in.sequences;  // the slot's sequence is in [low, low + count)
  while (count > 1) {
    const int step = (count + kWarp - 1) / kWarp, candidate = low + lane * step;
    const bool starts_before =
        candidate < low + count && in.offsets[candidate] / kTile + candidate <= slot;
    const int last = __popc(__ballot_sync(kAllLanes, starts_before)) - 1;
    const int skipped = last > 0 ? last * step : 0;
    low += skipped;
    count = min(step, count - skipped);
  }
  const int64_t start = in.offsets[low], stop = in.offsets[low + 1];
  const int64_t begin = min(max(start, int64_t{0}), in.rows);
  const int length = static_cast<int>(max(min(stop, in.rows) - begin, int64_t{0}));
  const int first = (slot - low - static_cast<int>(begin / kTile)) * kTile;
  return {begin, low, length, first, first < 0 ? 0 : min(kTile, length - first)};
}

template <class T>
INK_DEVICE T* at(Rows<T> x, int64_t row, int64_t column) {
  return x.data + row * x.ld + column;
}

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

// Starts the copy of kRows rows of a matrix, from `row` on, to a tile by a block of kThreads. Rows
// from `rows` on of these and columns from `columns` on become 0.
template <int kRows, int kColumns, int kThreads, class T>
INK_DEVICE void copy_tile(T* tile, Rows<const T> from, int64_t row, int64_t first_column, int rows,
                          int columns) {
  constexpr int kChunks = kColumns / kChunk, kPass = kThreads / kChunks;
  static_assert(kPass % 8 == 0 && kRows % kPass == 0);
  const int own = static_cast<int>(threadIdx.x) / kChunks;
  const int chunk = static_cast<int>(threadIdx.x) % kChunks;
  const T* source = at(from, row, first_column);  // the same for all threads
  const uint32_t share = static_cast<uint32_t>(own) * static_cast<uint32_t>(from.ld) +
                         static_cast<uint32_t>(chunk * kChunk);
  T* target = tile + tile_offset<kColumns>(own, chunk);
  const int wanted = chunk * kChunk < columns ? rows - own : 0;
#pragma unroll
  for (int r = 0; r < kRows; r += kPass)
    cp_async_16(target + r * kColumns, source + r * from.ld + share, r < wanted);
}

// A tile, or its rows from some row on, within a block's shared memory.
template <class T>
struct Tile {
  const T* shared;
  int place;  // element; of tiles a multiple of 64
};

// Where a lane reads a (16, 16) part of a tile from: row lane_row of it, half lane_chunk. Columns are
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

// ── dropout ─────────────────────────────────────────────────────────────────────────────────────

// Which of four neighbouring keys of a query are kept, as bits: words 4·block … 4·block + 3 of the
// query's part of the stream, `row` = row of the batch · heads + head.
template <class T>
INK_DEVICE uint32_t kept_of_four(const PackedAttention<T>& in, uint64_t row, int block) {
  const uint64_t i = (row << 24) + static_cast<uint64_t>(block);
  const auto words =
      philox({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0}, in.key);
  uint32_t bits = 0;
#pragma unroll
  for (int w = 0; w < 4; ++w) bits |= (words[w] >= in.threshold ? 1u : 0u) << w;
  return bits;
}

// The mask for a fragment of scores of 16 queries and 8·kTiles keys, of which this lane holds two
// rows and two neighbouring columns of each tile. Two lanes share each block of four words: each
// draws the one of one row, and they swap bits.
template <int kTiles>
class KeptOfQueries {
 public:
  template <class T>
  INK_DEVICE void draw(const PackedAttention<T>& in, int64_t query, int head, int key) {
    static_assert(kTiles <= 8);
    const int lane = static_cast<int>(threadIdx.x) % kWarp, odd = lane % 2;
    const auto row = static_cast<uint64_t>((query + lane / 4 + 8 * odd) * in.heads + head);
    uint32_t own = 0;
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
      own |= kept_of_four(in, row, key / 4 + 2 * n + lane % 4 / 2) << (4 * n);
    const uint32_t other = __shfl_xor_sync(kAllLanes, own, 1);
    bits_[0] = (odd ? other : own) >> (2 * odd);
    bits_[1] = (odd ? own : other) >> (2 * odd);
  }
  // Of element i of this lane's four of tile n.
  INK_DEVICE bool operator()(int n, int i) const {
    return (bits_[i / 2] & (1u << (4 * n + i % 2))) != 0;
  }

 private:
  uint32_t bits_[2];
};

// The same for a fragment of scores of 16 keys (rows) and 8·kTiles queries (columns). Four lanes
// share a block of words.
template <int kTiles>
class KeptOfKeys {
 public:
  template <class T>
  INK_DEVICE void draw(const PackedAttention<T>& in, int64_t query, int head, int key) {
    static_assert(kTiles <= 8);
    const int lane = static_cast<int>(threadIdx.x) % kWarp, mine = lane / 4 % 4;
    const int block = key / 4 + 2 * (mine / 2) + lane / 16;
    uint32_t own = 0;
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      const int64_t column = query + 8 * n + lane % 4 * 2 + mine % 2;
      own |= kept_of_four(in, static_cast<uint64_t>(column * in.heads + head), block) << (4 * n);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
      bits_[i] = __shfl_sync(kAllLanes, own, lane / 16 * 16 + 4 * i + lane % 4) >> mine;
  }
  INK_DEVICE bool operator()(int n, int i) const { return (bits_[i] & (1u << (4 * n))) != 0; }

 private:
  uint32_t bits_[4];
};

}  // namespace ink::cuda
