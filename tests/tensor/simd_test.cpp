// Kernels run at every level of the processor, and elementwise results are the same bits at each.
#include "tensor/simd.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/expect_error.h"

namespace ink {
namespace {

using simd::Level;

class SimdTest : public ::testing::Test {
 protected:
  ~SimdTest() override { simd::set_level(before_); }
  Level before_ = simd::level();
};

TEST_F(SimdTest, GivesTheSameBitsAtEveryLevel) {
  std::vector<float> x(1003), first;
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.37f * static_cast<float>(i) - 170;
  for (Level l : {Level::portable, Level::avx2, Level::avx512}) {
    if (l > simd::best()) continue;
    simd::set_level(l);
    EXPECT_EQ(simd::level(), l);
    std::vector<float> y(x.size());
    simd::run([&] {
#pragma omp simd
      for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * 1.7f + x[i] / 3;  // would differ if fused
    });
    if (first.empty()) first = y;
    EXPECT_EQ(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)), 0) << simd::name_of(l);
  }
}

TEST_F(SimdTest, RefusesALevelThatTheProcessorLacks) {
  if (simd::best() == Level::avx512) GTEST_SKIP() << "this processor has every level";
  EXPECT_ERROR(simd::set_level(Level::avx512), "expected a level of this processor");
  EXPECT_EQ(simd::level(), before_);
}

TEST_F(SimdTest, LevelsHaveNames) {
  EXPECT_STREQ(simd::name_of(Level::portable), "portable");
  EXPECT_STREQ(simd::name_of(Level::avx2), "avx2");
  EXPECT_STREQ(simd::name_of(Level::avx512), "avx512");
}

}  // namespace
}  // namespace ink
