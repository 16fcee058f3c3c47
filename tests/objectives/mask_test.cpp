// Masking: the whole-word paper's example, the 80/10/10 shares, and what stays untouched.
#include "objectives/mask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace ink {
namespace {

constexpr ObjectiveTokens kTokens{.cls = 0, .sep = 1, .mask = 2, .vocabulary_size = 20000};

Instance line_of(size_t n, int32_t id) {
  return make_instance(Segment({std::vector<int32_t>(n, id), std::vector<uint8_t>(n, 0)}), nullptr,
                       kTokens);
}

// 使用语言模型来预测下一个词的概率。 with the words 使用|语言|模型|来|预测|下|一个|词|的|概率|。
// becomes 使用语言[M][M]来[M][M]下一个词的概率。 (Cui et al. 2021, table I)
TEST(Mask, MasksWholeWordsAsInThePaper) {
  TokenSentence s;
  for (const size_t length : {2, 2, 2, 1, 2, 1, 2, 1, 1, 2, 1}) {
    for (size_t i = 0; i < length; ++i) {
      s.ids.push_back(static_cast<int32_t>(100 + s.ids.size()));
      s.continues.push_back(i > 0);
    }
  }
  const Instance instance = make_instance(Segment(s), nullptr, kTokens);
  const Corruption corrupt = masked_language_model({.select = {.fraction = 0.2},  // 4 of 19 tokens
                                                    .mask_share = 1,
                                                    .keep_share = 0,
                                                    .tokens = kTokens});
  Instance expected = instance;
  for (const size_t p : {5u, 6u, 8u, 9u}) expected.ids[p] = kTokens.mask;

  bool found = false;
  for (uint64_t seed = 0; seed < 2000 && !found; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = corrupt(instance, draws);
    found = c.inputs == expected.ids;
    if (found) {
      EXPECT_EQ(c.positions, (std::vector<int32_t>{5, 6, 8, 9}));
      EXPECT_EQ(c.labels, (std::vector<int32_t>{104, 105, 107, 108}));
    }
  }
  EXPECT_TRUE(found)
      << "no seed gave the example, yet it is one of a few dozen equally likely ones";
}

TEST(Mask, EightyTenTenWithinFourDeviations) {
  const Instance instance = line_of(126, 7);
  const Corruption corrupt =
      masked_language_model({.select = {.whole_words = false}, .tokens = kTokens});
  double masked = 0, kept = 0, replaced = 0, sum_of_ids = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = corrupt(instance, draws);
    ASSERT_EQ(c.positions.size(), 19u);  // 15 % of 128
    for (const int32_t p : c.positions) {
      const int32_t id = c.inputs[static_cast<size_t>(p)];
      masked += id == kTokens.mask;
      kept += id == 7;
      if (id == kTokens.mask || id == 7) continue;
      ++replaced;
      sum_of_ids += id;
    }
  }
  const double n = masked + kept + replaced;
  const auto expect_share = [&](double count, double p) {
    EXPECT_NEAR(count / n, p, 4 * std::sqrt(p * (1 - p) / n));
  };
  expect_share(masked, 0.8);
  expect_share(kept, 0.1);
  expect_share(replaced, 0.1);
  const double v = kTokens.vocabulary_size;  // uniform on [0, v): mean v/2, deviation v/√12
  EXPECT_NEAR(sum_of_ids / replaced, v / 2, 4 * v / std::sqrt(12 * replaced));
}

TEST(Mask, LeavesEverythingElseAsItWas) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Draws draws{Random(seed)};
    TokenSentence a, b;
    for (TokenSentence* s : {&a, &b}) {
      for (uint64_t i = draws.below(40) + 1; i > 0; --i) {
        s->ids.push_back(static_cast<int32_t>(3 + draws.below(1000)));
        s->continues.push_back(draws.below(3) == 0);
      }
    }
    const Segment second(b);
    const Instance instance = make_instance(Segment(a), &second, kTokens);
    const Corrupted c = masked_language_model({.tokens = kTokens})(instance, draws);
    ASSERT_EQ(c.inputs.size(), instance.ids.size());
    ASSERT_EQ(c.labels.size(), c.positions.size());
    size_t next = 0;
    for (size_t i = 0; i < instance.ids.size(); ++i) {
      if (next < c.positions.size() && c.positions[next] == static_cast<int32_t>(i)) {
        ASSERT_FALSE(instance.special[i]);
        ASSERT_EQ(c.labels[next++], instance.ids[i]);
      } else {
        ASSERT_EQ(c.inputs[i], instance.ids[i]);
      }
    }
    ASSERT_EQ(next, c.positions.size()) << "positions are not ascending";
  }
}

TEST(Mask, SpecialTokensWrittenInTheTextAreLeftAlone) {
  const Instance instance = make_instance(Segment({{2, 1, 0, 9}, {0, 0, 0, 0}}), nullptr, kTokens);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = masked_language_model({.tokens = kTokens})(instance, draws);
    EXPECT_EQ(c.positions, std::vector<int32_t>{4});
  }
}

TEST(Mask, TheSameDrawsGiveTheSameResultAndOthersAnother) {
  const Instance instance = line_of(200, 7);
  const Corruption corrupt = masked_language_model({.tokens = kTokens});
  const auto positions = [&](uint64_t seed) {
    Draws draws{Random(seed)};
    return corrupt(instance, draws).positions;
  };
  EXPECT_EQ(positions(3), positions(3));
  EXPECT_NE(positions(3), positions(4));
}

TEST(Mask, ImpossibleSharesAreRefused) {
  EXPECT_THROW(masked_language_model({.mask_share = 0.9, .keep_share = 0.2}), Error);
  EXPECT_THROW(masked_language_model({.mask_share = -0.1}), Error);
}

}  // namespace
}  // namespace ink
