// Selection: the budget, whole words, and that special tokens are left alone.
#include "objectives/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

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
  return make_instance(s, nullptr, kTokens);
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
  EXPECT_THROW(selection_budget(10, {.fraction = 0}), Error);
}

TEST(Selection, SingleTokensFillTheBudgetExactly) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    const Instance instance = sequence_of_words(random_lengths(draws));
    const auto n = static_cast<int64_t>(instance.ids.size());
    const auto positions = select_positions(instance, {.whole_words = false}, draws);
    EXPECT_EQ(static_cast<int64_t>(positions.size()), selection_budget(n, {}));
  }
}

TEST(Selection, WholeWordsAreNeverSplitAndNeverExceedTheBudget) {
  int64_t selected = 0, budgets = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Draws draws{Random(seed)};
    const Instance instance = sequence_of_words(random_lengths(draws));
    const auto positions = select_positions(instance, {}, draws);
    const std::set<int32_t> chosen(positions.begin(), positions.end());
    ASSERT_EQ(chosen.size(), positions.size()) << "a position was selected twice";
    for (const TokenGroup& group : candidate_groups(instance, true)) {
      const auto inside =
          std::ranges::count_if(group, [&](int32_t p) { return chosen.contains(p); });
      ASSERT_TRUE(inside == 0 || inside == static_cast<ptrdiff_t>(group.size())) << "seed " << seed;
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
    for (const int32_t p : select_positions(instance, {}, draws)) ++count[static_cast<size_t>(p)];
  }
  const double p = 6.0 / 38, deviation = std::sqrt(kRuns * p * (1 - p));
  for (size_t i = 1; i + 1 < count.size(); ++i)
    EXPECT_NEAR(count[i], kRuns * p, 4 * deviation) << i;
}

TEST(Selection, AWordThatOverflowsIsSkippedAndAShorterOneStillFits) {
  const Instance instance = sequence_of_words({9, 1, 9, 1});  // 22 tokens: budget 3
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Draws draws{Random(seed)};
    auto positions = select_positions(instance, {}, draws);
    std::ranges::sort(positions);
    EXPECT_EQ(positions, (std::vector<int32_t>{10, 20}));
  }
}

TEST(Selection, NothingIsSelectedWhenNoWordFits) {
  Draws draws{Random(1)};
  EXPECT_TRUE(select_positions(sequence_of_words({2}), {}, draws).empty());  // 4 tokens: budget 1
}

TEST(Selection, NoWordReachesOverASpecialToken) {
  const TokenSentence a{{10, 11}, {0, 0}}, b{{12, 13, 14}, {1, 1, 0}};
  const Instance pair = make_instance(a, &b, kTokens);  // [CLS] 10 11 [SEP] ##12 ##13 14 [SEP]
  EXPECT_EQ(candidate_groups(pair, true), (std::vector<TokenGroup>{{1}, {2}, {4, 5}, {6}}));
  const Instance alone = make_instance(b, nullptr, kTokens);
  EXPECT_EQ(candidate_groups(alone, true), (std::vector<TokenGroup>{{1, 2}, {3}}));
  const TokenSentence inside{{10, kTokens.mask, 11}, {0, 1, 1}};
  EXPECT_EQ(candidate_groups(make_instance(inside, nullptr, kTokens), true),
            (std::vector<TokenGroup>{{1}, {3}}));
}

}  // namespace
}  // namespace ink
