// PerLM: the paper's example, which way labels point, and the cells that tokens stay in.
#include "objectives/permute.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/expect_error.h"
#include "tests/objectives/worked_example.h"

namespace ink {
namespace {

using Ids = std::vector<int32_t>;

// 研究表明这一句话的顺序并不影响阅读。 with 表明 and 影响 selected becomes 研究明表 … 响影 …: places
// 3 and 4 point at each other, and so do 14 and 15 (Cui et al. 2022, table 1, which counts from 0
// without [CLS]).
TEST(Perlm, MovesTokensAndPointsAtThemAsInThePaper) {
  Names names;
  const Instance instance = names.instance({{"研", "究"},
                                            {"表", "明"},
                                            {"这"},
                                            {"一"},
                                            {"句"},
                                            {"话"},
                                            {"的"},
                                            {"顺", "序"},
                                            {"并", "不"},
                                            {"影", "响"},
                                            {"阅", "读"},
                                            {"。"}});
  const Ids expected =
      names.ids({"[CLS]", "研", "究", "明", "表", "这", "一", "句", "话", "的",
                 "顺",    "序", "并", "不", "响", "影", "阅", "读", "。", "[SEP]"});
  for (const PertLabel label : {PertLabel::inverse, PertLabel::forward}) {  // swaps do not differ
    const Corruption corrupt =
        permuted_language_model({.select = {.fraction = 0.2}, .shuffle_share = 1, .label = label});
    const auto c = find_result(corrupt, instance, expected, 20000);
    ASSERT_TRUE(c.has_value()) << "no seed gave the example";
    EXPECT_EQ(c->positions, (Ids{3, 4, 14, 15}));
    EXPECT_EQ(c->places, (Ids{4, 3, 15, 14}));
    EXPECT_EQ(c->labels, names.ids({"表", "明", "影", "响"}));
  }
}

TEST(Perlm, MovesEnglishPiecesToo) {
  Names names;
  const Instance instance = names.instance({{"word", "##s"}, {"in"}, {"or", "##der"}});
  const Ids expected = names.ids({"[CLS]", "##s", "word", "in", "or", "##der", "[SEP]"});
  const auto c =
      find_result(permuted_language_model({.select = {.fraction = 0.3}, .shuffle_share = 1}),
                  instance, expected, 200);
  ASSERT_TRUE(c.has_value());
  EXPECT_EQ(c->positions, (Ids{1, 2}));
  EXPECT_EQ(c->places, (Ids{2, 1}));
}

// Two texts of 3 sentences of words of 1 to 3 tokens, every token unique.
Instance random_pair(Draws& draws) {
  int32_t next = 10;
  const auto text = [&] {
    Segment segment;
    for (int s = 0; s < 3; ++s) {
      TokenSentence sentence;
      for (uint64_t words = 5 + draws.below(15); words > 0; --words) {
        for (uint64_t n = 1 + draws.below(3), i = 0; i < n; ++i) {
          sentence.ids.push_back(next++);
          sentence.continues.push_back(i > 0);
        }
      }
      segment.append(sentence);
    }
    return segment;
  };
  const Segment a = text(), b = text();
  return make_instance(a, &b, Names::kTokens);
}

size_t place_of(const Ids& ids, int32_t id) {
  return static_cast<size_t>(std::ranges::find(ids, id) - ids.begin());
}

TEST(Perlm, LabelsInvertThePermutationOrRepeatIt) {
  int64_t long_cycles = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Draws draws{Random(seed)};
    const Instance instance = random_pair(draws);
    const Draws start = draws;
    for (const PertLabel label : {PertLabel::inverse, PertLabel::forward}) {
      draws = start;  // the same shuffle
      const Corrupted c = permuted_language_model({.label = label})(instance, draws);
      ASSERT_EQ(std::multiset<int32_t>(c.inputs.begin(), c.inputs.end()),
                std::multiset<int32_t>(instance.ids.begin(), instance.ids.end()));
      ASSERT_EQ(c.places.size(), c.positions.size());
      size_t next = 0;
      for (size_t i = 0; i < instance.ids.size(); ++i) {
        if (next == c.positions.size() || c.positions[next] != static_cast<int32_t>(i)) {
          ASSERT_EQ(c.inputs[i], instance.ids[i]) << "not selected, yet it moved";
          continue;
        }
        ASSERT_FALSE(instance.special[i]);
        ASSERT_EQ(c.labels[next], instance.ids[i]);
        const auto place = static_cast<size_t>(c.places[next++]);
        const size_t now = place_of(c.inputs, instance.ids[i]);
        const size_t before = place_of(instance.ids, c.inputs[i]);
        ASSERT_EQ(place, label == PertLabel::inverse ? now : before);
        long_cycles += now != before;
      }
      ASSERT_EQ(next, c.positions.size()) << "positions are not ascending";
    }
  }
  EXPECT_GT(long_cycles, 1000) << "the two labels were never told apart";
}

TEST(Perlm, NinetyPercentOfTheSelectedTokensMayMove) {
  TokenSentence line;
  for (int32_t i = 0; i < 998; ++i) line.ids.push_back(10 + i);
  line.continues.assign(998, 0);
  const Instance instance = make_instance(Segment(line), nullptr, Names::kTokens);
  double still = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    const Corrupted c = permuted_language_model({})(instance, draws);
    ASSERT_EQ(c.positions.size(), 150u);
    for (size_t i = 0; i < c.positions.size(); ++i) still += c.places[i] == c.positions[i];
  }
  // 15 that are kept and one of 135 that the shuffle leaves, which varies by 1
  EXPECT_NEAR(still / 200, 16, 4 / std::sqrt(200.0));
}

