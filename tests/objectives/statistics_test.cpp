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
#include "objectives/next_sentence.h"
#include "objectives/permute.h"
#include "objectives/pretrain_data.h"
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

// Of all n-grams of a text, longer ones are fewer than were drawn: they end with their sentence,
// meet what is taken, and are shortened for the budget. docs/objectives.md states these shares.
TEST_F(Statistics, AllNgramsHaveTheSharesThatAreStated) {
  const SelectionOptions options{.ngrams = kWordNgrams};
  std::vector<double> count(5);
  double all = 0;
  const auto sequences = instances();
  for (size_t i = 0; i < sequences.size(); ++i) {
    Draws draws(Random(7).split(i));
    const Selection s = select(sequences[i], options, draws);
    for (size_t w = 0; w < s.words.size(); ++all) {
      size_t end = w;
      while (end < s.words.size() && s.words[end].ngram == s.words[w].ngram) ++end;
      ++count[end - w];
      w = end;
    }
  }
  constexpr double kStated[] = {0.518, 0.282, 0.144, 0.056};
  for (size_t n = 1; n <= 4; ++n) EXPECT_NEAR(count[n] / all, kStated[n - 1], 0.005) << n;
}

// MacBERT's ablations, and what ELECTRA's generator reads.
TEST_F(Statistics, OtherSharesOfMasksAreAsTheyWereAskedFor) {
  struct Case {
    double mask, keep;
  };
  for (const auto& [mask, keep] : {Case{0, 0.1}, {0.8, 0.1}, {0.9, 0.1}, {0.85, 0.15}}) {
    SCOPED_TRACE(mask);
    double selected = 0, masked = 0, kept = 0;
    for_each(masked_language_model({.select = {.ngrams = kWordNgrams},
                                    .mask_share = mask,
                                    .keep_share = keep,
                                    .random = RandomTokens::words_of(text_.tokenizer->vocabulary()),
                                    .tokens = tokens_}),
             [&](const Instance&, const Corrupted& c) {
               selected += static_cast<double>(c.positions.size());
               for (size_t i = 0; i < c.positions.size(); ++i) {
                 const int32_t now = c.inputs[static_cast<size_t>(c.positions[i])];
                 masked += now == tokens_.mask;
                 kept += now == c.labels[i];
               }
             });
    expect_share(masked, selected, mask, "masked");
    expect_share(kept, selected, keep, "kept");
  }
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

// With similar words alone asked for, a word without one is random while a tenth of the selected
// tokens allows it, in the order of selection.
TEST_F(Statistics, MacsFallbackIsATenthOfTheSelectedTokensAndUsedUp) {
  const auto sequences = instances();
  const auto similar = some_similar(sequences);
  const MacOptions options{
      .similar_share = 1, .keep_share = 0, .similar = similar, .tokens = tokens_};
  const Corruption corrupt = similar_word_model(options);
  double allowed = 0, by_chance = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    Draws draws(Random(2).split(i)), again(Random(2).split(i));
    const Corrupted c = corrupt(sequences[i], draws);
    const Selection selection = select(sequences[i], options.select, again);
    auto left = static_cast<int64_t>(std::nearbyint(0.1 * static_cast<double>(selection.tokens)));
    for (const TokenWord& word : selection.words) {
      const auto at = static_cast<size_t>(word.begin), n = static_cast<size_t>(word.size());
      const auto before = std::span(sequences[i].ids).subspan(at, n);
      if (!similar->of(before).empty()) continue;
      const bool same = std::ranges::equal(before, std::span(c.inputs).subspan(at, n));
      if (left < word.size()) {
        ASSERT_TRUE(same) << "beyond the limit";
        continue;
      }
      left -= word.size();
      ++allowed;
      by_chance += same;
    }
  }
  ASSERT_GT(allowed, 1000);
  EXPECT_LE(by_chance, 5) << "a random word is the word itself once in twenty thousand times";
}

