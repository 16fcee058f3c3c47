// Selection: the budget, whole words, and that special tokens are left alone.
#include "objectives/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/expect_error.h"

namespace ink {
namespace {

constexpr ObjectiveTokens kTokens{.cls = 0, .sep = 1, .mask = 2, .vocabulary_size = 1000};

// [CLS] words [SEP], the words given by their lengths in tokens.
Instance sequence_of_words(const std::vector<size_t>& lengths) {
  TokenSentence s;
  for (const size_t length : lengths) {
    for (size_t i = 0; i < length; ++i) {
      s.ids.push_back(static_cast<int32_t>(10 + s.ids.size() % 900));
      s.continues.push_back(i > 0);
    }
  }
  return make_instance(Segment(s), nullptr, kTokens);
}

std::vector<int32_t> positions_of(const Instance& instance, const SelectionOptions& options,
                                  Draws& draws) {
  return select(instance, options, draws).positions();
}

std::vector<size_t> random_lengths(Draws& draws) {
  std::vector<size_t> lengths(1 + draws.below(60));
  for (size_t& each : lengths) each = 1 + draws.below(4);
  return lengths;
}

TEST(Selection, BudgetIsFifteenPercentWithHalvesToEven) {
  const SelectionOptions options;
  EXPECT_EQ(selection_budget(3, options), 1);   // never less than one
  EXPECT_EQ(selection_budget(10, options), 2);  // 1.5
  EXPECT_EQ(selection_budget(30, options), 4);  // 4.5
  EXPECT_EQ(selection_budget(50, options), 8);  // 7.5
  EXPECT_EQ(selection_budget(128, options), 19);
  EXPECT_EQ(selection_budget(512, {.max_predictions = 75}), 75);
  EXPECT_EQ(selection_budget(128, {.max_predictions = 20}), 19);
}

TEST(Selection, SingleTokensFillTheBudgetExactly) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    const Instance instance = sequence_of_words(random_lengths(draws));
    const auto n = static_cast<int64_t>(instance.ids.size());
    const auto positions = positions_of(instance, {.whole_words = false}, draws);
    EXPECT_EQ(static_cast<int64_t>(positions.size()), selection_budget(n, {}));
  }
}

TEST(Selection, WholeWordsAreNeverSplitAndNeverExceedTheBudget) {
  int64_t selected = 0, budgets = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Draws draws{Random(seed)};
    const Instance instance = sequence_of_words(random_lengths(draws));
    const auto positions = positions_of(instance, {}, draws);
    const std::set<int32_t> chosen(positions.begin(), positions.end());
    ASSERT_EQ(chosen.size(), positions.size()) << "a position was selected twice";
    for (const TokenWord& word : words_of(instance, true)) {
      const auto inside =
          std::ranges::count_if(chosen, [&](int32_t p) { return p >= word.begin && p < word.end; });
      ASSERT_TRUE(inside == 0 || inside == word.size()) << "seed " << seed;
    }
    for (const int32_t p : positions) ASSERT_FALSE(instance.special[static_cast<size_t>(p)]);
    const int64_t budget = selection_budget(static_cast<int64_t>(instance.ids.size()), {});
    ASSERT_LE(static_cast<int64_t>(positions.size()), budget);
    selected += static_cast<int64_t>(positions.size());
    budgets += budget;
  }
  EXPECT_GT(static_cast<double>(selected), 0.95 * static_cast<double>(budgets));
}

TEST(Selection, EveryPositionIsEquallyLikely) {
  const Instance instance = sequence_of_words(std::vector<size_t>(38, 1));  // 40 tokens: 6 of 38
  std::vector<double> count(instance.ids.size());
  constexpr int kRuns = 20000;
  for (uint64_t seed = 0; seed < kRuns; ++seed) {
    Draws draws{Random(seed)};
    for (const int32_t p : positions_of(instance, {}, draws)) ++count[static_cast<size_t>(p)];
  }
  const double p = 6.0 / 38, deviation = std::sqrt(kRuns * p * (1 - p));
  for (size_t i = 1; i + 1 < count.size(); ++i)
    EXPECT_NEAR(count[i], kRuns * p, 4 * deviation) << i;
}

TEST(Selection, AWordThatOverflowsIsSkippedAndAShorterOneStillFits) {
  const Instance instance = sequence_of_words({9, 1, 9, 1});  // 22 tokens: budget 3
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Draws draws{Random(seed)};
    EXPECT_EQ(positions_of(instance, {}, draws), (std::vector<int32_t>{10, 20}));
  }
}

TEST(Selection, NothingIsSelectedWhenNoWordFits) {
  Draws draws{Random(1)};
  EXPECT_TRUE(positions_of(sequence_of_words({2}), {}, draws).empty());  // 4 tokens: budget 1
}

