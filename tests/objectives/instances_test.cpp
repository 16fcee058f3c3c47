// Pairs of both tasks and full sentences, cut from documents in which every token is unique.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "objectives/full_sentences.h"
#include "objectives/next_sentence.h"
#include "objectives/sentence_order.h"

namespace ink {
namespace {

constexpr ObjectiveTokens kTokens{.cls = 0, .sep = 1, .mask = 2, .vocabulary_size = 1 << 30};
constexpr int32_t kPerDocument = 10000;

// Token t of document d is (d + 1) · kPerDocument + t.
TokenDocument document_of(size_t d, const std::vector<size_t>& lengths) {
  TokenDocument document;
  auto next = static_cast<int32_t>(d + 1) * kPerDocument;
  for (const size_t length : lengths) {
    TokenSentence s;
    for (size_t i = 0; i < length; ++i) {
      s.ids.push_back(next++);
      s.continues.push_back(i % 2);
    }
    document.push_back(s);
  }
  return document;
}

std::vector<TokenDocument> random_documents(uint64_t seed, size_t count, size_t most_sentences) {
  Draws draws{Random(seed)};
  std::vector<TokenDocument> documents;
  for (size_t d = 0; d < count; ++d) {
    std::vector<size_t> lengths(1 + draws.below(most_sentences));
    for (size_t& each : lengths) each = 1 + draws.below(30);
    documents.push_back(document_of(d, lengths));
  }
  return documents;
}

struct Parts {
  std::vector<int32_t> a, b;
};

// Checks the frame [CLS] A [SEP] B [SEP] and returns what is inside.
Parts parts_of(const Instance& x) {
  EXPECT_EQ(x.ids.size(), x.segments.size());
  EXPECT_EQ(x.ids.size(), x.continues.size());
  EXPECT_EQ(x.ids.size(), x.special.size());
  EXPECT_EQ(x.ids.size(), x.begins.size());
  const auto first = std::ranges::find(x.ids, kTokens.sep) - x.ids.begin();
  EXPECT_EQ(x.ids.front(), kTokens.cls);
  EXPECT_EQ(x.ids.back(), kTokens.sep);
  EXPECT_EQ(std::ranges::count(x.special, 1), 3);
  for (ptrdiff_t i = 0; i < std::ssize(x.ids); ++i) {
    EXPECT_EQ(x.segments[static_cast<size_t>(i)], i > first ? 1 : 0);
  }
  return {{x.ids.begin() + 1, x.ids.begin() + first}, {x.ids.begin() + first + 1, x.ids.end() - 1}};
}

bool consecutive(const std::vector<int32_t>& ids) {
  return std::ranges::adjacent_find(ids, [](int32_t x, int32_t y) { return y != x + 1; }) ==
         ids.end();
}

TEST(NextSentence, PairsAreRunsOfOneDocumentWithTheRightLabel) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const auto documents = random_documents(seed, 20, 12);
    Draws draws{Random(seed)};
    for (const Instance& x :
         next_sentence_pairs(documents, {.max_tokens = 64, .tokens = kTokens}, draws)) {
      ASSERT_LE(x.ids.size(), 64u);
      const Parts p = parts_of(x);
      ASSERT_FALSE(p.a.empty());
      ASSERT_FALSE(p.b.empty());
      ASSERT_TRUE(consecutive(p.a) && consecutive(p.b));
      const bool same = p.a[0] / kPerDocument == p.b[0] / kPerDocument;
      ASSERT_EQ(x.pair_label, same ? 0 : 1);
      ASSERT_TRUE(!same || p.a.back() < p.b.front());
    }
  }
}

TEST(NextSentence, EverySentenceIsReadEvenAfterARandomB) {
  const auto documents = random_documents(5, 40, 12);
  Draws draws{Random(9)};
  const PairOptions options{.max_tokens = 4000, .tokens = kTokens};  // nothing needs truncation
  std::multiset<int32_t> read;
  for (const Instance& x : next_sentence_pairs(documents, options, draws)) {
    const Parts p = parts_of(x);
    read.insert(p.a.begin(), p.a.end());
    if (x.pair_label == 0) read.insert(p.b.begin(), p.b.end());
  }
  for (const TokenDocument& document : documents) {
    for (const TokenSentence& s : document) {
      for (const int32_t id : s.ids) ASSERT_EQ(read.count(id), 1u) << id;
    }
  }
}

