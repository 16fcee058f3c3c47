// Masks against TextPruner's rules: values computed with it, and properties.
#include "compress/masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/tasks/helpers.h"

namespace ink {
namespace {

// importance[l][j] = (l+1)²·(1.2 + sin(1.3·(8l+j) + 0.5)), 3 layers of 8.
Importance waves() {
  Importance w(3);
  for (int l = 0; l < 3; ++l)
    for (int j = 0; j < 8; ++j)
      w[static_cast<size_t>(l)].push_back((l + 1) * (l + 1) *
                                          (1.2 + std::sin(1.3 * (8 * l + j) + 0.5)));
  return w;
}

std::vector<std::string> drawn(const Mask& mask) {
  std::vector<std::string> rows;
  for (const auto& layer : mask) {
    rows.emplace_back();
    for (const uint8_t keep : layer) rows.back() += keep ? '1' : '0';
  }
  return rows;
}

std::vector<std::string> chosen(int64_t total, const KeepOptions& options) {
  return drawn(choose_mask(waves(), full_mask(waves()), total, options));
}
using Rows = std::vector<std::string>;

TEST(Masks, EvenKeepsTheSameNumberInEveryLayer) {
  const Rows expected = {"11000110", "00110011", "10011100"};
  EXPECT_EQ(chosen(12, {}), expected);
  EXPECT_EQ(chosen(13, {}), expected);
}

TEST(Masks, UnevenRanksAcrossLayersAndRescuesEmptyOnes) {
  const KeepOptions uneven{.even = false};
  EXPECT_EQ(chosen(12, uneven), (Rows{"01000000", "01111011", "11011110"}));
  EXPECT_EQ(chosen(13, uneven), (Rows{"01000000", "01111011", "11011111"}));
  EXPECT_EQ(chosen(5, uneven), (Rows{"01000000", "00000001", "10011100"}));
  EXPECT_EQ(
      kept_per_layer(choose_mask(waves(), full_mask(waves()), 5, {.even = false, .at_least = 2})),
      (std::vector<int64_t>{2, 2, 4}));
}

TEST(Masks, MultiplesOfTwoAndFour) {
  EXPECT_EQ(chosen(12, {.even = false, .multiple_of = 2}),
            (Rows{"01000010", "01111011", "11011110"}));
  EXPECT_EQ(chosen(13, {.even = false, .multiple_of = 2}),
            (Rows{"01000010", "01111011", "11011110"}));
  EXPECT_EQ(chosen(12, {.even = false, .multiple_of = 4}),
            (Rows{"11000110", "00110011", "11111111"}));
  EXPECT_EQ(chosen(8, {.even = false, .multiple_of = 4}),
            (Rows{"11000110", "00110011", "10011100"}));
  EXPECT_ERROR(chosen(12, {.even = false, .multiple_of = 9}),
               "the 8 elements of layer 0 are fewer than the 9");
}

// 8 is no multiple of 3: the two least important of every layer go in any case.
TEST(Masks, MultiplesThatDoNotDivideALayer) {
  const auto sizes = [](int64_t total, const KeepOptions& options) {
    return kept_per_layer(choose_mask(waves(), full_mask(waves()), total, options));
  };
  EXPECT_EQ(sizes(24, {.even = false, .multiple_of = 3}), (std::vector<int64_t>{6, 6, 6}));
  EXPECT_EQ(sizes(9, {.even = false, .multiple_of = 3}), (std::vector<int64_t>{3, 3, 6}));
  EXPECT_EQ(sizes(3, {.even = false, .multiple_of = 3, .at_least = 6}),
            (std::vector<int64_t>{6, 6, 6}));
}

TEST(Masks, MultiplesAsTextPrunerHasThem) {
  const auto compatible = [](int64_t total, int64_t m) {
    return chosen(total, {.even = false, .multiple_of = m, .compatible = true});
  };
  for (const int64_t total : {12, 13})
    EXPECT_EQ(compatible(total, 2), (Rows{"01000000", "01111011", "11011110"}));
  EXPECT_EQ(compatible(12, 4), (Rows{"01000000", "00110011", "11111111"}));
  EXPECT_EQ(compatible(8, 4), (Rows{"01000000", "00110011", "10011100"}));
}

TEST(Masks, EvenSizesAreMultiplesToo) {
  const auto sizes = [](int64_t total, const KeepOptions& options) {
    return kept_per_layer(choose_mask(waves(), full_mask(waves()), total, options));
  };
  EXPECT_EQ(sizes(17, {.multiple_of = 4}), (std::vector<int64_t>{4, 4, 4}));
  EXPECT_EQ(sizes(6, {.multiple_of = 4}), (std::vector<int64_t>{4, 4, 4})) << "never empty";
  EXPECT_EQ(sizes(17, {.multiple_of = 4, .compatible = true}), (std::vector<int64_t>{5, 5, 5}));
}

// Two networks of 3 in each layer: the pairs of the r-th best are 5 + 6, 4 + 2, 1 + 1 and
// 9 + 1, 3 + 1, 2 + 1.
TEST(Masks, NetworksOfALayerKeepAsMany) {
  const Importance two = {{1, 5, 4, 6, 1, 2}, {9, 3, 2, 1, 1, 1}};
  const auto drawn_of = [&](int64_t total, bool even) {
    return drawn(choose_mask(two, full_mask(two), total, {.even = even, .networks = 2}));
  };
  EXPECT_EQ(drawn_of(3, false), (Rows{"011101", "100100"}));
  EXPECT_EQ(drawn_of(2, true), (Rows{"010100", "100100"}));
  EXPECT_EQ(drawn_of(1, false), (Rows{"010100", "100100"})) << "the second is rescued";
  EXPECT_ERROR(choose_mask({{1, 2, 3}}, {{1, 1, 1}}, 1, {.networks = 2}),
               "the 3 elements of layer 0 are not of 2 networks");
}

TEST(Masks, WhatIsGoneStaysGone) {
  const Mask before = {{1, 0, 1, 1}};
  for (const bool even : {true, false}) {
    // all scores tie at 0: the masked one would be second without the rule
    const Mask after = choose_mask({{0, 0, 0, 0}}, before, 2, {.even = even});
    EXPECT_EQ(drawn(after), (Rows{"1010"}));
  }
}

TEST(Masks, BadRequests) {
  EXPECT_ERROR(chosen(0, {}), "expected a positive number to keep, got 0");
  EXPECT_ERROR(choose_mask(waves(), {{1}}, 1, {}), "expected 1 layers of importance, got 3");
}

TEST(Masks, JsonThereAndBack) {
  const Masks masks{{{1, 0}, {1}}, {{0, 1, 1}, {1, 1}}};
  const Masks back = masks_from_json(parse_json(to_json(masks).to_string(), "masks.json"));
  EXPECT_EQ(back.heads, masks.heads);
  EXPECT_EQ(back.ffn, masks.ffn);
  EXPECT_ERROR(masks_from_json(parse_json(R"({"head_mask":[[2]]})", "masks.json")),
               "expected an integer from 0 to 1");
  EXPECT_ERROR(masks_from_json(parse_json(R"({"heads_mask":[[1]]})", "masks.json")),
               "masks.json: unknown key 'heads_mask'; did you mean 'head_mask'?");
}

}  // namespace
}  // namespace ink
