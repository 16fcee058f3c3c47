// Skip-gram: the definition of pairs and noise, what is learnt, and that threads change no bit.
#include "objectives/skip_gram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "objectives/nearest_words.h"
#include "objectives/skip_gram_pairs.h"
#include "objectives/skip_gram_step.h"
#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

// ── pairs ───────────────────────────────────────────────────────────────────────────────────────

TEST(SkipGramPairs, StayInTheWindowAndTheLine) {
  const std::vector<int32_t> text = {0, 1, 2, -1, 3, 4, -1, 5, -1};
  const std::vector<double> keep(6, 1.0);
  const std::vector<WordPair> near = {{1, 0}, {0, 1}, {2, 1}, {1, 2}, {4, 3}, {3, 4}};
  EXPECT_EQ(pairs_of(text, keep, 1, Random(1)), near);
  for (const WordPair& p : pairs_of(text, keep, 5, Random(1)))
    EXPECT_EQ(p.input < 3, p.output < 3);  // never across a line end
}

// With reaches drawn from 1 … b, words d places apart are paired in (b − d + 1) of b cases.
TEST(SkipGramPairs, NearWordsArePairedMoreOften) {
  constexpr int32_t kWords = 40000;
  std::vector<int32_t> text(kWords);
  for (int32_t i = 0; i < kWords; ++i) text[static_cast<size_t>(i)] = i;
  std::map<int32_t, double> share;
  for (const WordPair& p : pairs_of(text, std::vector<double>(kWords, 1.0), 4, Random(3)))
    share[p.input - p.output] += 1.0 / kWords;
  ASSERT_EQ(share.size(), 8U);
  for (const auto& [distance, found] : share)
    EXPECT_NEAR(found, (5 - std::abs(distance)) / 4.0, 4 * 0.5 / std::sqrt(kWords));
}

TEST(SkipGramPairs, FrequentWordsAreLeftOut) {
  constexpr int32_t kWords = 40000;
  const std::vector<int32_t> text(kWords, 0);
  // Of a line of n words, n − 1 are left neighbours within reach.
  const auto pairs = pairs_of(text, std::vector<double>{0.3}, 1, Random(5));
  EXPECT_NEAR(static_cast<double>(pairs.size()) / (2.0 * kWords), 0.3,
              4 * std::sqrt(0.21 / kWords));
}

TEST(SkipGramPairs, BucketsKeepEveryPairInOrder) {
  const WordStrata inputs(10, 3, Random(1)), outputs(10, 3, Random(2));
  std::vector<WordPair> pairs;
  for (int32_t i = 0; i < 200; ++i) pairs.push_back({i * 7 % 10, i * i % 10});
  const PairBuckets buckets(pairs, inputs, outputs);
  int64_t met = 0;
  for (int64_t p = 0; p < 3; ++p) {
    for (int64_t q = 0; q < 3; ++q) {
      std::vector<WordPair> expected;
      for (const WordPair& pair : pairs)
        if (inputs.part_of(pair.input) == p && outputs.part_of(pair.output) == q)
          expected.push_back(pair);
      const auto found = buckets.bucket(p, q);
      EXPECT_EQ(std::vector<WordPair>(found.begin(), found.end()), expected);
      met += static_cast<int64_t>(found.size());
    }
  }
  EXPECT_EQ(met, 200);
}

TEST(WordStrata, DealEveryWordOnce) {
  const WordStrata strata(100, 7, Random(4));
  std::vector<int> seen(100);
  for (int64_t part = 0; part < 7; ++part) {
    EXPECT_GE(strata.members(part).size(), 14U);
    for (const int32_t word : strata.members(part)) {
      EXPECT_EQ(strata.part_of(word), part);
      ++seen[static_cast<size_t>(word)];
    }
  }
  EXPECT_EQ(seen, std::vector<int>(100, 1));
}

TEST(NoiseTable, DrawsInProportionToWeights) {
  const std::vector<double> weights = {1, 0, 8, 100, 3, 4};
  const NoiseTable table({0, 2, 4, 5}, weights);  // 3 is no member
  std::map<int32_t, double> share;
  constexpr uint64_t kDraws = 100'000;
  for (uint64_t i = 0; i < kDraws; ++i) share[table.draw(Random(9).bits(i))] += 1.0 / kDraws;
  ASSERT_EQ(share.size(), 4U);
  for (const auto& [word, found] : share) {
    const double p = weights[static_cast<size_t>(word)] / 16;
    EXPECT_NEAR(found, p, 4 * std::sqrt(p * (1 - p) / kDraws)) << word;
  }
}

// ── one step ────────────────────────────────────────────────────────────────────────────────────

