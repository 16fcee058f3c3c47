// Which tokens stay: the rules, their configuration, counts of texts and of files.
#include "compress/kept_tokens.h"

#include <algorithm>

#include "tensor/file.h"
#include "tests/compress/helpers.h"
#include "tests/temporary_folder.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

Tokenizer wordpiece() {
  return Tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "砚", "台", "##台",
                               "ink", "##stone", "i", "##n"}));
}

TokenCounts counts_of(const Tokenizer& tokenizer, const std::string& text) {
  const testing::TemporaryFolder folder;
  write_file(folder / "text.txt", text);
  return count_tokens(tokenizer, Corpus::open({folder / "text.txt"}));
}

// The ids that stay.
std::vector<int32_t> chosen(const Tokenizer& tokenizer, const TokenCounts& counts,
                            const VocabularyPruningConfig& config,
                            const std::vector<int32_t>& listed = {}) {
  return KeptTokens(choose_tokens(tokenizer.parts(), indispensable_tokens(tokenizer.parts()),
                                  config, listed, counts))
      .ids();
}

using Ids = std::vector<int32_t>;

TEST(KeptTokens, CountsAreThoseOfTheLines) {
  const Tokenizer tokenizer = wordpiece();
  const TokenCounts counts = counts_of(tokenizer, "砚 台\n\n砚 inkstone\nx\n");
  EXPECT_EQ(counts.of, (std::vector<int64_t>{0, 1, 0, 0, 0, 2, 1, 0, 1, 1, 0, 0}));
  EXPECT_EQ(counts.lines, 3);
  EXPECT_EQ(counts.total(), 6);
  EXPECT_EQ(counts.distinct(), 5);
}