TEST(Perlm, TokensStayInTheirCell) {
  std::map<Granularity, int64_t> moved;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    for (const Granularity granularity :
         {Granularity::no_limit, Granularity::word, Granularity::ngram, Granularity::sentence}) {
      Draws draws{Random(seed)};
      const Instance instance = random_pair(draws);
      Draws again = draws;
      const PermuteOptions options{.select = {.ngrams = kWordNgrams, .fraction = 0.4},
                                   .granularity = granularity};
      const Corrupted c = permuted_language_model(options)(instance, draws);
      std::map<int32_t, int32_t> cell;  // of each position
      for (const TokenWord& word : select(instance, options.select, again).words) {
        for (int32_t i = word.begin; i < word.end; ++i) {
          cell[i] = granularity == Granularity::word       ? word.begin
                    : granularity == Granularity::ngram    ? word.ngram
                    : granularity == Granularity::sentence ? word.sentence
                                                           : 0;
        }
      }
      for (size_t i = 0; i < c.positions.size(); ++i) {
        ASSERT_EQ(cell.at(c.positions[i]), cell.at(c.places[i])) << static_cast<int>(granularity);
        moved[granularity] += c.positions[i] != c.places[i];
      }
    }
  }
  EXPECT_GT(moved[Granularity::word], 0);
  EXPECT_GT(moved[Granularity::ngram], moved[Granularity::word]);
  EXPECT_GT(moved[Granularity::sentence], moved[Granularity::ngram]);
  EXPECT_GT(moved[Granularity::no_limit], moved[Granularity::sentence]);
}

TEST(Perlm, FullPredictionAsksEveryTokenThatIsNotSpecial) {
  Draws draws{Random(4)};
  const Instance instance = random_pair(draws);
  Draws again = draws;
  const Corrupted full = permuted_language_model({.predict = Predict::full})(instance, draws);
  const Corrupted partial = permuted_language_model({})(instance, again);
  EXPECT_EQ(full.inputs, partial.inputs);
  size_t i = 0, selected = 0;
  for (size_t at = 0; at < instance.ids.size(); ++at) {
    if (instance.special[at]) continue;
    ASSERT_EQ(full.positions[i], static_cast<int32_t>(at));
    ASSERT_EQ(full.labels[i], instance.ids[at]);
    const auto found = std::ranges::find(partial.positions, static_cast<int32_t>(at));
    const bool was_selected = found != partial.positions.end();
    selected += was_selected;
    ASSERT_EQ(full.places[i++],
              was_selected ? partial.places[static_cast<size_t>(found - partial.positions.begin())]
                           : static_cast<int32_t>(at));
  }
  EXPECT_EQ(i, full.positions.size());
  EXPECT_EQ(selected, partial.positions.size());
}

TEST(Perlm, ImpossibleSharesAreRefused) {
  EXPECT_ERROR(permuted_language_model({.shuffle_share = 1.5}), "from 0 to 1");
  EXPECT_ERROR(permuted_language_model({.select = {.fraction = 2}}), "expected a fraction");
}

}  // namespace
}  // namespace ink
