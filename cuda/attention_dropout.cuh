// The mask of dropout in the shape of fragments of scores, each block of random words drawn once.
#pragma once
#include "cuda/attention_problem.cuh"

namespace ink::cuda {

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
