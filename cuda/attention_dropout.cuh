// The mask of dropout in the shape of fragments of scores, each block of random numbers drawn once.
//
// A block decides about eight neighbouring keys of one query: one row of a tile of 8 × 8 scores
// where queries are the rows of a fragment, one column where keys are. The lanes that hold these
// eight scores share the blocks of all tiles among each other, and then swap what they have drawn:
// eight bits for every second tile, each tile's four places to the right of the last one's.
#pragma once
#include "cuda/attention_problem.cuh"

namespace ink::cuda {

// The mask for a fragment of scores of 16 queries and 8·kTiles keys, of which this lane holds two
// rows and two neighbouring columns of each tile. Of the four lanes that share these rows, lane
// r + 2·t draws row r of the tiles t, t + 2, ….
template <int kTiles>
class DroppedOfQueries {
 public:
  template <class T>
  INK_DEVICE void draw(const PackedAttention<T>& in, int64_t query, int head, int key) {
    static_assert(kTiles <= 8 && kTiles % 2 == 0);
    const int lane = static_cast<int>(threadIdx.x) % kWarp, place = lane % 4;
    const int64_t row = query + lane / 4 + 8 * (place % 2);
    uint32_t own = 0;
#pragma unroll
    for (int n = 0; n < kTiles; n += 2)
      own |= dropped_of_eight(in, row, head, key / 8 + n + place / 2) >> (2 * n);
#pragma unroll
    for (int i = 0; i < 4; ++i) bits_[i] = __shfl_sync(kAllLanes, own, lane - place + i) << place;
  }
  // Of element i of this lane's four of tile n.
  INK_DEVICE bool operator()(int n, int i) const {
    return (bits_[i / 2 + 2 * (n % 2)] & (1u << (15 - 4 * (n / 2) + 16 * (i % 2)))) != 0;
  }

 private:
  uint32_t bits_[4];
};

// The same for a fragment of scores of 16 keys (rows) and 8·kTiles queries (columns). Of the eight
// lanes that share columns, number c + 2·k + 4·t draws column c and the k-th eight of the keys, in
// the tiles t, t + 2, ….
template <int kTiles>
class DroppedOfKeys {
 public:
  template <class T>
  INK_DEVICE void draw(const PackedAttention<T>& in, int64_t query, int head, int key) {
    static_assert(kTiles <= 8 && kTiles % 2 == 0);
    const int lane = static_cast<int>(threadIdx.x) % kWarp, column = lane % 4, number = lane / 4;
    const int64_t first = query + 2 * column + number % 2;
    uint32_t own = 0;
#pragma unroll
    for (int n = 0; n < kTiles; n += 2) {
      own |= dropped_of_eight(in, first + 8 * (n + number / 4), head, key / 8 + number / 2 % 2) >>
             (2 * n);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i)
      bits_[i] = __shfl_sync(kAllLanes, own, 4 * i + column) >> (16 * (number % 2)) << number / 2;
  }
  INK_DEVICE bool operator()(int n, int i) const {
    return (bits_[i + 4 * (n % 2)] & (1u << (15 - 4 * (n / 2)))) != 0;
  }

 private:
  uint32_t bits_[8];
};

}  // namespace ink::cuda
