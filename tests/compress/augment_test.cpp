// Augmentation: a worked example of each function, what it promises on average, and what it never
// does.
#include "compress/augment.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "compress/augmentation.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

using Tokens = std::vector<std::string>;

Tokens letters(const std::string& text) {
  Tokens tokens;
  for (const char c : text) tokens.emplace_back(1, c);
  return tokens;
}

std::string joined(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

using Change = std::function<Tokens(const Tokens& tokens, Draws& draws)>;

// How often each result comes out of `count` seeds.
std::map<std::string, int> results(const std::string& text, const Change& change, int count) {
  std::map<std::string, int> all;
  for (int seed = 0; seed < count; ++seed) {
    Draws draws{Random(static_cast<uint64_t>(seed))};
    ++all[joined(change(letters(text), draws))];
  }
  return all;
}

const Change mask_half = [](const Tokens& t, Draws& d) {
  return masked(t, 0.5, std::string("_"), d);
};
const Change delete_half = [](const Tokens& t, Draws& d) { return deleted(t, 0.5, d); };

Change near_by(DisorderWeights weights) {
  return [=](const Tokens& t, Draws& d) { return short_disorder(t, weights, d); };
}
Change far_by(double p, double length) {
  return [=](const Tokens& t, Draws& d) { return long_disorder(t, p, length, d); };
}
Change span_of(std::vector<int64_t> lengths, std::vector<double> weights) {
  return [=](const Tokens& t, Draws& d) { return ngram(t, lengths, weights, d); };
}

void expect_share(const std::map<std::string, int>& all, const std::string& name, double share) {
  int count = 0;
  for (const auto& [text, times] : all) count += times;
  const auto found = all.find(name);
  EXPECT_NEAR(found == all.end() ? 0 : static_cast<double>(found->second) / count, share, 0.02)
      << name;
}

TEST(Augment, MasksTokens) {
  const auto all = results("abc", mask_half, 4000);
  EXPECT_EQ(all.size(), 8u);
  for (const char* name : {"abc", "a_c", "___", "_b_"}) expect_share(all, name, 1.0 / 8);
}

TEST(Augment, DeletesTokensButNeverAll) {
  const auto all = results("abc", delete_half, 4000);
  EXPECT_EQ(all.size(), 7u);
  EXPECT_EQ(all.count(""), 0u);
  expect_share(all, "abc", 1.0 / 8);
  expect_share(all, "ac", 1.0 / 8);
  expect_share(all, "b", 1.0 / 8 + 1.0 / 24);  // or all are gone and it stays
  const auto certain = results(
      "abc", [](const Tokens& t, Draws& d) { return deleted(t, 1, d); }, 3000);
  EXPECT_EQ(certain.size(), 3u);
  expect_share(certain, "a", 1.0 / 3);
}

TEST(Augment, TakesSpans) {
  const auto all = results("abcd", span_of({2, 3}, {1, 3}), 4000);
  EXPECT_EQ(all.size(), 5u);
  for (const char* name : {"ab", "bc", "cd"}) expect_share(all, name, 0.25 / 3);
  for (const char* name : {"abc", "bcd"}) expect_share(all, name, 0.75 / 2);
  // longer than the text: all of it
  EXPECT_EQ(results("ab", span_of({7}, {1}), 10), (std::map<std::string, int>{{"ab", 10}}));
}

TEST(Augment, DisordersNearBy) {
  // certain orders, three tokens at a time; of the last two each is an exchange
  EXPECT_EQ(results("abcdefgh", near_by({0, 1, 0, 0, 0}), 1).begin()->first, "badcfehg");
  EXPECT_EQ(results("abcdefgh", near_by({0, 0, 1, 0, 0}), 1).begin()->first, "cbafedhg");
  EXPECT_EQ(results("abcdefgh", near_by({0, 0, 0, 1, 0}), 1).begin()->first, "cabfdehg");
  EXPECT_EQ(results("abcdefg", near_by({0, 0, 0, 0, 1}), 1).begin()->first, "bcaefdg");
  const auto all = results("abc", near_by({0.5, 0.1, 0.1, 0.1, 0.2}), 6000);
  expect_share(all, "cba", 0.1);
  expect_share(all, "bca", 0.2);
  expect_share(all, "acb", 0.5 * 0.5);
  expect_share(all, "abc", 0.5 * 0.5);
  EXPECT_EQ(results("abcdefgh", near_by({2, 0, 0, 0, 0}), 1).begin()->first, "abcdefgh");
}

TEST(Augment, DisordersFarAway) {
  EXPECT_EQ(results("abcdefghi", far_by(1, 4), 1).begin()->first, "cdabghefi");
  EXPECT_EQ(results("abcdefghi", far_by(1, 3), 1).begin()->first, "cdabghefi") << "3 becomes 4";
  EXPECT_EQ(results("abcdefgh", far_by(1, 0.5), 1).begin()->first, "cdabghef") << "half the text";
  EXPECT_EQ(results("abcdefghijk", far_by(1, 0.05), 1).begin()->first, "badcfehgjik")
      << "a share that rounds to 0 exchanges neighbours, and ends";
  EXPECT_EQ(results("abc", far_by(1, 20), 1).begin()->first, "abc") << "longer than the text";
  const auto all = results("abc", far_by(0.3, 2), 6000);
  expect_share(all, "bac", 0.3);
  expect_share(all, "acb", 0.7 * 0.3);
  expect_share(all, "abc", 0.7 * 0.7);
}

TEST(Augment, OfAnyLengthSomethingIsLeft) {
  for (const Change& change : {mask_half, delete_half, span_of({3, 9}, {1, 1}),
                               near_by({1, 1, 1, 1, 1}), far_by(0.9, 2), far_by(0.9, 0.3)}) {
    for (const std::string text : {"a", "ab", "abc", "abcd"}) {
      for (const auto& [result, times] : results(text, change, 50)) {
        EXPECT_GE(result.size(), 1u);
        EXPECT_LE(result.size(), text.size());
      }
    }
    EXPECT_EQ(results("", change, 3).begin()->first, "");
  }
}

// [CLS] text [SEP] pair [SEP]
Feature pair_feature() {
  Feature feature;
  feature.encoding.ids = {2, 10, 11, 12, 3, 20, 21, 3};
  feature.encoding.segments = {0, 0, 0, 0, 0, 1, 1, 1};
  feature.encoding.texts = {-1, 0, 0, 0, -1, 1, 1, -1};
  feature.targets = {1};
  feature.line = 7;
  return feature;
}

TEST(Augmentation, CopiesKeepTheirFrameAndHaveNoLabel) {
  const Features one(std::vector<Feature>{pair_feature(), pair_feature()});
  const Augmentation all_masked{.copies = 2, .masking = 1};
  const Features masked_copies = with_copies(one, all_masked, 4, Random(1));
  ASSERT_EQ(masked_copies.size(), 6);
  EXPECT_EQ(masked_copies[0].encoding, one[0].encoding);
  EXPECT_EQ(masked_copies[1].targets, (std::vector<int32_t>{1}));
  EXPECT_EQ(masked_copies[2].encoding.ids, (std::vector<int32_t>{2, 4, 4, 4, 3, 4, 4, 3}));
  EXPECT_EQ(masked_copies[5].targets, (std::vector<int32_t>{kIgnore}));
  EXPECT_EQ(masked_copies[5].line, 7);

  const Augmentation fewer{.copies = 1, .deleting = 1};
  const Encoding left = with_copies(one, fewer, 4, Random(1))[2].encoding;
  ASSERT_EQ(left.ids.size(), 5u) << "one token of each text stays";
  EXPECT_EQ(left.segments, (std::vector<int32_t>{0, 0, 0, 1, 1}));
  EXPECT_EQ(left.texts, (std::vector<int32_t>{-1, 0, -1, 1, -1}));
}

TEST(Augmentation, IsAFunctionOfTheSeed) {
  std::vector<Feature> items(40, pair_feature());
  const Features features(std::move(items));
  const Augmentation half{.copies = 2,
                          .masking = 0.5,
                          .deleting = 0.3,
                          .long_disorder = 0.5,
                          .long_disorder_length = 2};
  const auto digest = [&](uint64_t seed) {
    return with_copies(features, half, 4, Random(seed)).digest();
  };
  EXPECT_EQ(digest(1), digest(1));
  EXPECT_NE(digest(1), digest(2));
  const Features copies = with_copies(features, half, 4, Random(1));
  int same = 0;
  for (int64_t i = 0; i < 40; ++i) same += copies[40 + i].encoding == copies[80 + i].encoding;
  EXPECT_LT(same, 10) << "copies of one example differ";
}

TEST(Augmentation, FromJson) {
  const auto read = [](const std::string& text) {
    return Augmentation::from_json(parse_json(text, "distill.json"));
  };
  const Json whole = parse_json(R"({"copies": 3, "masking": 0.1, "deleting": 0.2,
      "ngram_sampling": 0.3, "ngram_lengths": [3, 4], "ngram_weights": [1, 2],
      "short_disorder": [0.9, 0.1, 0, 0, 0], "long_disorder": 0.4,
      "long_disorder_length": 0.5})",
                                "distill.json");
  const Augmentation all = Augmentation::from_json(whole);
  EXPECT_EQ(all.copies, 3);
  EXPECT_EQ(all.masking, 0.1);
  EXPECT_EQ(all.deleting, 0.2);
  EXPECT_EQ(all.ngram_sampling, 0.3);
  EXPECT_EQ(all.ngram_lengths, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(all.ngram_weights, (std::vector<double>{1, 2}));
  EXPECT_EQ(all.short_disorder, (DisorderWeights{0.9, 0.1, 0, 0, 0}));
  EXPECT_EQ(all.long_disorder, 0.4);
  EXPECT_EQ(all.long_disorder_length, 0.5);
  EXPECT_EQ(Augmentation::from_json(all.to_json()).to_json().to_string(),
            all.to_json().to_string());
  EXPECT_EQ(read(R"({"masking": 0.1})").copies, 1);
  EXPECT_ERROR(read(R"({"copies": 2})"), "copies without a change");
  EXPECT_ERROR(read(R"({"copies": 2, "short_disorder": [1, 0, 0, 0, 0]})"), "without a change");
  EXPECT_ERROR(read(R"({"maskin": 0.1})"), "unknown key 'maskin'; did you mean 'masking'?");
  EXPECT_ERROR(read(R"({"deleting": 1.5})"), "expected a probability from 0 to 1, got 1.5");
  EXPECT_ERROR(read(R"({"short_disorder": [1, 0]})"), "expected 5 weights, got 2");
  EXPECT_ERROR(read(R"({"ngram_sampling": 1, "ngram_lengths": [1, 2], "ngram_weights": [0, 0]})"),
               "expected a weight above 0");
  EXPECT_ERROR(read(R"({"ngram_sampling": 1, "ngram_lengths": [0]})"), "ngram_lengths");
  EXPECT_ERROR(read(R"({"long_disorder": 0.1, "long_disorder_length": 1.5})"),
               "expected 2 tokens or more, or a share of the text below 1, got 1.5");
}

}  // namespace
}  // namespace ink