TEST_F(Statistics, PermutedTokensStayInTheirCells) {
  using Cells = std::vector<int32_t>;  // of each token; −1: not selected
  for (const Granularity granularity :
       {Granularity::word, Granularity::ngram, Granularity::sentence}) {
    SCOPED_TRACE(static_cast<int>(granularity));
    const PermuteOptions options{.granularity = granularity};
    const Corruption corrupt = permuted_language_model(options);
    const auto sequences = instances();
    double moved = 0;
    for (size_t i = 0; i < sequences.size(); ++i) {
      Draws draws(Random(2).split(i)), again(Random(2).split(i));
      const Corrupted c = corrupt(sequences[i], draws);
      Cells cells(c.inputs.size(), -1);
      for (const TokenWord& word : select(sequences[i], options.select, again).words) {
        const int32_t cell = granularity == Granularity::word    ? word.begin
                             : granularity == Granularity::ngram ? word.ngram
                                                                 : word.sentence;
        std::fill(cells.begin() + word.begin, cells.begin() + word.end, cell);
      }
      for (size_t k = 0; k < c.positions.size(); ++k) {
        ASSERT_EQ(cells[static_cast<size_t>(c.positions[k])],
                  cells[static_cast<size_t>(c.places[k])]);
        moved += c.places[k] != c.positions[k];
      }
    }
    EXPECT_GT(moved, 10000);
  }
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
}

// A chunk of one sentence has a random B, others half of the time. In documents of many short
// sentences one chunk at most is of one sentence: the last.
TEST_F(Statistics, NextSentencesAreRandomHalfOfTheTime) {
  constexpr size_t kSentences = 1000, kShort = 60;
  std::vector<TokenDocument> documents(1);
  for (const TokenDocument& document : text_.documents) {
    for (const TokenSentence& s : document) {
      if (s.ids.size() > kShort) continue;
      if (documents.back().size() == kSentences) documents.emplace_back();
      documents.back().push_back(s);
    }
  }
  Draws draws{Random(1)};
  double random = 0, all = 0;
  for (const Instance& instance :
       next_sentence_pairs(documents, {.short_probability = 0, .tokens = tokens_}, draws)) {
    random += instance.pair_label;
    ++all;
  }
  ASSERT_GT(all, 5000);
  const double deviation = std::sqrt(0.25 / all),
               alone = static_cast<double>(documents.size()) / all;
  EXPECT_GT(random / all, 0.5 - 4 * deviation);
  EXPECT_LT(random / all, 0.5 + 4 * deviation + alone);
}

TEST_F(Statistics, ASixthOfTheTokensAreTargetsOfTheFactorization) {
  for_each(permutation_model({}), [&](const Instance& instance, const Corrupted& c) {
    const double n = static_cast<double>(instance.ids.size());
    const auto goal = std::max(1.0, std::nearbyint(n / 6));
    const auto most = static_cast<double>(std::ranges::count(instance.special, 0));
    ASSERT_EQ(static_cast<double>(c.positions.size()), std::min(goal, most));
  });
}

// The whole way from files to batches, blocks and pairs included.
TEST_F(Statistics, TheSameSeedGivesTheSameBatchesForAnyNumberOfThreads) {
  const fs::path folder = data_folder();
  const Segmenter segmenter =
      Segmenter::load({.dictionary = folder / "segmentation" / "jieba-dict-small.txt"});
  const auto batches = [&](int count, uint64_t seed) {
    const int before = threads();
    set_threads(count);
    PretrainData data({folder / "text"}, *text_.tokenizer, &segmenter, permuted_language_model({}),
                      {.pair_task = PairTask::next_sentence, .block_bytes = 1 << 18, .seed = seed});
    std::vector<std::vector<int32_t>> all;
    for (int i = 0; i < 60; ++i) {
      const PretrainBatch batch = data.next();
      for (const Tensor& t : {batch.inputs.ids, batch.places, batch.pair_labels})
        all.push_back(to_vector<int32_t>(t));
    }
    set_threads(before);
    return all;
  };
  const auto one = batches(1, 1);
  EXPECT_EQ(one, batches(3, 1));
  EXPECT_EQ(one, batches(8, 1));
  EXPECT_NE(one, batches(1, 2)) << "another seed";
}

}  // namespace
}  // namespace ink