std::vector<std::pair<int32_t, int32_t>> spans_of(const Instance& instance) {
  std::vector<std::pair<int32_t, int32_t>> spans;
  for (const TokenWord& word : words_of(instance, true)) spans.emplace_back(word.begin, word.end);
  return spans;
}
using Spans = std::vector<std::pair<int32_t, int32_t>>;

TEST(Selection, NoWordReachesOverASpecialToken) {
  const Segment a({{10, 11}, {0, 0}}), b({{12, 13, 14}, {1, 1, 0}});
  // [CLS] 10 11 [SEP] ##12 ##13 14 [SEP]
  EXPECT_EQ(spans_of(make_instance(a, &b, kTokens)), (Spans{{1, 2}, {2, 3}, {4, 6}, {6, 7}}));
  EXPECT_EQ(spans_of(make_instance(b, nullptr, kTokens)), (Spans{{1, 3}, {3, 4}}));
  const Segment inside({{10, kTokens.mask, 11}, {0, 1, 1}});
  EXPECT_EQ(spans_of(make_instance(inside, nullptr, kTokens)), (Spans{{1, 2}, {3, 4}}));
}

TEST(Selection, SentencesBeginWhereTheTextSaysAndBehindSpecialTokens) {
  Segment a({{10, 11, 12}, {0, 1, 0}}), b({{13, 14}, {1, 0}});
  a.append({{15, 16}, {1, 0}});  // a sentence never continues a word of the one before
  std::vector<int32_t> sentences;
  for (const TokenWord& word : words_of(make_instance(a, &b, kTokens), true))
    sentences.push_back(word.sentence);
  EXPECT_EQ(sentences, (std::vector<int32_t>{0, 0, 1, 1, 2, 2}));
}

// Sentences of `lengths` words of one token each.
Instance sequence_of_sentences(const std::vector<size_t>& lengths) {
  Segment text;
  for (const size_t n : lengths)
    text.append({std::vector<int32_t>(n, 10), std::vector<uint8_t>(n)});
  return make_instance(text, nullptr, kTokens);
}

TEST(Selection, NgramsHaveTheirSharesAndEndWithTheirSentence) {
  const Instance instance = sequence_of_sentences({60, 3, 60, 1, 60});
  const SelectionOptions options{.ngrams = kWordNgrams};
  std::vector<double> drawn(5);
  double all = 0;
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Draws draws{Random(seed)};
    const Selection s = select(instance, options, draws);
    std::set<int32_t> seen;
    for (size_t i = 0; i < s.words.size(); ++i) {
      ASSERT_TRUE(seen.insert(s.words[i].begin).second) << "selected twice";
      if (i == 0 || s.words[i].ngram != s.words[i - 1].ngram) continue;
      ASSERT_EQ(s.words[i].begin, s.words[i - 1].end);
      ASSERT_EQ(s.words[i].sentence, s.words[i - 1].sentence);
    }
    // The first n-gram meets no other and no budget; four words follow its first in its sentence.
    const int32_t first = s.words[0].begin;
    if (first > 57 && first < 64) continue;
    if (first > 120) continue;
    const auto n = std::ranges::count(s.words, 0, &TokenWord::ngram);
    ++drawn[static_cast<size_t>(n)];
    ++all;
  }
  ASSERT_GT(all, 5000);
  for (size_t n = 1; n <= 4; ++n) {
    const double p = kWordNgrams[n - 1];
    EXPECT_NEAR(drawn[n] / all, p, 4 * std::sqrt(p * (1 - p) / all)) << n;
  }
}

TEST(Selection, AnNgramIsShortenedUntilItFitsTheBudget) {
  // Only n-grams of 4 are drawn: 20 tokens leave room for 3, so 4 become 3.
  const Instance instance = sequence_of_sentences({18});
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    const Selection s = select(instance, {.ngrams = {0, 0, 0, 1}}, draws);
    ASSERT_EQ(s.tokens, 3);
    if (s.words[0].begin < 16) {
      ASSERT_EQ(s.words.back().ngram, 0) << "one n-gram of 3";
    }
  }
}

TEST(Selection, ImpossibleOptionsAreRefused) {
  EXPECT_ERROR(check_selection({.fraction = 0}), "expected a fraction in (0, 1], got 0");
  EXPECT_ERROR(check_selection({.ngrams = {}}), "with a sum of 1");
  EXPECT_ERROR(check_selection({.ngrams = {0.4, 0.3}}), "2 of them with a sum of 0.7");
  EXPECT_ERROR(check_selection({.ngrams = {1.5, -0.5}}), "of 0 or more, got -0.5");
}

}  // namespace
}  // namespace ink