TEST(NextSentence, LongDocumentsGiveHalfRandomPairsAndSingleSentencesOnlyRandomOnes) {
  std::vector<TokenDocument> documents;
  for (size_t d = 0; d < 40; ++d) documents.push_back(document_of(d, std::vector<size_t>(200, 10)));
  Draws draws{Random(2)};
  const auto pairs =
      next_sentence_pairs(documents, {.short_probability = 0, .tokens = kTokens}, draws);
  const auto n = static_cast<double>(pairs.size());
  const auto random = static_cast<double>(
      std::ranges::count_if(pairs, [](const Instance& x) { return x.pair_label == 1; }));
  EXPECT_NEAR(random / n, 0.5, 4 * std::sqrt(0.25 / n));

  documents.clear();
  for (size_t d = 0; d < 40; ++d) documents.push_back(document_of(d, {10}));
  for (const Instance& x : next_sentence_pairs(documents, {.tokens = kTokens}, draws)) {
    EXPECT_EQ(x.pair_label, 1);
  }
}

// A block of one long document, whose other documents lie in the next block.
TEST(NextSentence, ADocumentAloneTakesRandomBsFromTheOthers) {
  const std::vector<TokenDocument> one{document_of(0, std::vector<size_t>(900, 1))},
      others{document_of(7, {10, 10}), document_of(8, {10})};
  Draws draws{Random(2)};
  int64_t random = 0, pairs = 0;
  for (const Instance& x : next_sentence_pairs(one, {.tokens = kTokens, .others = others}, draws)) {
    const Parts p = parts_of(x);
    ASSERT_EQ(x.pair_label, p.b[0] / kPerDocument == p.a[0] / kPerDocument ? 0 : 1);
    random += x.pair_label;
    ++pairs;
  }
  const auto n = static_cast<double>(pairs);
  EXPECT_NEAR(static_cast<double>(random) / n, 0.5, 4 * std::sqrt(0.25 / n));
  for (const Instance& x : next_sentence_pairs(one, {.tokens = kTokens}, draws))
    ASSERT_EQ(x.pair_label, 0);
}

TEST(NextSentence, ShortProbabilityShortensChunksOfWholeDocuments) {
  std::vector<TokenDocument> documents;
  for (size_t d = 0; d < 400; ++d) documents.push_back(document_of(d, std::vector<size_t>(40, 5)));
  const auto longest_of_documents = [&](double probability) {
    Draws draws{Random(3)};
    std::vector<size_t> longest(documents.size());
    const PairOptions options{
        .max_tokens = 128, .short_probability = probability, .tokens = kTokens};
    for (const Instance& x : next_sentence_pairs(documents, options, draws)) {
      size_t& most = longest[static_cast<size_t>(x.ids[1] / kPerDocument - 1)];
      most = std::max(most, x.ids.size());
    }
    return std::ranges::count_if(longest, [](size_t n) { return n < 100; });
  };
  EXPECT_EQ(longest_of_documents(0), 0);
  const auto some =
      static_cast<double>(longest_of_documents(0.1));  // 97/123 of the targets are that short
  const double p = 0.1 * 97 / 123;
  EXPECT_NEAR(some, 400 * p, 4 * std::sqrt(400 * p * (1 - p)));
}

TEST(NextSentence, TruncationKeepsTheShorterSegmentWhole) {
  std::vector<TokenDocument> documents{document_of(0, {3}), document_of(1, {500})};
  Draws draws{Random(4)};
  const auto pairs = next_sentence_pairs(documents, {.max_tokens = 64, .tokens = kTokens}, draws);
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(parts_of(pairs[0]).a.size(), 3u);
  EXPECT_EQ(parts_of(pairs[0]).b.size(), 58u);
  EXPECT_EQ(parts_of(pairs[1]).a.size(), 58u);
  EXPECT_EQ(pairs[1].ids.size(), 64u);
}

