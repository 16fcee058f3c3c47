// The mask of dropout in the shape of fragments of scores, each block of random numbers drawn once.
//
// A block decides about eight neighbouring keys of one query: one row of a tile of 8 × 8 scores
// where queries are the rows of a fragment, one column where keys are. The lanes that hold these
// eight scores share the blocks of all tiles among each other, and then swap what they have drawn,
// as a matrix of bits is transposed.
#pragma once
#include "cuda/attention_problem.cuh"

namespace ink::cuda {

// One step of transposing a matrix of bits whose rows lie in lanes: lanes that differ in one bit of
// their number, `step`, exchange places that differ in one bit of theirs. Places where it is 0 are
// those of `zeros`, and lie `distance` to the left of their partners, around the word's end.
INK_DEVICE uint32_t swapped_with_lane(uint32_t own, int step, int distance, uint32_t zeros) {
  const bool second = (static_cast<int>(threadIdx.x) & step) != 0;
  const int left = second ? 32 - distance : distance;
  const uint32_t other = __shfl_xor_sync(kAllLanes, own << left | own >> (32 - left), step);
  const uint32_t keep = second ? ~zeros : zeros;
  return (own & keep) | (other & ~keep);
}

// The mask of a fragment of scores of 16 rows and 8·kTiles columns, of which this lane holds two
// rows, eight apart, and two neighbouring columns of each tile.
template <int kTiles>
class DroppedScores {
  static_assert(kTiles <= 8 && kTiles % 2 == 0);

 public:
  // Rows are queries from `query` on, columns are keys. Of the four lanes that share rows, lane
  // r + 2·t draws the r-th of them in the tiles t, t + 2, ….
  template <class T>
  INK_DEVICE void draw_for_queries(const PackedAttention<T>& in, PhiloxKey stream, int64_t query,
                                   int head, int key) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, place = lane % 4;
    const int64_t row = query + lane / 4 + 8 * (place % 2);
    uint32_t own = 0;
#pragma unroll
    for (int n = 0; n < kTiles; n += 2)
      own |= dropped_of_eight(in, stream, row, head, key / 8 + n + place / 2) >> (2 * n);
    own = swapped_with_lane(own, 1, 1, kEvenWords);
    bits_ = swapped_with_lane(own, 2, 2, kFirstWords);
  }

  // Rows are keys from `key` on, columns are queries. Of the eight lanes that share columns, number
  // c + 2·k + 4·t draws column c and the k-th eight of the keys, in the tiles t, t + 2, ….
  template <class T>
  INK_DEVICE void draw_for_keys(const PackedAttention<T>& in, PhiloxKey stream, int64_t query,
                                int head, int key) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, number = lane / 4;
    const int64_t first = query + 2 * (lane % 4) + number % 2 + 8 * (number / 4);
    uint32_t own = 0;
#pragma unroll
    for (int n = 0; n < kTiles; n += 2) {
      own |= dropped_of_eight(in, stream, first + 8 * n, head, key / 8 + number / 2 % 2) >> (2 * n);
    }
    own = swapped_with_lane(own, 4, 16, kFirstElements);
    own = swapped_with_lane(own, 8, 1, kEvenWords);
    bits_ = swapped_with_lane(own, 16, 2, kFirstWords);
  }

  // Of element i of this lane's four of tile n.
  INK_DEVICE bool operator()(int n, int i) const {
    return (bits_ & (1u << (15 - i / 2 - 2 * n + 16 * (i % 2)))) != 0;
  }

 private:
  // Places of words 0 and 2, of words 0 and 1 and of the first element of each word, as
  // dropped_of_block() has them, of every second tile: each 4 to the right of the last.
  static constexpr uint32_t kEvenWords = 0xaaaaaaaau, kFirstWords = 0xccccccccu,
                            kFirstElements = 0x0000ffffu;
  uint32_t bits_;
};

}  // namespace ink::cuda
