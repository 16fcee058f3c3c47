// random_words: the words of Random::bits at every instruction set, also where the counter carries.
#include "tensor/random_words.h"

#include <gtest/gtest.h>

namespace ink {
namespace {

TEST(RandomWords, AreThoseOfTheStream) {
  const simd::Level before = simd::level();
  const Random random = Random(7).split(3);
  for (const simd::Level level : {simd::Level::portable, simd::Level::avx2, simd::Level::avx512}) {
    if (level > simd::best()) continue;
    simd::set_level(level);
    for (const uint64_t block :
         {uint64_t{0}, uint64_t{16}, uint64_t{0xfffffffa}, uint64_t{5} << 40}) {
      uint32_t words[kRandomWords];
      random_words(random.key(), block, words);
      for (uint64_t j = 0; j < uint64_t{kRandomWords}; ++j) {
        ASSERT_EQ(words[j], random.bits(4 * block + j))
            << simd::name_of(level) << ", block " << block << ", word " << j;
      }
      uint16_t halves[kRandomHalves];
      random_halves(random.key(), block, halves);
      for (uint64_t j = 0; j < uint64_t{kRandomHalves}; ++j)
        ASSERT_EQ(halves[j], random.half(8 * block + j)) << "block " << block << ", half " << j;
    }
  }
  simd::set_level(before);
}

}  // namespace
}  // namespace ink