TEST(NextSentence, ADocumentAloneGivesOnlyWhatFollows) {
  Draws draws{Random(4)};
  const std::vector<TokenDocument> sentence{document_of(0, {10})};
  EXPECT_TRUE(next_sentence_pairs(sentence, {.tokens = kTokens}, draws).empty());
  const std::vector<TokenDocument> alone{document_of(0, std::vector<size_t>(200, 10))};
  const auto pairs = next_sentence_pairs(alone, {.tokens = kTokens}, draws);
  EXPECT_GT(pairs.size(), 10u);
  for (const Instance& x : pairs) EXPECT_EQ(x.pair_label, 0);
}

TEST(NextSentence, ARandomBIsNeverOfTheSameDocument) {
  const std::vector<TokenDocument> two{document_of(0, std::vector<size_t>(900, 10)),
                                       document_of(1, std::vector<size_t>(900, 10))};
  for (uint64_t seed = 0; seed < 20; ++seed) {  // BERT's ten tries fail once in a thousand pairs
    Draws draws{Random(seed)};
    for (const Instance& x :
         next_sentence_pairs(two, {.max_tokens = 32, .tokens = kTokens}, draws)) {
      const Parts p = parts_of(x);
      ASSERT_EQ(x.pair_label, p.a[0] / kPerDocument == p.b[0] / kPerDocument ? 0 : 1);
    }
  }
}

TEST(NextSentence, BadInputIsRefused) {
  Draws draws{Random(4)};
  const std::vector<TokenDocument> empty(1);
  EXPECT_THROW(next_sentence_pairs(empty, {}, draws), Error);
  EXPECT_THROW(next_sentence_pairs({}, {.max_tokens = 4}, draws), Error);
}

TEST(SentenceOrder, PairsFollowEachOtherAndAreSwappedHalfOfTheTime) {
  double swapped = 0, pairs = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const auto documents = random_documents(seed, 20, 12);
    Draws draws{Random(seed)};
    for (const Instance& x :
         sentence_order_pairs(documents, {.max_tokens = 200, .tokens = kTokens}, draws)) {
      ASSERT_LE(x.ids.size(), 200u);
      if (x.pair_label == kIgnore) continue;
      const Parts p = parts_of(x);
      const auto &first = x.pair_label ? p.b : p.a, &second = x.pair_label ? p.a : p.b;
      ASSERT_TRUE(consecutive(p.a) && consecutive(p.b));
      ASSERT_LT(first.back(), second.front());
      ASSERT_EQ(first[0] / kPerDocument, second[0] / kPerDocument);
      swapped += x.pair_label;
      ++pairs;
    }
  }
  EXPECT_NEAR(swapped / pairs, 0.5, 4 * std::sqrt(0.25 / pairs));
}

void expect_each_once(const std::vector<TokenDocument>& documents,
                      const std::vector<Instance>& instances) {
  std::multiset<int32_t> read;
  for (const Instance& x : instances)
    for (size_t i = 0; i < x.ids.size(); ++i)
      if (!x.special[i]) read.insert(x.ids[i]);
  for (const TokenDocument& document : documents)
    for (const TokenSentence& s : document)
      for (const int32_t id : s.ids) ASSERT_EQ(read.count(id), 1u) << id;
}

TEST(SentenceOrder, EveryTokenIsReadAndOneWordAloneHasNoLabel) {
  const auto documents = random_documents(5, 40, 4);
  Draws draws{Random(9)};
  const auto instances =
      sentence_order_pairs(documents, {.max_tokens = 4000, .tokens = kTokens}, draws);
  int64_t alone = 0;
  for (const Instance& x : instances) {
    const bool one_word = x.ids.size() <= 4;  // words are of two tokens at most
    ASSERT_EQ(x.pair_label == kIgnore, one_word) << x.ids.size();
    ASSERT_EQ(x.pair_label == kIgnore, x.segments.back() == 0);
    alone += one_word;
  }
  EXPECT_GT(alone, 0);
  expect_each_once(documents, instances);
}