double loss_of(const std::vector<float>& v, const std::vector<std::vector<float>>& u) {
  double loss = 0;
  for (size_t j = 0; j < u.size(); ++j) {
    double x = 0;
    for (size_t i = 0; i < v.size(); ++i)
      x += static_cast<double>(v[i]) * static_cast<double>(u[j][i]);
    loss += std::log1p(std::exp(j == 0 ? -x : x));
  }
  return loss;
}

TEST(SkipGramStep, MovesAlongTheGradient) {
  constexpr int64_t kWidth = 16;
  constexpr float kRate = 1e-3F;
  std::vector<float> v(kWidth);
  std::vector<std::vector<float>> u(3, v);
  const Random random(1);
  for (size_t i = 0; i < kWidth; ++i) {
    v[i] = static_cast<float>(random.normal(i));
    for (size_t j = 0; j < 3; ++j)
      u[j][i] = static_cast<float>(0.3 * random.normal(100 * (j + 1) + i));
  }
  const auto v0 = v;
  const auto u0 = u;
  float* rows[] = {u[0].data(), u[1].data(), u[2].data()};
  SkipGramStep step(kWidth, kRate);
  step(v.data(), rows, 3);
  EXPECT_NEAR(step.loss(), loss_of(v0, u0), 1e-5);
  const auto expect_gradient = [&](float before, float after, double plus, double minus) {
    const double slope = (plus - minus) / 2e-2;  // u and v appear once in x: nearly linear
    EXPECT_NEAR(static_cast<double>(after - before) / kRate, -slope, 1e-3);
  };
  for (size_t i = 0; i < kWidth; ++i) {
    auto high = v0, low = v0;
    high[i] += 1e-2F;
    low[i] -= 1e-2F;
    expect_gradient(v0[i], v[i], loss_of(high, u0), loss_of(low, u0));
    for (size_t j = 0; j < 3; ++j) {
      auto above = u0, below = u0;
      above[j][i] += 1e-2F;
      below[j][i] -= 1e-2F;
      expect_gradient(u0[j][i], u[j][i], loss_of(v0, above), loss_of(v0, below));
    }
  }
}

// ── training ────────────────────────────────────────────────────────────────────────────────────

class SkipGramTraining : public ::testing::Test {
 protected:
  SkipGramTraining() : segmenter_(made()), corpus_(open()), words_(corpus_, segmenter_) {}
  ~SkipGramTraining() override { set_threads(2); }

  Segmenter made() {
    write_file(folder_ / "words.dict", "砚台 10\n");
    return Segmenter::load({.dictionary = folder_ / "words.dict"});
  }
  // 150 kinds of words, two words each: kind7a and kind7b stand among the same words near7x.
  Corpus open() {
    Draws draws{Random(1)};
    std::string text;
    for (int i = 0; i < 12000; ++i) {
      const std::string kind = std::to_string(draws.below(150));
      const auto context = [&] { return " near" + kind + static_cast<char>('p' + draws.below(8)); };
      text += context() + context() + " kind" + kind + (draws.below(2) == 0 ? "a" : "b") +
              context() + context() + "\n";
    }
    write_file(folder_ / "text.txt", text);
    return Corpus::open({folder_ / "text.txt"}, {.block_bytes = 1 << 14});
  }
  // Of the words kindNa and kindNb, the share whose nearest word is the other of their kind.
  double share_found(const WordVectors& vectors) const {
    const WordNeighbours table = nearest_words(vectors, 20);
    int found = 0;
    for (int kind = 0; kind < 150; ++kind) {
      const std::string a = "kind" + std::to_string(kind) + "a",
                        b = "kind" + std::to_string(kind) + "b";
      for (const auto& [word, other] : {std::pair{a, b}, {b, a}}) {
        for (const Neighbour& n : table.of(word)) {
          if (!table.words()[n.word].starts_with("kind")) continue;
          found += table.words()[n.word] == other;
          break;
        }
      }
    }
    return found / 300.0;
  }

  ink::testing::TemporaryFolder folder_;
  Segmenter segmenter_;
  Corpus corpus_;
  WordCorpus words_;
};

TEST_F(SkipGramTraining, WordsOfTheSameContextsBecomeNeighbours) {
  for (const int64_t strata : {1, 0}) {
    const WordVectors v =
        train_skip_gram(words_, {.width = 20, .epochs = 8, .learning_rate = 0.1, .strata = strata});
    EXPECT_EQ(v.words, words_.words());
    EXPECT_GT(share_found(v), 0.97) << strata;
  }
}

TEST_F(SkipGramTraining, IsTheSameForAnyNumberOfThreads) {
  SkipGramOptions options{.width = 12, .epochs = 1};
  set_threads(1);
  const Tensor one = train_skip_gram(words_, options).rows;
  for (const int n : {2, 3, 8}) {
    set_threads(n);
    EXPECT_TRUE(equal_bits(train_skip_gram(words_, options).rows, one)) << n;
  }
  options.seed = 2;
  EXPECT_FALSE(equal_bits(train_skip_gram(words_, options).rows, one));
}

