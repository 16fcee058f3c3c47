// Slabs: which blocks were cut from which piece of memory.
#include "cuda/slabs.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ink::cuda {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(Slabs, KnowTheirBlocks) {
  std::vector<char> memory(3 * Slabs::kBlocks * 10);
  char *first = memory.data(), *second = first + Slabs::kBlocks * 10;
  Slabs slabs;
  slabs.add(first, 10);
  slabs.add(second, 20);
  EXPECT_EQ(slabs.of(first), first);
  EXPECT_EQ(slabs.of(second - 10), first);
  EXPECT_EQ(slabs.of(second), second);
  EXPECT_EQ(slabs.of(first + memory.size() - 20), second);
  slabs.remove(second);
  EXPECT_EQ(slabs.of(second), nullptr);  // a block of its own that lies behind a slab
  EXPECT_EQ(Slabs().of(first), nullptr);
}

TEST(Slabs, CountTheBlocksOfEach) {
  std::vector<char> memory(2 * Slabs::kBlocks + 1);
  char *first = memory.data(), *second = first + Slabs::kBlocks;
  Slabs slabs;
  slabs.add(first, 1);
  slabs.add(second, 1);
  const std::vector<std::pair<size_t, void*>> blocks = {
      {1, first}, {1, second + 3}, {1, second}, {1, second + Slabs::kBlocks}};
  const auto counts = slabs.counts(blocks);
  EXPECT_EQ(counts.size(), 2);
  EXPECT_EQ(counts.at(first), 1);
  EXPECT_EQ(counts.at(second), 2);
}

TEST(Slabs, ServeBlocksThatTheDriverWouldRoundUpMost) {
  EXPECT_FALSE(Slabs::serves(kMiB - 1));
  EXPECT_TRUE(Slabs::serves(kMiB));
  EXPECT_TRUE(Slabs::serves(16 * kMiB - 1));
  EXPECT_FALSE(Slabs::serves(16 * kMiB));
}

}  // namespace
}  // namespace ink::cuda