TEST(SentenceOrder, PairsThatAreAskedNothingStayInOrder) {
  const auto documents = random_documents(5, 40, 12);
  Draws draws{Random(9)};
  const auto instances =
      consecutive_pairs(documents, {.max_tokens = 4000, .tokens = kTokens}, draws);
  int64_t pairs = 0;
  for (const Instance& x : instances) {
    ASSERT_EQ(x.pair_label, kIgnore);
    if (x.segments.back() == 0) continue;
    const Parts p = parts_of(x);
    ASSERT_EQ(p.a.back() + 1, p.b.front());
    ++pairs;
  }
  EXPECT_GT(pairs, 30);
  expect_each_once(documents, instances);
}

TEST(SentenceOrder, ALongSentenceIsReadInPiecesThatArePairsOfWholeWords) {
  const std::vector<TokenDocument> documents{document_of(0, {500}), document_of(1, {61})};
  Draws draws{Random(4)};
  const auto instances = sentence_order_pairs(
      documents, {.max_tokens = 64, .short_probability = 0, .tokens = kTokens}, draws);
  EXPECT_EQ(instances.size(), 10u);  // 60 tokens in each piece: 61 would end inside a word
  for (const Instance& x : instances) {
    EXPECT_LE(x.ids.size(), 64u);
    ASSERT_NE(x.pair_label, kIgnore);
    for (const std::vector<int32_t>& part : {parts_of(x).a, parts_of(x).b})
      EXPECT_EQ(part.front() % 2, 0) << "a word is cut";
  }
  expect_each_once(documents, instances);
}

TEST(Instances, XlnetPutsItsClassTokenLast) {
  ObjectiveTokens tokens = kTokens;
  tokens.cls_last = true;
  const Segment a({{5, 6}, {0, 1}}), b({{7}, {0}});
  const Instance pair = make_instance(a, &b, tokens);
  EXPECT_EQ(pair.ids, (std::vector<int32_t>{5, 6, kTokens.sep, 7, kTokens.sep, kTokens.cls}));
  EXPECT_EQ(pair.segments, (std::vector<int32_t>{0, 0, 0, 1, 1, 2}));
  EXPECT_EQ(pair.begins, (std::vector<uint8_t>{1, 0, 0, 1, 0, 0}));
  EXPECT_EQ(pair.special, (std::vector<uint8_t>{0, 0, 1, 0, 1, 1}));
}

TEST(FullSentences, EveryTokenOnceInOrderAndNeverTwoDocumentsInOne) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto documents = random_documents(seed, 10, 20);
    std::vector<int32_t> read, all;
    for (const Instance& x : full_sentences(documents, 40, kTokens)) {
      ASSERT_LE(x.ids.size(), 40u);
      ASSERT_EQ(x.ids[1] / kPerDocument, x.ids[x.ids.size() - 2] / kPerDocument);
      ASSERT_EQ(std::ranges::count(x.segments, 0), std::ssize(x.segments));
      read.insert(read.end(), x.ids.begin() + 1, x.ids.end() - 1);
    }
    for (const auto& document : documents) {
      for (const auto& s : document) all.insert(all.end(), s.ids.begin(), s.ids.end());
    }
    ASSERT_EQ(read, all);
  }
}

TEST(FullSentences, SentencesStayWholeUnlessTheyAreLongerThanASequence) {
  // 8 tokens fit: 5 | 3 + 5 | 4, and 20 as 8 + 8 + 4 cut between its words of two
  const std::vector<TokenDocument> documents{document_of(0, {5, 3, 5, 4}), document_of(1, {20})};
  std::vector<size_t> lengths;
  for (const Instance& x : full_sentences(documents, 10, kTokens))
    lengths.push_back(x.ids.size() - 2);
  EXPECT_EQ(lengths, (std::vector<size_t>{8, 5, 4, 8, 8, 4}));
  lengths.clear();
  for (const Instance& x : full_sentences(documents, 9, kTokens)) {
    lengths.push_back(x.ids.size() - 2);
    EXPECT_EQ(x.continues[1], 0) << "cut inside a word";
  }
  EXPECT_EQ(lengths, (std::vector<size_t>{5, 3, 5, 4, 6, 6, 6, 2}));
}

}  // namespace
}  // namespace ink
