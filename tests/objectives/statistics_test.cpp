// What the objectives promise, counted over a million tokens of real text: within 4 deviations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "objectives/factorization.h"
#include "objectives/instances.h"
#include "objectives/mac.h"
#include "objectives/mask.h"
#include "objectives/permute.h"
#include "objectives/tokenize.h"
#include "tensor/parallel.h"
#include "text/corpus.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokens = 1'000'000;

fs::path data_folder() {
  const char* named = std::getenv("INK_DATA");
  return named && *named ? named : fs::path(INK_SOURCE_DIR) / ".." / "shared" / "data";
}

// A million tokens of text in documents, read once; empty without the data.
struct RealText {
  std::optional<Tokenizer> tokenizer;
  std::vector<TokenDocument> documents;
  int64_t tokens = 0;

  static const RealText& get() {
    static const RealText text;
    return text;
  }

 private:
  RealText() {
    const fs::path folder = data_folder(), text = folder / "text",
                   dictionary = folder / "segmentation" / "jieba-dict-small.txt";
    if (!fs::exists(text) || !fs::exists(dictionary)) return;
    tokenizer.emplace(Vocabulary::load(folder / "vocab" / "bert-chinese.txt"));
    const Segmenter segmenter = Segmenter::load({.dictionary = dictionary});
    const Corpus corpus = Corpus::open({text}, {.block_bytes = 1 << 20});
    for (int64_t block = 0; block < corpus.blocks() && tokens < kTokens; ++block) {
      const std::vector<Document> texts = corpus.read_block(block, Split::train);
      std::vector<TokenDocument> read(texts.size());
      parallel_for(std::ssize(texts), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const auto at = static_cast<size_t>(i);
          read[at] = tokenize_document(texts[at], *tokenizer, &segmenter);
        }
      });
      for (TokenDocument& document : read) {
        if (document.empty()) continue;
        for (const TokenSentence& s : document) tokens += std::ssize(s.ids);
        documents.push_back(std::move(document));
      }
    }
  }
};

class Statistics : public testing::Test {
 protected:
  void SetUp() override {
    if (text_.documents.empty()) GTEST_SKIP() << "no text in " << data_folder();
    ASSERT_GE(text_.tokens, kTokens);
    tokens_ = objective_tokens(*text_.tokenizer);
  }
  std::vector<Instance> instances(PairTask task = PairTask::none) const {
    Draws draws{Random(1)};
    return make_instances(text_.documents, task, {.tokens = tokens_}, draws);
  }
  // Calls f(instance, corrupted) for all sequences.
  template <class F>
  void for_each(const Corruption& corrupt, const F& f) const {
    const std::vector<Instance> all = instances();
    for (size_t i = 0; i < all.size(); ++i) {
      Draws draws(Random(2).split(i));
      f(all[i], corrupt(all[i], draws));
    }
  }

  const RealText& text_ = RealText::get();
  ObjectiveTokens tokens_;
};

void expect_share(double count, double all, double p, const char* what) {
  EXPECT_NEAR(count / all, p, 4 * std::sqrt(p * (1 - p) / all)) << what;
}

TEST_F(Statistics, MaskedTokensAreTheBudgetAndEightyTenTen) {
  double selected = 0, budget = 0, masked = 0, kept = 0, random = 0;
  for_each(masked_language_model({.select = {.whole_words = false}, .tokens = tokens_}),
           [&](const Instance& instance, const Corrupted& c) {
             budget += static_cast<double>(selection_budget(std::ssize(instance.ids), {}));
             selected += static_cast<double>(c.positions.size());
             for (size_t i = 0; i < c.positions.size(); ++i) {
               const int32_t now = c.inputs[static_cast<size_t>(c.positions[i])];
               masked += now == tokens_.mask;
               kept += now == c.labels[i];
               random += now != tokens_.mask && now != c.labels[i];
             }
           });
  EXPECT_EQ(selected, budget);
  expect_share(masked, selected, 0.8, "masked");
  expect_share(kept, selected, 0.1, "kept");
  expect_share(random, selected, 0.1, "random");
}

