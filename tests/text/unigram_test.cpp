// Unigram: the most probable pieces, spaces as marks, unknown neighbours joined.
#include "text/unigram.h"

#include <gtest/gtest.h>

#include "tests/expect_error.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

using testing::tiny_unigram;

Tokenizer read(const Json& file) {
  return Tokenizer(parse_tokenizer_json(file.to_string(), "tokenizer.json"));
}

TEST(Unigram, TakesTheMostProbablePieces) {
  const Tokenizer tokenizer = read(tiny_unigram());
  EXPECT_EQ(tokenizer.pieces("砚台").ids, (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(tokenizer.pieces("inkstone").ids, (std::vector<int32_t>{9, 10}));
  EXPECT_EQ(tokenizer.pieces("ink  ink").ids, (std::vector<int32_t>{9, 9}));
  EXPECT_EQ(tokenizer.pieces(" \n").size(), 0);
}

TEST(Unigram, JoinsUnknownNeighbours) {
  const Encoding e = read(tiny_unigram()).pieces("砚xyz台");
  EXPECT_EQ(e.ids, (std::vector<int32_t>{5, 7, 0, 8}));
  EXPECT_EQ(e.offsets[2], (Span{1, 4}));
  EXPECT_EQ(e.words, std::vector<int32_t>(4, 0));
}

TEST(Unigram, PlacesPointIntoTheOriginal) {
  const Encoding e = read(tiny_unigram()).pieces("ＩＮＫ ``砚");
  EXPECT_EQ(e.ids, (std::vector<int32_t>{9, 5, 14, 7}));
  EXPECT_EQ(e.offsets[0], (Span{0, 3}));
  EXPECT_EQ(e.bytes[0], (Span{0, 9}));
  EXPECT_EQ(e.offsets[2], (Span{5, 6}));  // the last of the two marks
}

TEST(Unigram, FramesAsXlnetDoes) {
  const Encoding e = read(tiny_unigram()).encode("砚", "台");
  EXPECT_EQ(e.ids, (std::vector<int32_t>{5, 7, 2, 5, 8, 2, 1}));
  EXPECT_EQ(e.segments, (std::vector<int32_t>{0, 0, 0, 1, 1, 1, 2}));
  EXPECT_EQ(e.texts, (std::vector<int32_t>{0, 0, -1, 1, 1, -1, -1}));
}

TEST(Unigram, AddedTokensKeepTheirRules) {
  const Tokenizer tokenizer = read(tiny_unigram());
  EXPECT_EQ(tokenizer.pieces("砚 <mask>").ids, (std::vector<int32_t>{5, 7, 4}));
  EXPECT_EQ(tokenizer.pieces("砚 <mask>").offsets[2], (Span{1, 8}));
  EXPECT_EQ(tokenizer.pieces("砚 磨墨!").ids, (std::vector<int32_t>{5, 7, 15, 5, 0}));
  EXPECT_EQ(tokenizer.pieces("磨墨砚").ids, (std::vector<int32_t>{5, 0, 7}));  // not a word alone
}

TEST(Unigram, DecodesMarksAsSpaces) {
  const Tokenizer tokenizer = read(tiny_unigram());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("ink inkstone").ids), "ink inkstone");
}

TEST(Unigram, PrefixSpaceCanBeHad) {
  Json file = tiny_unigram();
  const auto with = [&](const char* scheme) {
    file.set("pre_tokenizer",
             Json::make_object({{"type", "Metaspace"}, {"prepend_scheme", scheme}}));
    return read(file).pieces("砚<mask>砚").ids;
  };
  EXPECT_EQ(with("always"), (std::vector<int32_t>{5, 7, 4, 5, 7}));
  EXPECT_EQ(with("first"), (std::vector<int32_t>{5, 7, 4, 7}));
  EXPECT_EQ(with("never"), (std::vector<int32_t>{7, 4, 7}));
}

TEST(Unigram, RefusesScoresAndIdsThatAreNone) {
  Json file = tiny_unigram();
  const auto with = [&](const char* key, Json value) {
    Json model = file.object("model"), copy = file;
    model.set(key, std::move(value));
    copy.set("model", model);
    return copy;
  };
  EXPECT_ERROR(read(with("unk_id", 99)), "unk_id");
  EXPECT_ERROR(read(with("byte_fallback", true)), "byte_fallback");
  Json vocab = file.object("model").array("vocab");
  vocab.append(Json::make_array({"磨墨", "b"}));
  EXPECT_ERROR(read(with("vocab", vocab)), "expected a number");
  EXPECT_ERROR(read(with("vocab", Json::make_array())), "unk_id");
}

}  // namespace
}  // namespace ink
