// Tokenizer: offsets point at the right text, hostile input is harmless, folders round-trip.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

const std::vector<std::string> kTokens = {"[PAD]",   "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ink",
                                          "##stone", "##s",   "砚",    "台",    "。",     "cafe",
                                          "i",       "##n",   ".",     "ﬁ",     "k"};

Tokenizer small(NormalizeOptions options = {}) { return Tokenizer(Vocabulary(kTokens), options); }

// Random text of the characters that have rules of their own.
std::string random_text(Draws& draws) {
  constexpr std::u32string_view pool =
      U"inkstonecafé砚台磨。.,!  \t\u00a0\u200b\u0301\u0323İÉ한ﬁ\U00020000[MASK]豈##";
  std::u32string text;
  for (uint64_t n = draws.below(40); n > 0; --n) text += pool[draws.below(pool.size())];
  return encode_utf8(text);
}

TEST(Tokenizer, OffsetsAreOrderedAndPointAtTheTokens) {
  const Tokenizer tokenizer = small();
  Draws draws{Random(1)};
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_text(draws);
    const Decoded decoded = decode_utf8_with_offsets(text);
    const Encoding e = tokenizer.pieces(text);
    for (size_t i = 0; i < e.ids.size(); ++i) {
      const Span s = e.offsets[i], b = e.bytes[i];
      ASSERT_LT(s.begin, s.end) << text;
      ASSERT_EQ(b.begin, decoded.bytes[static_cast<size_t>(s.begin)]) << text;
      ASSERT_EQ(b.end, decoded.bytes[static_cast<size_t>(s.end)]) << text;
      if (i > 0) {
        ASSERT_GE(s.begin, e.offsets[i - 1].begin) << text;
        ASSERT_GE(e.words[i], e.words[i - 1]) << text;
        ASSERT_LE(e.words[i], e.words[i - 1] + 1) << text;
      }
      // What the token covers, tokenized alone, gives the token again (as the start of a word).
      const std::string_view token = tokenizer.vocabulary().token(e.ids[i]);
      if (token == "[UNK]" || token.starts_with("##")) continue;
      const Encoding alone = tokenizer.pieces(std::string_view(text).substr(
          static_cast<size_t>(b.begin), static_cast<size_t>(b.size())));
      ASSERT_EQ(alone.ids, std::vector<int32_t>{e.ids[i]}) << text << " at " << b.begin;
    }
  }
}

TEST(Tokenizer, DecodingEncodedTokensGivesThemBack) {
  const Tokenizer tokenizer = small();
  Draws draws{Random(2)};
  for (int round = 0; round < 500; ++round) {
    const Encoding e = tokenizer.encode(random_text(draws));
    const std::string text = tokenizer.decode(e.ids, false);
    const Encoding again = tokenizer.pieces(text);
    ASSERT_EQ(again.ids, e.ids) << text;
  }
}

TEST(Tokenizer, SpecialTokensInTheTextStayWholeAndAreCaseSensitive) {
  const Tokenizer tokenizer = small();
  const Encoding e = tokenizer.encode("砚[MASK]台");
  EXPECT_EQ(e.ids, (std::vector<int32_t>{2, 8, 4, 9, 3}));
  EXPECT_EQ(e.words, (std::vector<int32_t>{-1, 0, 1, 2, -1}));
  EXPECT_EQ(e.bytes[2], (Span{3, 9}));
  EXPECT_EQ(tokenizer.pieces("[mask]").ids, (std::vector<int32_t>{1, 1, 1}));
}

TEST(Tokenizer, LengthIsKeptAndTheRightTextIsShortened) {
  const Tokenizer tokenizer = small();
  const std::string a = "砚台砚台砚台", b = "。。。。";
  for (int64_t n = 3; n < 16; ++n)
    EXPECT_EQ(tokenizer.encode(a, b, {.max_length = n}).size(), std::min<int64_t>(n, 13));
  const Encoding second =
      tokenizer.encode(a, b, {.max_length = 10, .truncation = Truncation::second});
  EXPECT_EQ(std::count(second.segments.begin(), second.segments.end(), 1), 2);
  const Encoding first =
      tokenizer.encode(a, b, {.max_length = 10, .truncation = Truncation::first});
  EXPECT_EQ(std::count(first.segments.begin(), first.segments.end(), 1), 5);
  EXPECT_EQ(tokenizer.encode(a, {.max_length = 4}).ids, (std::vector<int32_t>{2, 8, 9, 3}));
  EXPECT_ERROR(tokenizer.encode(a, b, {.max_length = 8, .truncation = Truncation::second}),
               "leave room");
  EXPECT_ERROR(tokenizer.encode(a, {.max_length = 1}), "at least 2");
  EXPECT_ERROR(tokenizer.encode(a, b, {.max_length = 2}), "at least 3");
  EXPECT_ERROR(tokenizer.encode(a, {.max_length = -5}), "at least 2");
}

