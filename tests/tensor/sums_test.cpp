// Sums in fixed order: right, accurate, and the same bits however they are computed.
#include "tensor/sums.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/op.h"
#include "tensor/ops.h"

namespace ink {
namespace {

template <class T>
T sum_of(const std::vector<T>& x) {
  T sum = 0;
  simd::run([&, p = x.data()] {
    sum = row_sum<T>(static_cast<int64_t>(x.size()), [p](int64_t i) { return p[i]; });
  });
  return sum;
}

TEST(RowSum, IsExactForIntegersOfEveryLength) {
  for (size_t n = 0; n < 200; ++n) {
    std::vector<float> x(n);
    for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i + 1);
    EXPECT_EQ(sum_of(x), static_cast<float>(n * (n + 1) / 2));
  }
}

TEST(RowSum, LosesLessThanOneAddingUpInARow) {
  const std::vector<float> x = to_vector<float>(rand_uniform({100000}, 1, 0, 1, Dtype::f32));
  double exact = 0;
  for (const float v : x) exact += static_cast<double>(v);
  EXPECT_NEAR(static_cast<double>(sum_of(x)), exact, 1e-6 * exact);
}

TEST(RowSum, IsTheSameBitsAtEveryInstructionSet) {
  const simd::Level before = simd::level();
  for (const int64_t n : {1, 31, 64, 777}) {
    const std::vector<float> x = to_vector<float>(randn({n}, 1, Dtype::f32));
    simd::set_level(simd::Level::portable);
    const float expected = sum_of(x);
    for (const simd::Level level : {simd::Level::avx2, simd::Level::avx512}) {
      if (level > simd::best()) continue;
      simd::set_level(level);
      EXPECT_EQ(sum_of(x), expected);
    }
  }
  simd::set_level(before);
}

TEST(RowMaximum, FindsItAnywhere) {
  for (int64_t n = 1; n < 100; ++n) {
    for (int64_t at = 0; at < n; ++at) {
      std::vector<double> x(static_cast<size_t>(n), -5);
      x[static_cast<size_t>(at)] = -4;
      EXPECT_EQ(row_maximum(n, x.data()), -4);
    }
  }
  EXPECT_EQ(row_maximum<float>(0, nullptr), -INFINITY);
}

TEST(ColumnSums, AddRowsInBlocksForAnyNumberOfThreads) {
  const int before = threads();
  for (const int64_t N : {0, 1, 63, 64, 65, 300}) {
    for (const int64_t C : {1, 127, 128, 500}) {
      const Tensor x = randn({N, C}, 1);
      const double* p = x.data<double>();
      std::vector<double> sums(static_cast<size_t>(C)), again(static_cast<size_t>(C), 1.0);
      set_threads(1);
      column_sums(p, N, C, sums.data());
      for (int64_t c = 0; c < C; ++c) {
        double expected = 0;
        for (int64_t n = 0; n < N; ++n) expected += p[n * C + c];
        EXPECT_NEAR(sums[static_cast<size_t>(c)], expected, 1e-12);
      }
      set_threads(3);
      column_sums(p, N, C, again.data(), true);
      for (size_t c = 0; c < sums.size(); ++c) EXPECT_NEAR(again[c], sums[c] + 1, 1e-12);
      column_sums(p, N, C, again.data());
      EXPECT_EQ(again, sums);
    }
  }
  set_threads(before);
}

TEST(ColumnSums, AreTheSameBitsAtEveryInstructionSet) {
  const simd::Level before = simd::level();
  const Tensor x = randn({203, 77}, 1, Dtype::f32);
  std::vector<float> expected(77), sums(77);
  simd::set_level(simd::Level::portable);
  column_sums(x.data<float>(), 203, 77, expected.data());
  for (const simd::Level level : {simd::Level::avx2, simd::Level::avx512}) {
    if (level > simd::best()) continue;
    simd::set_level(level);
    column_sums(x.data<float>(), 203, 77, sums.data());
    EXPECT_EQ(sums, expected) << simd::name_of(level);
  }
  simd::set_level(before);
}

TEST(AddRows, AddsToWhatIsThereForAnyNumberOfRows) {
  constexpr int64_t kWidth = 5, kLd = 7;
  std::vector<float> x(20 * kLd);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * i);
  for (int64_t R = 0; R < 20; ++R) {
    std::vector<double> sum(kWidth + 1, 1.0), expected(sum);
    for (int64_t i = 0; i < R * kWidth; ++i)
      expected[static_cast<size_t>(i % kWidth)] +=
          x[static_cast<size_t>(i / kWidth * kLd + i % kWidth)];
    add_rows(x.data(), R, kLd, kWidth, sum.data());
    EXPECT_EQ(sum, expected) << R << " rows";
  }
}

// One family of sums: those over axes are these, in f64.
TEST(RowSum, IsWhatTheSumOverAnAxisIs) {
  const Tensor x = randn({3, 777}, 1);
  const Tensor over_rows = sum(x, 1), over_columns = sum(x, 0);
  std::vector<double> columns(777);
  add_rows(x.data<double>(), 3, 777, 777, columns.data());
  EXPECT_EQ(to_vector<double>(over_columns), columns);
  for (int64_t n = 0; n < 3; ++n)
    EXPECT_EQ(over_rows.data<double>()[n], sum_of(to_vector<double>(slice(x, 0, n, n + 1))));
}

TEST(ChunkedSum, CoversEveryElementOnce) {
  for (const int64_t n : {0, 1, 16384, 16385, 100000}) {
    EXPECT_EQ(
        chunked_sum(n, [](int64_t begin, int64_t end) { return static_cast<double>(end - begin); }),
        static_cast<double>(n));
  }
}

}  // namespace
}  // namespace ink
