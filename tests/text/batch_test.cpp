// Batches by tokens, packing, and results computed ahead.
#include "text/batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>

#include "tensor/philox.h"
#include "tests/expect_error.h"
#include "text/prefetch.h"

namespace ink {
namespace {

Encoding encoding(std::vector<int32_t> ids, std::vector<int32_t> segments) {
  return {.ids = std::move(ids), .segments = std::move(segments)};
}

TEST(Pack, PutsSequencesEndToEnd) {
  const std::vector<Encoding> list = {encoding({2, 8, 3}, {0, 0, 0}),
                                      encoding({2, 9, 3, 7, 3}, {0, 0, 0, 1, 1})};
  const Packed packed = pack(list);
  EXPECT_EQ(to_vector<int32_t>(packed.ids), (std::vector<int32_t>{2, 8, 3, 2, 9, 3, 7, 3}));
  EXPECT_EQ(to_vector<int32_t>(packed.segments), (std::vector<int32_t>{0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(to_vector<int32_t>(packed.positions), (std::vector<int32_t>{0, 1, 2, 0, 1, 2, 3, 4}));
  EXPECT_EQ(to_vector<int32_t>(packed.offsets), (std::vector<int32_t>{0, 3, 8}));
  EXPECT_ERROR(pack(std::vector<Encoding>{encoding({}, {})}), "in every encoding");
}

std::vector<int64_t> random_lengths(size_t n) {
  Draws draws{Random(9)};
  std::vector<int64_t> lengths(n);
  for (int64_t& length : lengths) length = 1 + static_cast<int64_t>(draws.below(100));
  return lengths;
}

int64_t tokens_of(const std::vector<int64_t>& batch, const std::vector<int64_t>& lengths) {
  int64_t n = 0;
  for (const int64_t i : batch) n += lengths[static_cast<size_t>(i)];
  return n;
}

TEST(Batches, HoldEverySequenceOnceWithinTheBudget) {
  const std::vector<int64_t> lengths = random_lengths(1000);
  for (const int64_t window : {0, 64, 5000}) {
    for (const std::optional<uint64_t> seed : {std::optional<uint64_t>(), {1}, {2}}) {
      const BatchOptions options{
          .max_tokens = 300, .max_sequences = 20, .shuffle = seed, .sort_window = window};
      const auto all = batches(lengths, options);
      std::vector<int64_t> seen;
      for (const auto& batch : all) {
        EXPECT_LE(tokens_of(batch, lengths), 300);
        EXPECT_LE(batch.size(), 20u);
        seen.insert(seen.end(), batch.begin(), batch.end());
      }
      std::sort(seen.begin(), seen.end());
      std::vector<int64_t> every(lengths.size());
      std::iota(every.begin(), every.end(), 0);
      EXPECT_EQ(seen, every);
      EXPECT_EQ(batches(lengths, options), all) << "the same arguments give the same batches";
    }
  }
}

TEST(Batches, KeepTheOrderUnlessTold) {
  const std::vector<int64_t> lengths = {5, 5, 5, 20, 1};
  EXPECT_EQ(batches(lengths, {.max_tokens = 10}),
            (std::vector<std::vector<int64_t>>{{0, 1}, {2}, {3}, {4}}));
  EXPECT_NE(batches(random_lengths(50), {.shuffle = 1}),
            batches(random_lengths(50), {.shuffle = 2}));
  EXPECT_TRUE(batches({}).empty());
}

TEST(Batches, SortingMakesLengthsOfABatchAlike) {
  const std::vector<int64_t> lengths = random_lengths(1000);
  const auto spread = [&](int64_t window) {
    int64_t sum = 0;
    for (const auto& batch :
         batches(lengths, {.max_tokens = 300, .shuffle = 3, .sort_window = window})) {
      const auto by_length = [&](int64_t a, int64_t b) {
        return lengths[static_cast<size_t>(a)] < lengths[static_cast<size_t>(b)];
      };
      const auto [low, high] = std::minmax_element(batch.begin(), batch.end(), by_length);
      sum += lengths[static_cast<size_t>(*high)] - lengths[static_cast<size_t>(*low)];
    }
    return sum;
  };
  EXPECT_LT(10 * spread(1000), spread(0));
}

TEST(Batches, RefuseImpossibleArguments) {
  EXPECT_ERROR(batches({}, {.max_tokens = 0}), "max_tokens above 0");
  EXPECT_ERROR(batches({}, {.max_sequences = -1}), "at least 0");
  EXPECT_ERROR(batches(std::vector<int64_t>{3, 0}), "got 0 for sequence 1");
}

TEST(Prefetch, HandsOutResultsInOrder) {
  int made = 0;
  Prefetch<int> ahead(
      [&]() -> std::optional<int> { return made < 1000 ? std::optional(made++) : std::nullopt; },
      3);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(ahead.next(), i);
  EXPECT_EQ(ahead.next(), std::nullopt);
  EXPECT_EQ(ahead.next(), std::nullopt) << "the end stays the end";
}

TEST(Prefetch, WorksAheadNoFurtherThanItsDepth) {
  std::atomic<int> made{0};
  Prefetch<int> ahead([&]() -> std::optional<int> { return made++; }, 2);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(ahead.next(), i);
    ASSERT_LE(made, i + 1 + 2 + 1);  // taken, waiting, being made
  }
}

TEST(Prefetch, ExceptionsComeAfterTheResultsBeforeThem) {
  int made = 0;
  Prefetch<int> ahead([&]() -> std::optional<int> {
    if (made == 2) fail("producer: broken");
    return made++;
  });
  EXPECT_EQ(ahead.next(), 0);
  EXPECT_EQ(ahead.next(), 1);
  EXPECT_ERROR(ahead.next(), "producer: broken");
  EXPECT_ERROR(ahead.next(), "producer: broken");
}

TEST(Prefetch, StopsWhileResultsWait) {
  for (int round = 0; round < 50; ++round) {
    Prefetch<std::vector<int>> ahead(
        []() -> std::optional<std::vector<int>> {
          return {{1, 2, 3}};
        },
        4);
    if (round % 2) ahead.next();
  }
  EXPECT_ERROR(Prefetch<int>([]() -> std::optional<int> { return 1; }, 0), "depth above 0");
}

}  // namespace
}  // namespace ink