TEST(Tokenizer, WindowsOverlapAndCoverTheText) {
  const Tokenizer tokenizer = small();
  const auto ids = [](const std::vector<Encoding>& windows) {
    std::vector<std::vector<int32_t>> out;
    for (const Encoding& e : windows) out.push_back(e.ids);
    return out;
  };
  const EncodeOptions options{.max_length = 5, .stride = 1};
  const std::vector<Encoding> windows = tokenizer.encode_windows("砚台。砚台", options);
  EXPECT_EQ(ids(windows), (std::vector<std::vector<int32_t>>{{2, 8, 9, 10, 3}, {2, 10, 8, 9, 3}}));
  EXPECT_EQ(windows[1].offsets[1], (Span{2, 3}));
  EXPECT_EQ(windows[0], tokenizer.encode("砚台。砚台", options));
  // A question and windows over its context, as for reading comprehension.
  const std::vector<Encoding> pairs = tokenizer.encode_windows(
      "i", "砚台。砚", {.max_length = 6, .truncation = Truncation::second, .stride = 1});
  EXPECT_EQ(ids(pairs), (std::vector<std::vector<int32_t>>{
                            {2, 12, 3, 8, 9, 3}, {2, 12, 3, 9, 10, 3}, {2, 12, 3, 10, 8, 3}}));
  // Both too long: the first of both, the others of the first with all, the first with the others.
  EXPECT_EQ(ids(tokenizer.encode_windows("砚台", "。i", {.max_length = 5})),
            (std::vector<std::vector<int32_t>>{
                {2, 8, 3, 10, 3}, {2, 9, 3, 10, 3}, {2, 9, 3, 12, 3}, {2, 8, 3, 12, 3}}));
  EXPECT_EQ(tokenizer.encode_windows("", options).size(), 1u);
  EXPECT_ERROR(tokenizer.encode_windows("砚台。砚台", {.max_length = 4, .stride = 2}), "stride");
  EXPECT_ERROR(tokenizer.encode_windows("砚台", {.max_length = 2}), "stride");
  EXPECT_EQ(tokenizer.encode_windows("砚", {.max_length = 4, .stride = 9}).size(), 1u);
}

TEST(Tokenizer, HostileTextIsRefusedOrHarmless) {
  const Tokenizer tokenizer = small();
  EXPECT_ERROR(tokenizer.encode("砚\xFF"), "0xFF at offset 3");
  EXPECT_EQ(tokenizer.pieces(replace_invalid_utf8("砚\xFF台")).ids, (std::vector<int32_t>{8, 9}));
  EXPECT_EQ(tokenizer.pieces(std::string("\0i\0", 3)).ids, std::vector<int32_t>{12});
  EXPECT_EQ(tokenizer.pieces("").size(), 0);
  EXPECT_EQ(tokenizer.pieces(std::string(10 << 20, 'x')).ids, std::vector<int32_t>{1});
  std::string han, marks = "i", dotted, brackets(1 << 20, '[');
  for (int i = 0; i < 1 << 18; ++i) han += "砚", marks += "\u0301", dotted += "İ";
  EXPECT_EQ(tokenizer.pieces(han).size(), 1 << 18);
  EXPECT_EQ(tokenizer.pieces(marks).ids, std::vector<int32_t>{12});
  EXPECT_EQ(small({.strip_accents = false}).pieces(dotted).ids, std::vector<int32_t>{1});
  EXPECT_EQ(tokenizer.pieces(brackets).size(), 1 << 20);
}

TEST(Tokenizer, ResultsDoNotDependOnThreads) {
  const Tokenizer tokenizer = small();
  Draws draws{Random(3)};
  std::vector<std::string> texts(500);
  for (std::string& text : texts) text = random_text(draws);
  const int before = threads();
  set_threads(1);
  const std::vector<Encoding> one = tokenizer.encode_all(texts);
  set_threads(3);
  const std::vector<Encoding> three = tokenizer.encode_all(texts);
  set_threads(before);
  EXPECT_EQ(one, three);
  for (size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(one[i], tokenizer.encode(texts[i]));
  texts[250] = "\xFF";
  EXPECT_ERROR(tokenizer.encode_all(texts), "0xFF");
}

TEST(Tokenizer, DecodeRefusesUnknownIds) {
  EXPECT_ERROR(small().decode(std::vector<int32_t>{17}), "[0, 17)");
  EXPECT_ERROR(small().decode(std::vector<int32_t>{-1}), "got -1");
}

TEST(TokenizerFolder, IsReadAsWritten) {
  const testing::TemporaryFolder folder;
  for (const std::optional<bool> strip : {std::optional<bool>(), {true}, {false}}) {
    const NormalizeOptions options{
        .do_lower_case = false, .strip_accents = strip, .tokenize_chinese_chars = false};
    small(options).save(folder / "model");
    const Tokenizer back = Tokenizer::load(folder / "model");
    EXPECT_EQ(back.options(), options);
    EXPECT_EQ(back.vocabulary(), Vocabulary(kTokens));
  }
}

TEST(TokenizerFolder, AnswersWithTheUsualOptionsWithoutConfiguration) {
  const testing::TemporaryFolder folder;
  Vocabulary(kTokens).save(folder / "vocab.txt");
  EXPECT_EQ(Tokenizer::load(folder.path()).options(), NormalizeOptions());
}

TEST(TokenizerFolder, ReadsTheConfigurationOfOthers) {
  const testing::TemporaryFolder folder;
  std::vector<std::string> tokens = kTokens;
  tokens[4] = "<mask>";
  std::string lines;
  for (const std::string& token : tokens) lines += token + "\r\n";
  write_file(folder / "vocab.txt", lines);
  write_file(folder / "tokenizer_config.json",
             R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false, "strip_accents": null,
                 "model_max_length": 1000000000000000019884624838656,
                 "mask_token": {"content": "<mask>", "lstrip": false}, "unk_token": "[UNK]"})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_FALSE(tokenizer.options().do_lower_case);
  EXPECT_EQ(tokenizer.pieces("砚<mask>").ids, (std::vector<int32_t>{8, 4}));
}

