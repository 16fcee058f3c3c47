// A block of threads laid over columns and rows: neighbours in a warp stand along the columns.
#pragma once
#include <algorithm>
#include <bit>

#include "cuda/kernel.cuh"

namespace ink::cuda {

inline constexpr int kBlock = 256;  // threads of such a block

// How many threads stand along the columns, a power of two: a warp, fewer where that suffices for
// all columns, more where the rest has no rows to take.
inline int threads_across(int64_t columns, int64_t rows) {
  const auto power = [](int64_t n) {
    return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(n)));
  };
  return std::max(power(std::clamp<int64_t>(columns, 1, kWarp)),
                  kBlock / power(std::clamp<int64_t>(rows, 1, kBlock)));
}

}  // namespace ink::cuda
