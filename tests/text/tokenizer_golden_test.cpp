// Tokenization equals the reference: own samples, every code point, random texts, whole data sets.
#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tests/text/golden.h"
#include "tests/text/random_texts.h"
#include "text/tokenizer.h"

namespace ink {
namespace {

Tokenizer sample_tokenizer() {
  std::vector<std::string> tokens;
  for (const Json& token : golden::file().array("vocab").items())
    tokens.push_back(token.as_string());
  return Tokenizer(Vocabulary(tokens));
}

TEST(TokenizerGolden, SamplesAgreeInEveryField) {
  const Tokenizer tokenizer = sample_tokenizer();
  for (const Json& sample : golden::file().array("samples").items()) {
    const std::string text = sample.string("text");
    const Encoding e = tokenizer.encode(text);
    EXPECT_EQ(e.ids, golden::integers(sample.array("ids"))) << text;
    EXPECT_EQ(golden::flat(e.offsets), golden::integers(sample.array("offsets"))) << text;
    EXPECT_EQ(e.words, golden::integers(sample.array("words"))) << text;
    EXPECT_EQ(tokenizer.decode(e.ids), sample.string("decoded"));
    EXPECT_EQ(tokenizer.decode(e.ids, false), sample.string("decoded_all"));
  }
}

TEST(TokenizerGolden, PairsAreJoinedAndShortenedAlike) {
  const Tokenizer tokenizer = sample_tokenizer();
  for (const Json& pair : golden::file().array("pairs").items()) {
    const Encoding e = tokenizer.encode(pair.string("first"), pair.string("second"),
                                        {.max_length = pair.integer("max_length")});
    EXPECT_EQ(e.ids, golden::integers(pair.array("ids"))) << pair.to_string();
    EXPECT_EQ(e.segments, golden::integers(pair.array("segments"))) << pair.to_string();
    EXPECT_EQ(golden::flat(e.offsets), golden::integers(pair.array("offsets"))) << pair.to_string();
    EXPECT_EQ(e.words, golden::integers(pair.array("words"))) << pair.to_string();
  }
}

NormalizeOptions options_of(const Json& row) {
  NormalizeOptions options;
  options.do_lower_case = row.boolean("do_lower_case");
  if (!row["strip_accents"].is_null()) options.strip_accents = row.boolean("strip_accents");
  options.tokenize_chinese_chars = row.boolean("tokenize_chinese_chars");
  return options;
}

// Normalized words, then the place of each in the text: the vocabulary is empty, so each is [UNK].
class WordsAndPlaces {
 public:
  explicit WordsAndPlaces(const NormalizeOptions& options)
      : tokenizer_(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}), options) {}
  void add(std::u32string_view text) {
    const Normalized normalized = normalize(text, tokenizer_.options());
    const std::vector<Span> words = split_words(normalized.text);
    hash_.add(static_cast<int64_t>(words.size()));
    for (const Span& word : words) {
      hash_.add(word.size());
      for (int32_t i = word.begin; i < word.end; ++i)
        hash_.add(static_cast<int64_t>(normalized.text[static_cast<size_t>(i)]));
    }
    hash_.add(tokenizer_.pieces(encode_utf8(text)));
  }
  std::string text() const { return hash_.text(); }

 private:
  Tokenizer tokenizer_;
  golden::Hash hash_;
};

TEST(TokenizerGolden, EveryCodePointAgreesInThreeContexts) {
  std::u32string points;
  for (char32_t c = 0; c < 0x110000; ++c)
    if (c < 0xD800 || c >= 0xE000) points += c;
  for (const Json& row : golden::file().array("sweep").items()) {
    WordsAndPlaces result(options_of(row));
    for (size_t at = 0; at < points.size(); at += 64) {
      golden::for_each_context(points, at, [&](const std::u32string& text) { result.add(text); });
    }
    EXPECT_EQ(result.text(), row.string("hash")) << row.to_string();
  }
}

TEST(TokenizerGolden, RandomTextsAgree) {
  for (const Json& row : golden::file().array("random").items()) {
    WordsAndPlaces result(options_of(row));
    golden::RandomTexts texts;
    for (int64_t i = 0; i < row.integer("texts"); ++i) result.add(texts.next());
    EXPECT_EQ(result.text(), row.string("hash")) << row.to_string();
  }
}

TEST(TokenizerGolden, WholeDataSetsAgree) {
  const auto data = golden::data_folder();
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no data at " << data << " (INK_DATA)";
  for (const Json& row : golden::file().array("files").items()) {
    const auto path = data / row.string("path");
    const std::vector<std::string> texts = golden::texts_of(path);
    ASSERT_EQ(static_cast<int64_t>(texts.size()), row.integer("texts")) << path;
    const Tokenizer tokenizer(Vocabulary::load(data / row.string("vocab")),
                              {.do_lower_case = row.boolean("do_lower_case")});
    golden::Hash hash;
    int64_t tokens = 0;
    for (const Encoding& e : tokenizer.encode_all(texts)) {
      hash.add(e);
      tokens += e.size();
    }
    EXPECT_EQ(tokens, row.integer("tokens")) << path;
    EXPECT_EQ(hash.text(), row.string("hash")) << path;
  }
}

}  // namespace
}  // namespace ink