TEST(KeptTokens, Rules) {
  const Tokenizer tokenizer = wordpiece();
  // 砚 3, ink 2, ##stone 2, 台 1
  const TokenCounts counts = counts_of(tokenizer, "砚 砚 砚 台\ninkstone inkstone\n");
  EXPECT_EQ(chosen(tokenizer, counts, {}), (Ids{0, 1, 2, 3, 4, 5, 6, 8, 9}));
  EXPECT_EQ(chosen(tokenizer, counts, {.min_count = 2}), (Ids{0, 1, 2, 3, 4, 5, 8, 9}));
  EXPECT_EQ(chosen(tokenizer, counts, {.min_count = 3}), (Ids{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(chosen(tokenizer, counts, {.target_size = 7}), (Ids{0, 1, 2, 3, 4, 5, 8}));
  EXPECT_EQ(chosen(tokenizer, counts, {.target_size = 10}), (Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(chosen(tokenizer, counts, {.target_size = 5}), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(chosen(tokenizer, counts, {.coverage = 3.0 / 8}), (Ids{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(chosen(tokenizer, counts, {.coverage = 0.5}), (Ids{0, 1, 2, 3, 4, 5, 8}));
  EXPECT_EQ(chosen(tokenizer, counts, {.coverage = 1}), chosen(tokenizer, counts, {}));
}

TEST(KeptTokens, WhatWasAskedForStays) {
  const Tokenizer tokenizer = wordpiece();
  const TokenCounts counts = counts_of(tokenizer, "砚\n");
  EXPECT_EQ(
      chosen(tokenizer, counts, {.additional_tokens = {"##n"}, .additional_token_ids = {6}}, {8}),
      (Ids{0, 1, 2, 3, 4, 5, 6, 8, 11}));
  // It counts: 5 special ones and 3 asked for leave no room for the text.
  EXPECT_EQ(chosen(tokenizer, counts, {.target_size = 8, .additional_token_ids = {6, 7, 8}}),
            (Ids{0, 1, 2, 3, 4, 6, 7, 8}));
  const TokenCounts none{std::vector<int64_t>(12)};
  EXPECT_EQ(chosen(tokenizer, none, {}, {8}), (Ids{0, 1, 2, 3, 4, 8}));
  EXPECT_ERROR(chosen(tokenizer, none, {}), "expected texts or counts that hold some token");
}

TEST(KeptTokens, CharactersThatSpell) {
  const Tokenizer tokenizer = wordpiece();
  const TokenCounts counts = counts_of(tokenizer, "inkstone inkstone 台 台 砚\n");
  EXPECT_EQ(chosen(tokenizer, counts, {.min_count = 2, .characters = KeptCharacters::seen}),
            (Ids{0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11}));  // ##台 is nowhere
  EXPECT_EQ(chosen(tokenizer, counts_of(tokenizer, "砚\n"), {.characters = KeptCharacters::seen}),
            (Ids{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(chosen(tokenizer, counts_of(tokenizer, "砚\n"), {.characters = KeptCharacters::all}),
            (Ids{0, 1, 2, 3, 4, 5, 6, 7, 10, 11}));
}

TEST(KeptTokens, CharactersOfUnigramStandAloneOrBeginAWord) {
  const Tokenizer tokenizer(
      parse_tokenizer_json(testing::tiny_unigram().to_string(), "tokenizer.json"));
  const TokenCounts counts = counts_of(tokenizer, "ink 砚台\n");  // ▁ink ▁ 砚台
  const VocabularyPruningConfig config{.min_count = 5, .characters = KeptCharacters::seen};
  std::vector<std::string> names;
  for (const int32_t id : chosen(tokenizer, counts, config))
    names.emplace_back(tokenizer.vocabulary().token(id));
  EXPECT_EQ(names, (std::vector<std::string>{"<unk>", "<cls>", "<sep>", "<pad>", "<mask>", "▁",
                                             "砚", "台", "s", "k", "磨墨"}));
}

// " the" costs four tokens, itself and what it is merged from.
TEST(KeptTokens, MergedTokensComeWithTheirParts) {
  const Tokenizer tokenizer(
      parse_tokenizer_json(testing::tiny_bpe().to_string(), "tokenizer.json"));
  const auto id = [&](const char* token) { return *tokenizer.vocabulary().find(token); };
  const TokenCounts counts = counts_of(tokenizer, "a the the the in in\n");
  const auto has = [](const Ids& ids, int32_t one) {
    return std::ranges::find(ids, one) != ids.end();
  };
  const Ids all = chosen(tokenizer, counts, {.min_count = 3});
  EXPECT_EQ(all.size(), 261U + 3);
  for (const char* token : {"th", "Ġth", "Ġthe"}) EXPECT_TRUE(has(all, id(token))) << token;
  const Ids small = chosen(tokenizer, counts, {.target_size = 263});
  EXPECT_EQ(small.size(), 263U);
  EXPECT_FALSE(has(small, id("Ġthe"))) << "it does not fit with its parts";
  EXPECT_EQ(chosen(tokenizer, counts, {.additional_tokens = {"Ġthe"}}).size(), 261U + 4);
}

// ── files ───────────────────────────────────────────────────────────────────────────────────────

TokenFile token_file(const std::string& text) {
  const testing::TemporaryFolder folder;
  write_file(folder / "tokens.txt", text);
  return read_token_file(folder / "tokens.txt", wordpiece().vocabulary());
}

TEST(TokenFile, TokensIdsAndCounts) {
  EXPECT_EQ(token_file("砚\r\n##stone\n").listed, (Ids{5, 9}));
  EXPECT_EQ(token_file("5\n9").listed, (Ids{5, 9}));
  const TokenFile counted = token_file("砚\t7\nink\t2\n砚\t1\n");
  EXPECT_TRUE(counted.listed.empty());
  EXPECT_EQ(counted.counts.of[5], 8);
  EXPECT_EQ(counted.counts.of[8], 2);
  EXPECT_EQ(token_file("5\t7\n").counts.of[5], 7);
}

TEST(TokenFile, ErrorsNameTheLine) {
  EXPECT_ERROR(token_file(""), "tokens.txt: expected tokens, ids or counts");
  EXPECT_ERROR(token_file("5\n12\n"), "tokens.txt:2: expected an id from 0 to 11, got 12");
  EXPECT_ERROR(token_file("5\n-1\n"), "got -1");
  EXPECT_ERROR(token_file("砚\n##stome\n"), "tokens.txt:2: '##stome' is no token of this");
  EXPECT_ERROR(token_file("砚\t7\n台\n"), "tokens.txt:1: expected a count behind a tab on every");
  EXPECT_ERROR(token_file("砚\t-7\n"), "expected a count of 0 or more, got -7");
}

// ── configuration ───────────────────────────────────────────────────────────────────────────────

VocabularyPruningConfig config_from(const char* text) {
  return VocabularyPruningConfig::from_json(parse_json(text, "vc.json"));
}

TEST(VocabularyConfig, ReadsTextPrunersFile) {
  const VocabularyPruningConfig config = config_from(
      R"({"config_class": "VocabularyPruningConfig", "min_count": 1, "prune_lm_head": "auto"})");
  EXPECT_EQ(config.min_count, 1);
  EXPECT_EQ(config.prune_lm_head, LmHeadPruning::automatic);
  EXPECT_EQ(config_from(R"({"prune_lm_head": true})").prune_lm_head, LmHeadPruning::required);
  EXPECT_EQ(config_from(R"({"prune_lm_head": false})").prune_lm_head, LmHeadPruning::refused);
}

TEST(VocabularyConfig, IsReadAsWritten) {
  const VocabularyPruningConfig config{.prune_lm_head = LmHeadPruning::required,
                                       .target_size = 500,
                                       .characters = KeptCharacters::seen,
                                       .additional_tokens = {"砚"},
                                       .additional_token_ids = {7}};
  const Json json = config.to_json();
  EXPECT_EQ(VocabularyPruningConfig::from_json(json).to_json(), json);
  EXPECT_EQ(json.string("characters"), "seen");
}

TEST(VocabularyConfig, Errors) {
  EXPECT_ERROR(config_from(R"({"min_cout": 1})"), "did you mean 'min_count'?");
  EXPECT_ERROR(config_from(R"({"config_class": "TransformerPruningConfig"})"), "config_class");
  EXPECT_ERROR(config_from(R"({"min_count": 0})"), "min_count");
  EXPECT_ERROR(config_from(R"({"prune_lm_head": "yes"})"), "expected \"auto\", true or false");
  EXPECT_ERROR(config_from(R"({"coverage": 1.5})"), "above 0 and at most 1, got 1.5");
  EXPECT_ERROR(config_from(R"({"coverage": 0})"), "above 0");
  EXPECT_ERROR(config_from(R"({"characters": "some"})"), "characters");
  EXPECT_ERROR(config_from(R"({"target_size": 5, "coverage": 0.5})"), "expected one rule");
  EXPECT_ERROR(config_from(R"({"additional_tokens": [5]})"), "additional_tokens");
}

}  // namespace
}  // namespace ink
