// Many words of a random stream at once, for kernels that draw a mask.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "tensor/philox.h"
#include "tensor/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ink {

// Blocks of the cipher that are computed together.
inline constexpr int64_t kRandomBlocks = 16, kRandomWords = 4 * kRandomBlocks;

namespace detail {

#if defined(__x86_64__)
// Four blocks to a vector, one word of each in 64 bits. A product reads the lower halves of its
// factors only, so the upper halves may hold anything, and a round is two products, two shifts and
// four exclusive ors. From a loop g++ makes code that takes twice as long.
template <int kRounds>
[[gnu::target(INK_TARGET_AVX2)]] inline void random_words_avx2(PhiloxKey key, uint64_t block,
                                                               uint32_t* words) {
  constexpr int kVectors = 2;  // as many as hide the latency of the products
  const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m1 = _mm256_set1_epi64x(0xCD9E8D57);
  for (int64_t first = 0; first < kRandomBlocks; first += 4 * kVectors) {
    __m256i c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      const uint64_t start = block + static_cast<uint64_t>(first + 4 * i);
      c0[i] = _mm256_add_epi64(_mm256_set1_epi64x(static_cast<int64_t>(start)),
                               _mm256_setr_epi64x(0, 1, 2, 3));
      c1[i] = _mm256_srli_epi64(c0[i], 32);
      c2[i] = c3[i] = _mm256_setzero_si256();
    }
    PhiloxKey k = key;
    for (int round = 0; round < kRounds; ++round) {
      const __m256i k0 = _mm256_set1_epi64x(k.k0), k1 = _mm256_set1_epi64x(k.k1);
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) {
        const __m256i low = _mm256_mul_epu32(m0, c0[i]), high = _mm256_mul_epu32(m1, c2[i]);
        c0[i] = _mm256_xor_si256(_mm256_srli_epi64(high, 32), _mm256_xor_si256(c1[i], k0));
        c1[i] = high;
        c2[i] = _mm256_xor_si256(_mm256_srli_epi64(low, 32), _mm256_xor_si256(c3[i], k1));
        c3[i] = low;
      }
      k.k0 += 0x9E3779B9u;
      k.k1 += 0xBB67AE85u;
    }
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {  // the lower halves, block after block
      const __m256i c01 = _mm256_blend_epi32(c0[i], _mm256_slli_epi64(c1[i], 32), 0xAA);
      const __m256i c23 = _mm256_blend_epi32(c2[i], _mm256_slli_epi64(c3[i], 32), 0xAA);
      const __m256i even = _mm256_unpacklo_epi64(c01, c23), odd = _mm256_unpackhi_epi64(c01, c23);
      auto* out = reinterpret_cast<__m256i*>(words + 4 * (first + 4 * i));
      _mm256_storeu_si256(out, _mm256_permute2x128_si256(even, odd, 0x20));
      _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(even, odd, 0x31));
    }
  }
}
#endif

}  // namespace detail

// words[j] = word 4·block + j of the stream with this key (Random::bits) for j < kRandomWords.
template <int kRounds = kPhiloxRounds>
inline void random_words(PhiloxKey key, uint64_t block, uint32_t* words) {
#if defined(__x86_64__)
  if (simd::level() >= simd::Level::avx2)
    return detail::random_words_avx2<kRounds>(key, block, words);
#endif
  for (uint64_t b = 0; b < uint64_t{kRandomBlocks}; ++b) {
    const uint64_t i = block + b;
    const auto four =
        philox<kRounds>({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0}, key);
    for (uint64_t k = 0; k < 4; ++k) words[4 * b + k] = four[k];
  }
}

inline constexpr int64_t kRandomHalves = 2 * kRandomWords;

// halves[j] = Random::half(8·block + j) for j < kRandomHalves.
inline void random_halves(PhiloxKey key, uint64_t block, uint16_t* halves) {
  static_assert(std::endian::native == std::endian::little, "the lower half of a word comes first");
  uint32_t words[kRandomWords];
  random_words<kFewPhiloxRounds>(key, block, words);
  std::memcpy(halves, words, sizeof words);
}

}  // namespace ink
