// parallel_for: every chunk runs once, whoever calls, from wherever, and errors come back.
#include "tensor/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/expect_error.h"

namespace ink {
namespace {

class ParallelTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_threads(GetParam()); }
  void TearDown() override { set_threads(before_); }
  int before_ = threads();
};

INSTANTIATE_TEST_SUITE_P(Threads, ParallelTest, ::testing::Values(1, 2, 3, 8));

TEST_P(ParallelTest, CoversEveryElementOnceInChunksOfTheGrain) {
  for (const auto& [n, grain] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 1}, {1, 1}, {7, 3}, {9, 3}, {1000, 1}, {1000, 7}, {5, 100}}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
    std::atomic<int> badly_cut{0};
    parallel_for(n, grain, [&, n = n, grain = grain](int64_t begin, int64_t end) {
      if (begin % grain != 0 || (end != n && end != begin + grain)) ++badly_cut;
      for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
    });
    EXPECT_EQ(badly_cut, 0) << n << " by " << grain;
    for (const auto& s : seen) EXPECT_EQ(s, 1) << n << " by " << grain;
  }
}

TEST_P(ParallelTest, SeveralThreadsTakePart) {
  const auto others = static_cast<size_t>(GetParam());
  std::atomic<size_t> inside{0};
  // Every chunk waits until all threads are inside one: this ends only when all of them work.
  parallel_for(GetParam(), 1, [&](int64_t, int64_t) {
    ++inside;
    while (inside < others) std::this_thread::yield();
  });
  EXPECT_EQ(inside, others);
}

TEST_P(ParallelTest, ACallInsideAChunkRunsInPlace) {
  std::atomic<int64_t> sum{0};
  std::atomic<int> moved{0};
  parallel_for(16, 1, [&](int64_t begin, int64_t) {
    const auto me = std::this_thread::get_id();
    parallel_for(10, 3, [&](int64_t b, int64_t e) {
      if (std::this_thread::get_id() != me) ++moved;
      sum += (e - b) * (begin + 1);
    });
  });
  EXPECT_EQ(sum, 10 * 16 * 17 / 2);
  EXPECT_EQ(moved, 0);
}

TEST_P(ParallelTest, RaisesTheErrorOfTheFirstChunkThatFails) {
  for (int round = 0; round < 50; ++round) {
    try {
      parallel_for(100, 1, [](int64_t begin, int64_t) {
        if (begin >= 20) throw std::runtime_error(std::to_string(begin));
      });
      FAIL() << "no error arrived";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "20");
    }
  }
  std::atomic<int> count{0};
  parallel_for(100, 1, [&](int64_t, int64_t) { ++count; });  // the pool goes on working
  EXPECT_EQ(count, 100);
}

TEST_P(ParallelTest, SeveralCallersAtOnce) {
  std::vector<int64_t> sums(4);
  std::vector<std::thread> callers;
  for (size_t c = 0; c < sums.size(); ++c) {
    callers.emplace_back([&, c] {
      for (int round = 0; round < 300; ++round) {
        std::atomic<int64_t> sum{0};
        parallel_for(64, 1, [&](int64_t begin, int64_t) { sum += begin; });
        sums[c] += sum;
      }
    });
  }
  for (auto& c : callers) c.join();
  for (int64_t s : sums) EXPECT_EQ(s, 300 * 64 * 63 / 2);
}

TEST_P(ParallelTest, ManySmallJobsAndSleeps) {
  int64_t total = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<int64_t> part(8);
    parallel_for(8, 1, [&](int64_t begin, int64_t) { part[static_cast<size_t>(begin)] = begin; });
    for (int64_t p : part) total += p;
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // all asleep
  }
  EXPECT_EQ(total, 2000 * 28);
}

TEST(Parallel, ThreadsCanBeSet) {
  const int before = threads();
  for (int n : {1, 5, 2, 2, 8, 1}) {
    set_threads(n);
    EXPECT_EQ(threads(), n);
  }
  set_threads(before);
  EXPECT_ERROR(set_threads(0), "expected 1 to 256, got 0");
  EXPECT_ERROR(set_threads(257), "expected 1 to 256, got 257");
  EXPECT_ERROR(parallel_for(4, 0, [](int64_t, int64_t) {}), "expected a grain of at least 1");
  set_threads(2);
  EXPECT_ERROR(parallel_for(4, 1, [](int64_t, int64_t) { set_threads(3); }),
               "outside parallel_for");
  set_threads(before);
}

}  // namespace
}  // namespace ink
