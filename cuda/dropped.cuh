// The random numbers of dropout, as kernels draw them.
#pragma once
#include "cuda/kernel.cuh"
#include "tensor/dropout_rule.h"
#include "tensor/philox.h"

namespace ink::cuda {

// Which of the eight elements of this block of a stream are dropped, as bits: element i is bit
// 15 − i/2 + 16·(i % 2), for elements 2w and 2w + 1 are the halves of word w.
INK_DEVICE uint32_t dropped_of_block(PhiloxKey key, uint64_t block, uint32_t threshold) {
  constexpr uint32_t kTops = 0x80008000u;
  const auto words = philox<kFewPhiloxRounds>(
      {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key);
  // Both halves of a word at once: the top bit of `not_below` says whether the lower 15 bits are
  // at least those of the threshold t. With the top bits of both, x ≥ t where two of the three are
  // so: x's is 1, t's is 0, not below.
  const uint32_t t = threshold * 0x00010001u;
  uint32_t dropped = 0;
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    const uint32_t x = words[w], not_below = (x | kTops) - (t & ~kTops);
    const uint32_t kept = (x & ~t) | (x & not_below) | (~t & not_below);
    dropped |= ~kept >> w & kTops >> w;
  }
  return dropped;
}

INK_DEVICE bool is_dropped(uint32_t dropped, int i) {
  return (dropped >> (15 - i / 2 + 16 * (i % 2)) & 1) != 0;
}

}  // namespace ink::cuda
