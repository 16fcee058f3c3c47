// Many words of a random stream at once, for kernels that draw a mask.
#pragma once
#include <cstdint>

#include "tensor/philox.h"

namespace ink {

// Blocks of the cipher that are computed side by side.
inline constexpr int64_t kRandomBlocks = 16, kRandomWords = 4 * kRandomBlocks;

// words[j] = word 4·block + j of the stream (Random::bits) for j < kRandomWords: ten rounds of Philox on kRandomBlocks
// counters at once. philox() does the same one block at a time.
inline void random_words(PhiloxKey key, uint64_t block, uint32_t* words) {
  uint32_t c0[kRandomBlocks], c1[kRandomBlocks], c2[kRandomBlocks], c3[kRandomBlocks];
  for (int64_t b = 0; b < kRandomBlocks; ++b) {
    const uint64_t counter = block + static_cast<uint64_t>(b);
    c0[b] = static_cast<uint32_t>(counter);
    c1[b] = static_cast<uint32_t>(counter >> 32);
    c2[b] = c3[b] = 0;
  }
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int64_t b = 0; b < kRandomBlocks; ++b) {
      const uint64_t low = uint64_t{0xD2511F53u} * c0[b], high = uint64_t{0xCD9E8D57u} * c2[b];
      c0[b] = static_cast<uint32_t>(high >> 32) ^ c1[b] ^ key.k0;
      c1[b] = static_cast<uint32_t>(high);
      c2[b] = static_cast<uint32_t>(low >> 32) ^ c3[b] ^ key.k1;
      c3[b] = static_cast<uint32_t>(low);
    }
    key.k0 += 0x9E3779B9u;
    key.k1 += 0xBB67AE85u;
  }
  for (int64_t b = 0; b < kRandomBlocks; ++b) {
    words[4 * b] = c0[b];
    words[4 * b + 1] = c1[b];
    words[4 * b + 2] = c2[b];
    words[4 * b + 3] = c3[b];
  }
}

}  // namespace ink
