// Byte-level BPE: words by GPT-2's pattern, merges by rank, places without spaces.
#include "text/byte_bpe.h"

#include <gtest/gtest.h>

#include "tests/expect_error.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

using testing::tiny_bpe;

Tokenizer read(const Json& file) {
  return Tokenizer(parse_tokenizer_json(file.to_string(), "tokenizer.json"));
}

std::vector<std::string> tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> out;
  for (const int32_t id : tokenizer.pieces(text).ids)
    out.emplace_back(tokenizer.vocabulary().token(id));
  return out;
}

using Tokens = std::vector<std::string>;

TEST(ByteBpe, MergesTheEarliestRuleFirst) {
  const Tokenizer tokenizer = read(tiny_bpe());
  EXPECT_EQ(tokens(tokenizer, "ink the"), (Tokens{"ink", "Ġthe"}));
  EXPECT_EQ(tokens(tokenizer, " thin"), (Tokens{"Ġth", "in"}));
  EXPECT_EQ(tokens(tokenizer, "sinks"), (Tokens{"s", "ink", "s"}));
}

// <mask> takes the whitespace to its left, which belongs to its place no more than to "Ġthe"'s.
TEST(ByteBpe, TrimsWhatAnAddedTokenTookFromTheText) {
  const Tokenizer tokenizer = read(tiny_bpe());
  EXPECT_EQ(tokenizer.pieces("ink  <mask> the").offsets,
            (std::vector<Span>{{0, 3}, {5, 11}, {12, 15}}));
}

TEST(ByteBpe, CutsWordsAsGpt2Does) {
  const Tokenizer tokenizer = read(tiny_bpe());
  const auto words = [&](std::string_view text) {
    std::vector<int32_t> ends;
    const Encoding e = tokenizer.pieces(text);
    for (size_t i = 0; i < e.ids.size(); ++i)
      if (i + 1 == e.ids.size() || e.words[i + 1] != e.words[i]) ends.push_back(e.offsets[i].end);
    return ends;
  };
  EXPECT_EQ(words("it's I'LL"), (std::vector<int32_t>{2, 4, 6, 7, 9}));
  EXPECT_EQ(words("a1 22!? b"), (std::vector<int32_t>{1, 2, 5, 7, 9}));
  EXPECT_EQ(words("a   b"), (std::vector<int32_t>{1, 3, 5}));
  EXPECT_EQ(words("砚台\n\nx"), (std::vector<int32_t>{2, 3, 4, 5}));
}

TEST(ByteBpe, PlacesLeaveOutTheSpace) {
  const Encoding e = read(tiny_bpe()).pieces("ink the 砚");
  EXPECT_EQ(e.offsets[1], (Span{4, 7}));
  EXPECT_EQ(e.bytes[1], (Span{4, 7}));
  ASSERT_EQ(e.ids.size(), 6u);  // the space and the three bytes of 砚 are symbols
  EXPECT_EQ(e.offsets[2], (Span{8, 8}));
  for (size_t i = 3; i < 6; ++i) {
    EXPECT_EQ(e.offsets[i], (Span{8, 9}));
    EXPECT_EQ(e.bytes[i], (Span{8, 11}));
  }
}

TEST(ByteBpe, FramesPairsAndTakesSpacesBeforeTheMask) {
  const Tokenizer tokenizer = read(tiny_bpe());
  const Encoding e = tokenizer.encode("ink  <mask>", "ink");
  const auto id = [&](const char* token) { return *tokenizer.vocabulary().find(token); };
  EXPECT_EQ(e.ids, (std::vector<int32_t>{0, id("ink"), id("<mask>"), 2, 2, id("ink"), 2}));
  EXPECT_EQ(e.segments, std::vector<int32_t>(7, 0));
  EXPECT_EQ(e.texts, (std::vector<int32_t>{-1, 0, 0, -1, -1, 1, -1}));
  EXPECT_EQ(e.offsets[2], (Span{5, 11}));
}

TEST(ByteBpe, DecodingGivesTheTextBack) {
  const Tokenizer tokenizer = read(tiny_bpe());
  for (const std::string text : {"ink the 砚台\n\t\u00a0 \U0001F600", "", " ", "\x7F\x01"})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).ids), text);
}

TEST(ByteBpe, LongWordsAreQuick) {
  const Tokenizer tokenizer = read(tiny_bpe());
  std::string text;
  for (int i = 0; i < 1 << 18; ++i) text += "ink";
  EXPECT_EQ(tokenizer.pieces(text).size(), 1 << 18);
}

TEST(ByteBpe, RefusesVocabulariesThatDoNotFit) {
  Json file = tiny_bpe();
  const auto damaged = [&](const auto& damage) {
    Json model = file.object("model"), vocab = model.object("vocab");
    damage(model, vocab);
    model.set("vocab", vocab);
    Json copy = file;
    copy.set("model", model);
    return copy;
  };
  EXPECT_ERROR(read(damaged([](Json& m, Json&) {
                 m["merges"];
                 m.set("merges", Json::make_array({"x y z"}));
               })),
               "merges:1: expected");
  EXPECT_ERROR(read(damaged([](Json& m, Json&) { m.set("merges", Json::make_array({"xy"})); })),
               "a space between");
  EXPECT_ERROR(read(damaged([](Json& m, Json&) { m.set("dropout", 0.1); })), "dropout");
  EXPECT_ERROR(read(damaged([](Json&, Json& v) { v.set("a", 1 << 20); })), "without gaps");
  EXPECT_ERROR(read(damaged([](Json&, Json& v) {
                 v.erase("z");
                 v.set("zz", tiny_bpe().object("model").object("vocab").integer("z"));
               })),
               "for byte 122");
}

}  // namespace
}  // namespace ink