TEST(TokenizerFolder, ReadsTokenizerJsonWhereThereIsNoVocabTxt) {
  const testing::TemporaryFolder folder;
  write_file(folder / "tokenizer.json",
             R"({"normalizer": {"type": "BertNormalizer", "clean_text": true, "lowercase": false,
                 "handle_chinese_chars": true, "strip_accents": null},
                 "pre_tokenizer": {"type": "BertPreTokenizer"},
                 "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3],
                 "cls": ["[CLS]", 2]}, "added_tokens": [{"id": 4, "content": "[MASK]",
                 "special": true}, {"id": 0, "content": "[PAD]", "special": true}],
                 "model": {"unk_token": "[UNK]", "type": "WordPiece", "vocab": {"[UNK]": 1,
                 "[PAD]": 0, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "砚": 5}}})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.pieces("砚台").ids, (std::vector<int32_t>{5, 1}));
  EXPECT_FALSE(tokenizer.options().do_lower_case);
  for (const std::string vocab : {R"({"[UNK]": 7})", R"({"[UNK]": 0, "[PAD]": 0})",
                                  R"({"[UNK]": -1})", R"({"[UNK]": 0})", R"({})"}) {
    write_file(
        folder / "tokenizer.json",
        R"({"normalizer": {"type": "BertNormalizer"}, "model": {"type": "WordPiece", "vocab": )" +
            vocab + "}}");
    EXPECT_THROW(Tokenizer::load(folder.path()), Error) << vocab;
  }
}

Json wordpiece_without_normalizer() {
  return parse_json(R"({
    "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "added_tokens": [{"id": 7, "content": "Xx", "single_word": true, "normalized": true}],
    "model": {"unk_token": "[UNK]", "type": "WordPiece", "vocab": {"[PAD]": 0, "[UNK]": 1,
      "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "ink": 5, "##5": 6}}})",
                    "tokenizer.json");
}

// BERT's normalizer leaves one kind of space; without it there are all of Unicode's.
TEST(TokenizerJson, CutsWordsAtAnyWhitespace) {
  const Tokenizer tokenizer(
      parse_tokenizer_json(wordpiece_without_normalizer().to_string(), "tokenizer.json"));
  for (const std::string space : {" ", "\t", "\u000b", "\u0085", "\u00a0", "\u2003", "\u3000"})
    EXPECT_EQ(tokenizer.pieces("ink" + space + "ink").ids, (std::vector<int32_t>{5, 5})) << space;
  EXPECT_EQ(tokenizer.pieces("ink\u200bink").ids, (std::vector<int32_t>{1}));
}

// An added token is matched whole or not at all; it is no piece that a longer word begins with.
TEST(TokenizerJson, KeepsAddedTokensOutOfTheModel) {
  const Tokenizer tokenizer(
      parse_tokenizer_json(wordpiece_without_normalizer().to_string(), "tokenizer.json"));
  EXPECT_EQ(tokenizer.pieces("Xx").ids, (std::vector<int32_t>{7}));
  EXPECT_EQ(tokenizer.pieces("Xx5").ids, (std::vector<int32_t>{1}));
  const Json saved = tokenizer_json(tokenizer.parts());
  EXPECT_FALSE(saved.object("model").object("vocab").has("Xx"));
  EXPECT_EQ(saved.object("model").object("vocab").size(), 7);
}

TEST(TokenizerFolder, RefusesOtherTokenizersAndMissingFiles) {
  const testing::TemporaryFolder folder;
  EXPECT_ERROR(Tokenizer::load(folder / "none"), "there is no folder");
  EXPECT_ERROR(Tokenizer::load(folder.path()), "has none; expected tokenizer.json, vocab.txt");
  Vocabulary(kTokens).save(folder / "vocab.txt");
  write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_ERROR(Tokenizer::load(folder.path()), "got T5Tokenizer");
  write_file(folder / "tokenizer_config.json", R"({"do_lower_case": "yes"})");
  EXPECT_ERROR(Tokenizer::load(folder.path()), "do_lower_case");
}

}  // namespace
}  // namespace ink
