// The pool: reuse, alignment, statistics, the limit, and use from many threads.
#include "tensor/allocator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/tensor.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

constexpr size_t kMega = size_t{1} << 20;

TEST(Pool, BlocksAreAlignedAndHoldWhatWasAskedFor) {
  std::vector<std::pair<unsigned char*, size_t>> blocks;
  for (size_t bytes = 0; bytes < 5000; bytes += 37) {
    auto* p = static_cast<unsigned char*>(pool().allocate(bytes));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0U);
    std::memset(p, static_cast<int>(bytes % 251), bytes);
    blocks.emplace_back(p, bytes);
  }
  for (const auto& [p, bytes] : blocks) {  // nobody wrote into somebody else's block
    for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(p[i], bytes % 251);
    pool().release(p, bytes);
  }
}

TEST(Pool, ASecondRoundReachesNoSystem) {
  const auto round = [] {
    for (const int64_t n : {1, 100, 12345, 1000000}) {
      const Tensor a({n}), b({n + 3});
    }
  };
  round();
  const uint64_t before = pool_statistics().system_allocations;
  for (int i = 0; i < 10; ++i) round();
  EXPECT_EQ(pool_statistics().system_allocations, before);
}

// Training steps of varying length: what they keep must not grow with the number of lengths seen.
TEST(Pool, SizesThatNeverComeBackDoNotPileUp) {
  release_cached();
  reset_peak();
  uint64_t drawn = 1;
  for (int step = 0; step < 60; ++step) {
    drawn = drawn * 6364136223846793005u + 1442695040888963407u;
    const auto N = static_cast<int64_t>(100 + (drawn >> 33) % 3997);
    std::vector<Tensor> kept;
    for (int layer = 0; layer < 12; ++layer) {
      const Tensor temporary({N, 100 + 10 * layer});
      kept.push_back(Tensor({N, 256}));
      kept.push_back(Tensor({N, 1024}));
    }
    const AllocatorStatistics now = pool_statistics();
    ASSERT_LE(now.in_use + now.cached, now.peak / 2 * 3) << "step " << step;
  }
}

TEST(Pool, ABlockOfALargerClassReturnsToIt) {
  constexpr size_t kBlock = 40 * kMega;
  release_cached();
  const size_t before = pool_statistics().in_use;
  void* const large = pool().allocate(kBlock);
  void* const other = pool().allocate(kBlock);
  const uint64_t asked = pool_statistics().system_allocations;
  pool().release(large, kBlock);
  void* const smaller = pool().allocate(36 * kMega);  // a third block would exceed the bound
  EXPECT_EQ(smaller, large);
  pool().release(smaller, 36 * kMega);
  EXPECT_EQ(pool().allocate(kBlock), large);
  EXPECT_EQ(pool_statistics().system_allocations, asked);
  pool().release(large, kBlock);
  pool().release(other, kBlock);
  EXPECT_EQ(pool_statistics().in_use, before);
}

TEST(Pool, CountsWhatIsInUseAndItsPeak) {
  reset_peak();
  const AllocatorStatistics before = pool_statistics();
  EXPECT_EQ(before.peak, before.in_use);
  {
    const Tensor x({static_cast<int64_t>(kMega)});  // 4 MiB
    const size_t used = pool_statistics().in_use - before.in_use;
    EXPECT_GE(used, 4 * kMega);
    EXPECT_LE(used, 4 * kMega + kMega / 2 + 4096);  // an eighth at most is wasted
  }
  const AllocatorStatistics after = pool_statistics();
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_GE(after.peak, before.in_use + 4 * kMega);
  EXPECT_GE(after.cached, 4 * kMega);
  release_cached();
  EXPECT_EQ(pool_statistics().cached, 0U);
}

TEST(Pool, TheLimitIsAnErrorThatSaysWhatToDo) {
  release_cached();
  limit_pool(pool_statistics().in_use + 8 * kMega);
  EXPECT_ERROR(Tensor({static_cast<int64_t>(16 * kMega)}),
               "out of memory: 67108864 bytes requested");
  EXPECT_ERROR(Tensor({static_cast<int64_t>(16 * kMega)}), "use a smaller batch");
  EXPECT_EQ(Tensor({1000}).size(), 1000);  // what fits still works
  limit_pool(0);
  EXPECT_EQ(Tensor({static_cast<int64_t>(16 * kMega)}).bytes(), 64 * kMega);
  EXPECT_ERROR(Tensor({int64_t{1} << 55}), "pool: cannot allocate");
}

TEST(Pool, UnderTheLimitCachedBlocksMakeRoom) {
  release_cached();
  limit_pool(pool_statistics().in_use + 8 * kMega);
  { const Tensor x({static_cast<int64_t>(kMega)}); }          // 4 MiB, then cached
  { const Tensor x({static_cast<int64_t>(3 * kMega / 2)}); }  // 6 MiB fit only without them
  limit_pool(0);
}

TEST(Pool, CanHandOutMemoryFullOfNan) {
  fill_blocks(true);
  const Tensor x({100}), y({100}, Dtype::f64);
  fill_blocks(false);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(std::isnan(x.data<float>()[i]));
    EXPECT_TRUE(std::isnan(y.data<double>()[i]));
  }
}

TEST(Pool, ServesManyThreads) {
  const size_t before = pool_statistics().in_use;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int64_t i = 0; i < 500; ++i) {
        const Tensor x = full({1 + i * 37 % 1000}, t);
        for (int64_t k = 0; k < x.size(); ++k) ASSERT_EQ(x.data<float>()[k], static_cast<float>(t));
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(pool_statistics().in_use, before);
}

}  // namespace
}  // namespace ink
