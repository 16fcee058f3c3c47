// Charsmap: keys are found, the shortest decides a cluster, damage is refused or harmless.
#include "text/charsmap.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tensor/philox.h"
#include "tests/expect_error.h"
#include "text/base64.h"

namespace ink {
namespace {

// A double array of single ASCII keys, each with the place of its value.
std::string make_map(std::string_view keys, std::string_view strings,
                     const std::vector<uint32_t>& places) {
  std::vector<uint32_t> units(1024, 0);
  units[0] = 256u << 10;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto at = 256u ^ static_cast<uint8_t>(keys[i]), value = 600u + static_cast<uint32_t>(i);
    units[at] = (at ^ value) << 10 | 1u << 8 | static_cast<uint8_t>(keys[i]);
    units[value] = 0x80000000u | places[i];
  }
  const auto bytes = static_cast<uint32_t>(units.size() * sizeof units[0]);
  std::string out(4 + bytes, '\0');
  std::memcpy(out.data(), &bytes, 4);
  std::memcpy(out.data() + 4, units.data(), bytes);
  return out.append(strings);
}

Normalized apply(const Charsmap& map, std::u32string_view text) {
  Normalized out{std::u32string(text), {}};
  for (size_t i = 0; i < text.size(); ++i) out.source.push_back(static_cast<int32_t>(i));
  map.apply(out);
  return out;
}

constexpr std::string_view kStrings{"xyz\0\0B\0", 7};
const Charsmap& sample() {
  static const Charsmap map(make_map("abc", kStrings, {0, 4, 5}), "sample");
  return map;
}

TEST(Charsmap, ReplacesCharactersAndKeepsTheirPlaces) {
  const Normalized out = apply(sample(), U"1a2c");
  EXPECT_EQ(out.text, U"1xyz2B");
  EXPECT_EQ(out.source, (std::vector<int32_t>{0, 1, 1, 1, 2, 3}));
}

TEST(Charsmap, DropsCharacters) {
  const Normalized out = apply(sample(), U"1b2");
  EXPECT_EQ(out.text, U"12");
  EXPECT_EQ(out.source, (std::vector<int32_t>{0, 2}));
}

TEST(Charsmap, AKeyAtTheStartOfAClusterStandsForAllOfIt) {
  EXPECT_EQ(apply(sample(), U"c\u0301d").text, U"Bd");
  EXPECT_EQ(apply(sample(), U"c\u0301\u0301\u0301d").text, U"B\u0301\u0301\u0301d");  // 7 bytes
}

TEST(Charsmap, DamageIsRefusedOrHarmless) {
  const std::string good = make_map("abc", kStrings, {0, 4, 5});
  EXPECT_ERROR(Charsmap("abc", "x"), "at least 4 bytes");
  EXPECT_ERROR(Charsmap(std::string("\xFF\xFF\xFF\x7F", 4), "x"), "a trie");
  EXPECT_ERROR(Charsmap(good.substr(0, good.size() - 1), "x"), "end with NUL");
  Draws draws{Random(1)};
  for (int round = 0; round < 200; ++round) {
    std::string damaged = good;
    for (int i = 0; i < 8; ++i)
      damaged[4 + draws.below(4096)] = static_cast<char>(draws.below(256));
    apply(Charsmap(damaged, "x"), U"abc a\u0301 砚台\U0001F600");
  }
}

TEST(Base64, IsReadAsWritten) {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xFF\xFE\x01 q"})
    EXPECT_EQ(decode_base64(encode_base64(bytes), "x"), bytes);
  EXPECT_ERROR(decode_base64("abc", "x"), "multiple of 4");
  EXPECT_ERROR(decode_base64("a$cd", "x"), "another character at 1");
}

}  // namespace
}  // namespace ink