TEST_F(SkipGramTraining, ReportsAFallingLoss) {
  std::vector<Progress> seen;
  train_skip_gram(
      words_, {.width = 12, .epochs = 4, .learning_rate = 0.1, .progress = [&](const Progress& p) {
                 seen.push_back(p);
               }});
  ASSERT_GT(seen.size(), 8U);
  EXPECT_NEAR(seen[0].loss, 6 * std::log(2), 0.6);  // σ(0) at first, of six words
  EXPECT_LT(seen.back().loss, 0.8 * seen[0].loss);
  EXPECT_EQ(seen.back().step, seen.back().steps);
  EXPECT_GT(seen[0].learning_rate, 0.095);
  EXPECT_LT(seen.back().learning_rate, 0.004);
}

TEST_F(SkipGramTraining, RefusesOptionsOutOfRange) {
  EXPECT_ERROR(train_skip_gram(words_, {.width = 0}), "width, window and epochs of at least 1");
  EXPECT_ERROR(train_skip_gram(words_, {.negatives = 64}), "expected 1 to 63 negatives, got 64");
  EXPECT_ERROR(train_skip_gram(words_, {.learning_rate = 0}), "a learning rate above 0");
  EXPECT_ERROR(train_skip_gram(words_, {.window = INT64_MAX}), "expected a window of at most");
  EXPECT_ERROR(train_skip_gram(words_, {.width = 12, .learning_rate = 1e30}),
               "the loss is no number after part");
  write_file(folder_ / "lonely.txt", "砚台\n砚台\n砚台\n砚台\n砚台\n");
  const Corpus lonely = Corpus::open({folder_ / "lonely.txt"});
  EXPECT_ERROR(train_skip_gram(WordCorpus(lonely, segmenter_)),
               "expected lines with words side by side, got none among 5 words");
}

// ── neighbours ──────────────────────────────────────────────────────────────────────────────────

TEST(NearestWords, AreThoseOfHighestCosine) {
  constexpr int64_t kWords = 1500, kWidth = 7;  // more than a tile either way
  WordVectors v{{}, Tensor({kWords, kWidth})};
  for (int64_t i = 0; i < kWords; ++i) {
    v.words.add("w" + std::to_string(i));
    for (int64_t c = 0; c < kWidth; ++c)
      v.rows.data<float>()[i * kWidth + c] =
          static_cast<float>(Random(2).normal(static_cast<uint64_t>(i * kWidth + c)));
  }
  std::fill_n(v.rows.data<float>() + 3 * kWidth, kWidth, 0.0F);
  const auto cosine = [&](int64_t a, int64_t b) {
    double dot = 0, x = 0, y = 0;
    for (int64_t c = 0; c < kWidth; ++c) {
      const double p = v.rows.data<float>()[a * kWidth + c],
                   q = v.rows.data<float>()[b * kWidth + c];
      dot += p * q, x += p * p, y += q * q;
    }
    return dot / std::sqrt(x * y);
  };
  const WordNeighbours table = nearest_words(v, 5);
  EXPECT_TRUE(table.of("w3").empty());
  EXPECT_EQ(table.size(), kWords - 1);
  for (const int64_t word : {0, 63, 64, 700, 1023, 1024, 1499}) {
    std::vector<std::pair<double, std::string>> all;
    for (int64_t other = 0; other < kWords; ++other)
      if (other != word && other != 3)
        all.push_back({-cosine(word, other), "w" + std::to_string(other)});
    std::ranges::sort(all);
    const auto found = table.of("w" + std::to_string(word));
    ASSERT_EQ(found.size(), 5U);
    for (size_t k = 0; k < 5; ++k) {
      EXPECT_EQ(table.words()[found[k].word], all[k].second) << word;
      EXPECT_NEAR(found[k].similarity, -all[k].first, 1e-5);
    }
  }
}

TEST(NearestWords, AreNotSoughtAmongVectorsThatAreNoNumbers) {
  WordVectors vectors{.words = {}, .rows = full(Shape{2, 2}, 1)};
  vectors.words.add("砚");
  vectors.words.add("墨");
  vectors.rows.data<float>()[3] = std::nanf("");
  EXPECT_ERROR(nearest_words(vectors, 1), "expected vectors of finite numbers, got others for 墨");
}

TEST(NearestWords, OfFewWordsAreAllOthers) {
  WordVectors v{{}, full({3, 2}, 1)};
  for (const char* word : {"a", "b", "c"}) v.words.add(word);
  const WordNeighbours table = nearest_words(v, 10);
  ASSERT_EQ(table.of("b").size(), 2U);
  EXPECT_EQ(table.words()[table.of("b")[0].word], "a");  // of equals the first
  EXPECT_ERROR(nearest_words(v, 0), "expected 1 to 1024 a word, got 0");
}

}  // namespace
}  // namespace ink
