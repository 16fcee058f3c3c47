// UTF-8: every code point there and back, every kind of damage found at its offset.
#include "text/utf8.h"

#include <gtest/gtest.h>

#include "tests/expect_error.h"

namespace ink {
namespace {

TEST(Utf8, EveryCodePointSurvivesTheRoundTrip) {
  std::u32string all;
  for (char32_t c = 0; c < 0x110000; ++c)
    if (c < 0xD800 || c >= 0xE000) all += c;
  const std::string text = encode_utf8(all);
  EXPECT_EQ(text.size(), 0x80u + 2 * 0x780u + 3 * (0xF800u - 0x800u) + 4 * 0x100000u);
  EXPECT_EQ(first_invalid_utf8(text), text.size());
  EXPECT_TRUE(decode_utf8(text) == all);
  EXPECT_EQ(replace_invalid_utf8(text), text);
}

TEST(Utf8, ByteOffsetsMarkEveryCodePoint) {
  const Decoded decoded = decode_utf8_with_offsets("aé砚\U0001F58B");
  EXPECT_EQ(decoded.text, U"aé砚\U0001F58B");
  EXPECT_EQ(decoded.bytes, (std::vector<int32_t>{0, 1, 3, 6, 10}));
  EXPECT_EQ(decode_utf8_with_offsets("").bytes, std::vector<int32_t>{0});
}

TEST(Utf8, FindsEveryKindOfDamageAtItsOffset) {
  const std::string bad[] = {
      "\x80",              // continuation without a lead
      "\xC0\x80",          // overlong
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      // overlong
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xED\xA0\x80",      // surrogate
      "\xF4\x90\x80\x80",  // above U+10FFFF
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xC3",
      "\xE7\xA0",
      "\xF0\x9F\x96",
      "\xC3(",
      "\xE7\xA0(",
  };
  for (const std::string& bytes : bad) {
    for (const std::string before : {"", "1234567", "12345678", "砚台砚台砚台"}) {
      const std::string text = before + bytes + "tail";
      EXPECT_EQ(first_invalid_utf8(text), before.size()) << before;
      EXPECT_ERROR(decode_utf8(text, "it"), "at offset " + std::to_string(before.size()));
      EXPECT_EQ(first_invalid_utf8(replace_invalid_utf8(text)), replace_invalid_utf8(text).size());
    }
  }
}

TEST(Utf8, ReplacesEachMaximalInvalidPartOnce) {
  EXPECT_EQ(replace_invalid_utf8("a\xE7\xA0z"), "a\uFFFDz");              // one cut short
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x96"), "\uFFFD");              // at the end of the text
  EXPECT_EQ(replace_invalid_utf8("\xE0\x80"), "\uFFFD\uFFFD");            // 80 cannot follow E0
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // nor A0 follow ED
}

TEST(Utf8, NulIsACharacterLikeAnyOther) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(encode_utf8(decode_utf8(text)), text);
}

TEST(Utf8, EncodesNoSurrogates) {
  std::string out;
  append_utf8(out, 0xD800);
  append_utf8(out, 0x110000);
  EXPECT_EQ(out, "\uFFFD\uFFFD");
}

}  // namespace
}  // namespace ink
