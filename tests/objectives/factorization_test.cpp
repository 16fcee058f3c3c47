// XLNet's order: who sees whom, how many targets there are, and how long their n-grams.
#include "objectives/factorization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/expect_error.h"
#include "tests/objectives/worked_example.h"

namespace ink {
namespace {

constexpr ObjectiveTokens kTokens{
    .cls = 0, .sep = 1, .mask = 2, .vocabulary_size = 1000, .cls_last = true};

Instance line_of(size_t n) {
  return make_instance(Segment({std::vector<int32_t>(n, 10), std::vector<uint8_t>(n)}), nullptr,
                       kTokens);
}

// x1 x2 x3 x4 <sep> <cls>, targets x2 and x4, in the order <cls> x4 x2 <sep>.
TEST(Factorization, WhoSeesWhom) {
  const FactorizationOrder order{{-1, 2, -1, 1, 3, 0}, {0, 1, 0, 1, 0, 0}};
  const std::vector<std::string> expected{
      "x.x...",  // context sees context alone
      "x.xx.x",  // x2 sees the context and what comes before it, not itself
      "x.x...",  //
      "x.x..x",  // x4
      "xxxxxx",  // <sep>, the last of all, sees itself too
      "x.x..x",  // <cls>
  };
  for (size_t i = 0; i < 6; ++i)
    for (size_t j = 0; j < 6; ++j)
      EXPECT_EQ(order.sees(i, j), expected[i][j] == 'x') << i << ' ' << j;
}

// Its softmax would be over nothing, and come out as one over all tokens, its own among them.
TEST(Factorization, ATargetThatSeesNothingIsNotPredicted) {
  int64_t dropped = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = permutation_model({.fraction = 1})(line_of(1), draws);
    FactorizationOrder order{c.ranks, std::vector<uint8_t>(c.ranks.size())};
    for (const int32_t i : c.positions) order.is_target[static_cast<size_t>(i)] = 1;
    for (const int32_t i : c.positions) {
      bool any = false;
      for (size_t j = 0; j < c.ranks.size(); ++j) any |= order.sees(static_cast<size_t>(i), j);
      EXPECT_TRUE(any) << seed;
    }
    dropped += c.positions.empty();
  }
  EXPECT_GT(dropped, 15);  // a third: the first of three
  EXPECT_LT(dropped, 50);
}

TEST(Factorization, ASixthAreTargetsAndOnlyTheyAndSpecialTokensHaveARank) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    const Instance instance = line_of(20 + draws.below(200));
    const Corrupted c = permutation_model({})(instance, draws);
    const auto n = static_cast<double>(instance.ids.size());
    ASSERT_EQ(static_cast<double>(c.positions.size()), std::nearbyint(n / 6));
    ASSERT_EQ(c.inputs, instance.ids);
    const std::set<int32_t> targets(c.positions.begin(), c.positions.end());
    std::set<int32_t> ranks;
    for (size_t i = 0; i < instance.ids.size(); ++i) {
      const bool ranked = targets.contains(static_cast<int32_t>(i)) || instance.special[i];
      ASSERT_EQ(c.ranks[i] >= 0, ranked);
      ASSERT_LT(c.ranks[i], static_cast<int32_t>(instance.ids.size()));
      if (ranked) {
        ASSERT_TRUE(ranks.insert(c.ranks[i]).second) << "two tokens of one rank";
      }
    }
  }
  Draws draws{Random(1)};
  EXPECT_EQ(permutation_model({.max_predictions = 5})(line_of(400), draws).positions.size(), 5u);
}

TEST(Factorization, NgramsAreOneToFiveWordsInProportionToTheirInverse) {
  // 20 targets of 402 tokens are found long before the end, so no single token fills up; and a
  // token at least lies between two n-grams.
  std::vector<double> seen(6);
  double all = 0;
  const Instance instance = line_of(400);
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = permutation_model({.fraction = 0.05})(instance, draws);
    size_t n = 1;
    while (n < c.positions.size() && c.positions[n] == c.positions[n - 1] + 1) ++n;
    ASSERT_LE(n, 5u);
    ++seen[n];
    ++all;
  }
  const double sum = 1 + 1.0 / 2 + 1.0 / 3 + 1.0 / 4 + 1.0 / 5;
  for (size_t n = 1; n <= 5; ++n) {
    const double p = 1 / static_cast<double>(n) / sum;
    EXPECT_NEAR(seen[n] / all, p, 4 * std::sqrt(p * (1 - p) / all)) << n;
  }
}

TEST(Factorization, NgramsAreWholeWordsOfOneSentence) {
  Names names;
  Segment text;
  for (int s = 0; s < 8; ++s)
    text.append(names.sentence({{"a", "##b"}, {"c", "##d"}, {"e", "##f"}, {"g", "##h"}}));
  const Instance instance = make_instance(text, nullptr, kTokens);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    // an even goal that the pass reaches: no single tokens
    const Corrupted c = permutation_model({.fraction = 4.0 / 66, .context = 0})(instance, draws);
    for (size_t i = 0; i < c.positions.size(); i += 2) {
      ASSERT_FALSE(instance.continues[static_cast<size_t>(c.positions[i])]);
      ASSERT_EQ(c.positions[i] + 1, c.positions[i + 1]);
    }
  }
}

TEST(Factorization, ImpossibleOptionsAreRefused) {
  EXPECT_ERROR(permutation_model({.fraction = 0}), "expected a fraction");
  EXPECT_ERROR(permutation_model({.longest_ngram = 0}), "one word or more");
}

}  // namespace
}  // namespace ink