TEST_F(Statistics, WholeWordsAreNeverSplit) {
  double selected = 0, budget = 0;
  for_each(masked_language_model({.tokens = tokens_}), [&](const Instance& instance,
                                                           const Corrupted& c) {
    std::vector<uint8_t> chosen(instance.ids.size());
    for (const int32_t p : c.positions) chosen[static_cast<size_t>(p)] = 1;
    for (size_t i = 1; i < chosen.size(); ++i) {
      const bool inside = instance.continues[i] && !instance.special[i - 1] && !instance.begins[i];
      ASSERT_TRUE(!inside || chosen[i] == chosen[i - 1]);
    }
    selected += static_cast<double>(c.positions.size());
    budget += static_cast<double>(selection_budget(std::ssize(instance.ids), {}));
  });
  EXPECT_LE(selected, budget);
  EXPECT_GT(selected, 0.98 * budget) << "words that do not fit leave little of the budget";
}

TEST_F(Statistics, NgramsHaveTheirShares) {
  // The first n-gram of a sequence meets neither the budget nor another; it begins where four words
  // follow in its sentence that the budget can hold.
  const SelectionOptions options{.ngrams = kWordNgrams};
  std::vector<double> count(5);
  double all = 0;
  const auto sequences = instances();
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (uint64_t again = 0; again < 5; ++again) {
      Draws draws(Random(again).split(i));
      const Selection s = select(sequences[i], options, draws);
      if (s.words.empty()) continue;
      const auto words = words_of(sequences[i], true);
      const auto first = std::ranges::find(words, s.words[0].begin, &TokenWord::begin);
      if (words.end() - first < 4 || first[3].sentence != first->sentence) continue;
      if (first[3].end - first->begin > selection_budget(std::ssize(sequences[i].ids), options))
        continue;
      ++count[static_cast<size_t>(std::ranges::count(s.words, 0, &TokenWord::ngram))];
      ++all;
    }
  }
  ASSERT_GT(all, 10000);
  for (size_t n = 1; n <= 4; ++n) expect_share(count[n], all, kWordNgrams[n - 1], "n-grams");
}

// Every second different word of the text is similar to the one met before it of as many tokens.
std::shared_ptr<SimilarWords> some_similar(const std::vector<Instance>& instances) {
  auto similar = std::make_shared<SimilarWords>();
  std::map<int32_t, std::vector<int32_t>> before;  // by the number of tokens
  std::set<std::vector<int32_t>> met;
  for (const Instance& instance : instances) {
    for (const TokenWord& word : words_of(instance, true)) {
      const std::vector<int32_t> ids(instance.ids.begin() + word.begin,
                                     instance.ids.begin() + word.end);
      if (!met.insert(ids).second) continue;
      if (met.size() % 2 == 0) similar->add(ids, before[word.size()]);
      before[word.size()] = ids;
    }
  }
  return similar;
}

TEST_F(Statistics, MacReplacesWordsAndItsFallbackKeepsItsLimit) {
  const auto similar = some_similar(instances());
  const MacOptions options{.similar = similar, .tokens = tokens_};
  double with_similar = 0, replaced = 0, kept = 0, random = 0;  // words that have a similar one
  double without = 0, changed = 0;                              // words that have none
  const auto sequences = instances();
  const Corruption corrupt = similar_word_model(options);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Instance& instance = sequences[i];
    Draws draws(Random(2).split(i)), again(Random(2).split(i));
    const Corrupted c = corrupt(instance, draws);
    ASSERT_EQ(c.inputs.size(), instance.ids.size());
    for (const TokenWord& word : select(instance, options.select, again).words) {
      const auto at = static_cast<size_t>(word.begin), n = static_cast<size_t>(word.size());
      const auto before = std::span(instance.ids).subspan(at, n);
      const auto after = std::span(c.inputs).subspan(at, n);
      const auto best = similar->of(before);
      const bool same = std::ranges::equal(before, after);
      if (best.empty()) {
        ++without;
        changed += !same;
        continue;
      }
      ++with_similar;
      const bool is_best = std::ranges::equal(best.first(n), after);
      ASSERT_FALSE(is_best && same) << "the same word";
      replaced += is_best;
      kept += same;
      random += !is_best && !same;
    }
  }
  ASSERT_GT(without, 1000);
  expect_share(replaced, with_similar, 0.8, "similar");
  expect_share(kept, with_similar, 0.1, "kept");
  expect_share(random, with_similar, 0.1, "random");
  // Of words without a similar one a tenth is random anyway, and more by the fallback.
  EXPECT_GT(changed / without, 0.1);
  EXPECT_LT(changed / without, 0.9 + 4 * std::sqrt(0.09 / without));
}

