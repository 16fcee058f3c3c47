// Tokenization equals the reference: own samples, every code point, random texts, whole data sets.
#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tests/text/golden.h"
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
      std::u32string alone, letters, accents;
      for (const char32_t c : std::u32string_view(points).substr(at, 64)) {
        const std::u32string space = alone.empty() ? U"" : U" ";
        alone += space + c;
        letters += space + U'a' + c + U'b';
        accents += space + U"e\u0301" + c + U"\u0323\u00e9";
      }
      result.add(alone);
      result.add(letters);
      result.add(accents);
    }
    EXPECT_EQ(result.text(), row.string("hash")) << row.to_string();
  }
}

// The texts of random_texts() in tools/golden/text.py.
class RandomTexts {
 public:
  std::u32string next() {
    const Pool pools[] = {pool(), pool(), pool()};
    std::u32string text;
    for (uint64_t n = draw(24); n > 0; --n) {
      const auto [first, last] = pools[draw(3)];
      text += static_cast<char32_t>(first + draw(last - first + 1));
    }
    return text;
  }

 private:
  struct Pool {
    uint64_t first, last;
  };
  Pool pool() {
    static constexpr Pool pools[] = {
        {0x20, 0x7E},     {0x41, 0x7A},     {0xA0, 0x24F},      {0x300, 0x36F},
        {0x370, 0x52F},   {0x591, 0x6FF},   {0x900, 0xDFF},     {0x1E00, 0x1FFF},
        {0x2000, 0x206F}, {0x3000, 0x30FF}, {0x4E00, 0x9FFF},   {0xAC00, 0xD7A3},
        {0xF900, 0xFAFF}, {0xFE00, 0xFFFF}, {0x1D100, 0x1D1FF}, {0x1F300, 0x1F6FF}};
    return pools[draw(std::size(pools))];
  }
  uint64_t draw(uint64_t n) { return golden::mix(++number_) % n; }
  uint64_t number_ = 0;
};

TEST(TokenizerGolden, RandomTextsAgree) {
  for (const Json& row : golden::file().array("random").items()) {
    WordsAndPlaces result(options_of(row));
    RandomTexts texts;
    for (int64_t i = 0; i < row.integer("texts"); ++i) result.add(texts.next());
    EXPECT_EQ(result.text(), row.string("hash")) << row.to_string();
  }
}

void collect_strings(const Json& value, std::vector<std::string>& out) {
  if (value.is_string()) out.push_back(value.as_string());
  if (value.is_array())
    for (const Json& item : value.items()) collect_strings(item, out);
  if (value.is_object())
    for (const Json::Member& member : value.members()) collect_strings(member.value, out);
}

TEST(TokenizerGolden, WholeDataSetsAgree) {
  const auto data = golden::data_folder();
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no data at " << data << " (INK_DATA)";
  for (const Json& row : golden::file().array("files").items()) {
    const auto path = data / row.string("path");
    const std::string content = golden::read(path);
    std::vector<std::string> texts;
    if (path.extension() == ".json")
      collect_strings(parse_json(content, path.string()), texts);
    else
      texts = golden::lines_of(content);
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
