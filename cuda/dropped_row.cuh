// Dropout of a row that lies in the registers of a block (cuda/row.cuh).
#pragma once
#include "cuda/dropped.cuh"
#include "cuda/row.cuh"

namespace ink::cuda {

// Which elements of row n of x are dropped. A row begins with a block of the cipher, and a pack is
// a block or a half of one.
template <class T, int K>
class DroppedRow {
 public:
  static constexpr int P = kPack<T>, kInBlock = DropoutRule::kInBlock;

  template <class Team>
  INK_DEVICE DroppedRow(const DropoutMask& dropout, Team team, int64_t n, int C)
      : drops_(dropout.threshold > 0), kept_(dropout.kept) {
    if (!drops_) return;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int64_t first = n * C + (k * team.size() + team.rank()) * P;
      bits_[k] = dropped_of_block(dropout.key.get(), static_cast<uint64_t>(first / kInBlock),
                                  dropout.threshold)
                 << (first % kInBlock / 2);
    }
  }
  INK_DEVICE void apply(Row<T, K>& x) const {
    if (!drops_) return;
#pragma unroll
    for (int i = 0; i < K * P; ++i) {
      float& v = x.at[i / P][i % P];
      v = is_dropped(bits_[i / P], i % P) ? 0 : v * kept_;
    }
  }

 private:
  bool drops_;
  uint32_t bits_[K] = {};
  float kept_;
};

}  // namespace ink::cuda