TEST_F(Statistics, PermutedTokensStayTheSameMultisetAndNinetyPercentMove) {
  double moved = 0, expected = 0, sequences = 0;
  for_each(permuted_language_model({}), [&](const Instance& instance, const Corrupted& c) {
    std::multiset<int32_t> before, after;
    for (size_t i = 0; i < c.positions.size(); ++i) {
      const auto at = static_cast<size_t>(c.positions[i]);
      before.insert(instance.ids[at]);
      after.insert(c.inputs[at]);
      ASSERT_EQ(c.inputs[static_cast<size_t>(c.places[i])], c.labels[i]);
      moved += c.places[i] != c.positions[i];
    }
    ASSERT_EQ(before, after);
    if (c.positions.empty()) return;
    expected += std::nearbyint(0.9 * static_cast<double>(c.positions.size())) - 1;
    ++sequences;
  });
  // A shuffle of k leaves 1 where it was in the mean, with variance 1.
  EXPECT_NEAR(moved, expected, 4 * std::sqrt(sequences));
}

TEST_F(Statistics, PairsAreHalfOfEachLabel) {
  double swapped = 0, pairs = 0;
  for (const Instance& instance : instances(PairTask::sentence_order)) {
    if (instance.pair_label == kIgnore) continue;
    swapped += instance.pair_label;
    ++pairs;
  }
  ASSERT_GT(pairs, 5000);
  expect_share(swapped, pairs, 0.5, "swapped");
  // Next sentence: random wherever a chunk is one sentence, else half of the time; so not below.
  double random = 0, all = 0;
  for (const Instance& instance : instances(PairTask::next_sentence)) {
    random += instance.pair_label;
    ++all;
  }
  EXPECT_GT(random / all, 0.5 - 4 * std::sqrt(0.25 / all));
}

TEST_F(Statistics, ASixthOfTheTokensAreTargetsOfTheFactorization) {
  for_each(permutation_model({}), [&](const Instance& instance, const Corrupted& c) {
    const double n = static_cast<double>(instance.ids.size());
    const auto goal = std::max(1.0, std::nearbyint(n / 6));
    const auto most = static_cast<double>(std::ranges::count(instance.special, 0));
    ASSERT_EQ(static_cast<double>(c.positions.size()), std::min(goal, most));
  });
}

TEST_F(Statistics, TheSameSeedGivesTheSameForAnyNumberOfThreads) {
  const std::vector<Instance> all = instances();
  const Corruption corrupt = permuted_language_model({});
  const auto with_threads = [&](int count) {
    const int before = threads();
    set_threads(count);
    std::vector<std::vector<int32_t>> inputs(all.size());
    parallel_for(std::ssize(all), 7, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Draws draws(Random(2).split(static_cast<uint64_t>(i)));
        inputs[static_cast<size_t>(i)] = corrupt(all[static_cast<size_t>(i)], draws).inputs;
      }
    });
    set_threads(before);
    return inputs;
  };
  const auto one = with_threads(1);
  EXPECT_EQ(one, with_threads(3));
  EXPECT_EQ(one, with_threads(8));
}

}  // namespace
}  // namespace ink
