// MLM as correction: the paper's examples, the shares, and what a replacement may be.
#include "objectives/mac.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/expect_error.h"
#include "tests/objectives/worked_example.h"

namespace ink {
namespace {

using Ids = std::vector<int32_t>;

std::shared_ptr<SimilarWords> similar_of(Names& names,
                                         const std::vector<std::vector<std::string>>& from,
                                         const std::vector<std::vector<std::string>>& to) {
  auto similar = std::make_shared<SimilarWords>();
  for (size_t i = 0; i < from.size(); ++i) similar->add(names.ids(from[i]), names.ids(to[i]));
  return similar;
}

// 使用语言模型来预测下一个词的概率。 → 使用语法建模来预见下一个词的几率。 (Cui et al. 2021, table I)
TEST(Mac, ReplacesWordsBySimilarOnesAsInThePaper) {
  Names names;
  const Instance instance = names.instance({{"使", "用"},
                                            {"语", "言"},
                                            {"模", "型"},
                                            {"来"},
                                            {"预", "测"},
                                            {"下"},
                                            {"一", "个"},
                                            {"词"},
                                            {"的"},
                                            {"概", "率"},
                                            {"。"}});
  const Corruption corrupt = similar_word_model(
      {.select = {.ngrams = kWordNgrams, .fraction = 8.0 / 19},
       .similar_share = 1,
       .keep_share = 0,
       .fallback_share = 0,
       .similar = similar_of(names, {{"语", "言"}, {"模", "型"}, {"预", "测"}, {"概", "率"}},
                             {{"语", "法"}, {"建", "模"}, {"预", "见"}, {"几", "率"}}),
       .tokens = Names::kTokens});
  const Ids expected = names.ids({"[CLS]", "使", "用", "语", "法", "建", "模", "来", "预", "见",
                                  "下", "一", "个", "词", "的", "几", "率", "。", "[SEP]"});
  const auto c = find_result(corrupt, instance, expected, 20000);
  ASSERT_TRUE(c.has_value()) << "no seed gave the example";
  EXPECT_EQ(c->positions, (Ids{3, 4, 5, 6, 8, 9, 15, 16}));
  EXPECT_EQ(c->labels, names.ids({"语", "言", "模", "型", "预", "测", "概", "率"}));
}

// the pieces "pre ##di ##ct" become "ca ##lc ##ulate", and "probability" becomes "possibility"
TEST(Mac, ReplacesEnglishWordsPieceByPieceAsInThePaper) {
  Names names;
  const Instance instance = names.instance({{"we"},
                                            {"use"},
                                            {"a"},
                                            {"language"},
                                            {"model"},
                                            {"to"},
                                            {"pre", "##di", "##ct"},
                                            {"the"},
                                            {"pro", "##bability"},
                                            {"of"},
                                            {"the"},
                                            {"next"},
                                            {"word"},
                                            {"."}});
  const Corruption corrupt = similar_word_model(
      {.select = {.fraction = 5.0 / 19},
       .similar_share = 1,
       .keep_share = 0,
       .fallback_share = 0,
       .similar = similar_of(names, {{"pre", "##di", "##ct"}, {"pro", "##bability"}},
                             {{"ca", "##lc", "##ulate"}, {"po", "##ssibility"}}),
       .tokens = Names::kTokens});
  const Ids expected =
      names.ids({"[CLS]", "we", "use", "a", "language", "model", "to", "ca", "##lc", "##ulate",
                 "the", "po", "##ssibility", "of", "the", "next", "word", ".", "[SEP]"});
  const auto c = find_result(corrupt, instance, expected, 2000);
  ASSERT_TRUE(c.has_value()) << "no seed gave the example";
  EXPECT_EQ(c->positions, (Ids{7, 8, 9, 11, 12}));
  EXPECT_EQ(c->labels, names.ids({"pre", "##di", "##ct", "pro", "##bability"}));
}

// 126 words of one token; word i has the neighbours 1000 + i and 2000 + i.
Instance line_of_words() {
  TokenSentence s;
  for (int32_t i = 0; i < 126; ++i) s.ids.push_back(10 + i);
  s.continues.assign(126, 0);
  return make_instance(Segment(s), nullptr, Names::kTokens);
}

std::shared_ptr<SimilarWords> neighbours_of(int32_t first, int32_t end) {
  auto similar = std::make_shared<SimilarWords>();
  for (int32_t i = first; i < end; ++i) {
    for (const int32_t shift : {1000, 2000}) {
      similar->add(Ids{10 + i}, Ids{10 + i + shift});
    }
  }
  return similar;
}

struct Counts {
  double best = 0, second = 0, kept = 0, random = 0, all = 0;
};

Counts count(const MacOptions& options, uint64_t runs) {
  const Instance instance = line_of_words();
  const Corruption corrupt = similar_word_model(options);
  Counts counts;
  for (uint64_t seed = 0; seed < runs; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = corrupt(instance, draws);
    for (size_t i = 0; i < c.positions.size(); ++i) {
      const int32_t now = c.inputs[static_cast<size_t>(c.positions[i])], before = c.labels[i];
      EXPECT_NE(now, Names::kTokens.mask) << "or a random token, once in 20000";
      counts.best += now == before + 1000;
      counts.second += now == before + 2000;
      counts.kept += now == before;
      ++counts.all;
    }
  }
  counts.random = counts.all - counts.best - counts.second - counts.kept;
  return counts;
}

void expect_share(double count, double all, double p) {
  EXPECT_NEAR(count / all, p, 4 * std::sqrt(p * (1 - p) / all) + 1e-12);
}

TEST(Mac, EightyTenTenWithinFourDeviations) {
  MacOptions options{.similar = neighbours_of(0, 126), .tokens = Names::kTokens};
  options.tokens.vocabulary_size = 1 << 30;  // a random id is none of these
  Counts c = count(options, 2000);
  expect_share(c.best, c.all, 0.8);
  expect_share(c.second, c.all, 0);
  expect_share(c.kept, c.all, 0.1);
  expect_share(c.random, c.all, 0.1);
  options.nearest = 2;
  c = count(options, 2000);
  expect_share(c.best, c.all, 0.4);
  expect_share(c.second, c.all, 0.4);
}

TEST(Mac, WordsWithoutASimilarOneAreRandomUpToATenthOfTheSelected) {
  MacOptions options{.similar_share = 1,
                     .keep_share = 0,
                     .similar = neighbours_of(0, 1),
                     .tokens = Names::kTokens};
  options.tokens.vocabulary_size = 1 << 30;
  const Instance instance = line_of_words();
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = similar_word_model(options)(instance, draws);
    ASSERT_EQ(c.positions.size(), 19u);
    int64_t changed = 0;
    for (size_t i = 0; i < c.positions.size(); ++i)
      changed += c.labels[i] != 10 && c.inputs[static_cast<size_t>(c.positions[i])] != c.labels[i];
    ASSERT_EQ(changed, 2) << "a tenth of 19, rounded";
  }
}

TEST(SimilarWords, KeepsOtherWordsOfAsManyTokensOnce) {
  SimilarWords similar;
  const Ids word{5, 6};
  EXPECT_TRUE(similar.empty());
  similar.add(word, Ids{7});
  similar.add(word, Ids{5, 6});
  EXPECT_TRUE(similar.empty());
  similar.add(word, Ids{8, 9});
  similar.add(word, Ids{6, 5});
  similar.add(word, Ids{8, 9});
  const auto found = similar.of(word);
  EXPECT_EQ(Ids(found.begin(), found.end()), (Ids{8, 9, 6, 5}));
  EXPECT_TRUE(similar.of(Ids{5}).empty());
  EXPECT_EQ(similar.words(), 1);
  EXPECT_THROW(similar.add(Ids{}, Ids{}), Error);
}

TEST(SimilarWords, TheDigestIsOfTheContentAlone) {
  SimilarWords one, other;
  one.add(Ids{1}, Ids{2});
  one.add(Ids{3}, Ids{4});
  other.add(Ids{3}, Ids{4});
  EXPECT_NE(one.digest(), other.digest());
  other.add(Ids{1}, Ids{2});
  EXPECT_EQ(one.digest(), other.digest());
}

TEST(Mac, ImpossibleOptionsAreRefused) {
  const auto similar = neighbours_of(0, 1);
  EXPECT_ERROR(similar_word_model({}), "expected similar words, got none");
  EXPECT_ERROR(similar_word_model({.similar_share = 0.9, .keep_share = 0.2, .similar = similar}),
               "got 0.9 and 0.2");
  EXPECT_ERROR(similar_word_model({.nearest = 0, .similar = similar}), "one similar word or more");
}

}  // namespace
}  // namespace ink
