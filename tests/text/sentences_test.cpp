// Sentence ends in Chinese and Latin text; nothing but blanks is lost.
#include "text/sentences.h"

#include <gtest/gtest.h>

#include "tensor/philox.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

using Strings = std::vector<std::string>;

Strings split(const std::string& text) {
  Strings out;
  for (const Span& s : split_sentences(text))
    out.push_back(text.substr(static_cast<size_t>(s.begin), static_cast<size_t>(s.size())));
  return out;
}

TEST(Sentences, ChineseEndsTakeTheirClosingQuotes) {
  EXPECT_EQ(split("今天好。明天呢？好！！"), (Strings{"今天好。", "明天呢？", "好！！"}));
  EXPECT_EQ(split("他说：“走吧。”我们走了。"), (Strings{"他说：“走吧。”", "我们走了。"}));
  EXPECT_EQ(split("（完。）下文"), (Strings{"（完。）", "下文"}));
  EXPECT_EQ(split("想……算了；走"), (Strings{"想……", "算了；", "走"}));
  EXPECT_EQ(split("好吗?好!走"), (Strings{"好吗?", "好!", "走"}));
}

TEST(Sentences, LatinFullStopsNeedABlankAndNoSmallLetter) {
  EXPECT_EQ(split("One. Two! Three? four"), (Strings{"One.", "Two!", "Three? four"}));
  EXPECT_EQ(split("Pi is 3.14 or so. See example.com/a.b for it."),
            (Strings{"Pi is 3.14 or so.", "See example.com/a.b for it."}));
  EXPECT_EQ(split("Dr. Wang met J. Smith, e.g. Here. Then he left."),
            (Strings{"Dr. Wang met J. Smith, e.g. Here.", "Then he left."}));
  EXPECT_EQ(split("He said \"Go.\" Then he went."), (Strings{"He said \"Go.\"", "Then he went."}));
  EXPECT_EQ(split("版本3.第一章"), (Strings{"版本3.第一章"}));
}

TEST(Sentences, LineEndsAlwaysEnd) {
  EXPECT_EQ(split("标题\n正文\r\n\n 末行 "), (Strings{"标题", "正文", "末行"}));
  EXPECT_TRUE(split("").empty());
  EXPECT_TRUE(split(" \n\t ").empty());
}

TEST(Sentences, OnlyBlanksAreLost) {
  constexpr std::u32string_view pool = U"砚墨aB1。！？；….!?”\")( \n\u3000“Dr";
  Draws draws{Random(4)};
  for (int round = 0; round < 2000; ++round) {
    std::u32string text;
    for (uint64_t n = draws.below(40); n > 0; --n) text += pool[draws.below(pool.size())];
    const std::string bytes = encode_utf8(text);
    std::u32string kept, wanted;
    for (const std::string& s : split(bytes)) {
      ASSERT_FALSE(s.empty());
      kept += decode_utf8(s);
    }
    const auto is_blank = [](char32_t c) { return c == ' ' || c == '\n' || c == 0x3000; };
    std::erase_if(kept, is_blank);
    wanted = text;
    std::erase_if(wanted, is_blank);
    ASSERT_EQ(encode_utf8(kept), encode_utf8(wanted)) << bytes;
  }
}

TEST(Sentences, HostileTextIsRefusedOrFast) {
  EXPECT_ERROR(split_sentences("好\xFF"), "offset 3");
  for (const char* part : {"!", ".", "?!", ". ", "\"", "a.", ".\")", "。"}) {
    std::string text;
    while (text.size() < size_t{1} << 20) text += part;
    split_sentences(text + "x");  // quadratic work would not end
  }
}

}  // namespace
}  // namespace ink
