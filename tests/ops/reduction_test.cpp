// sum, mean, maximum, argmax: values against plain loops, accuracy of long sums, ties and NaN.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

const Shape kShapes[] = {{1},       {5},       {3, 4},    {4, 1},          {301, 3},
                         {3, 1030}, {2, 3, 5}, {7, 1, 2}, {2, 3, 4, 5, 2}, {3, 300, 7}};

// Calls f(values of x along `axis`, flat position in the result) for every element of the result.
template <class F>
void each_line(const Tensor& x, int axis, const F& f) {
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x.dim(i);
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x.dim(i);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      std::vector<double> line;
      for (int64_t r = 0; r < x.dim(axis); ++r) {
        line.push_back(x.data<double>()[(o * x.dim(axis) + r) * inner + i]);
      }
      f(line, o * inner + i);
    }
  }
}

TEST(Reduction, EqualsPlainLoopsOverEveryAxis) {
  for (const Shape& shape : kShapes) {
    const Tensor x = randn(shape, 3);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Tensor total = sum(x, axis), average = mean(x, axis - shape.rank()),
                   largest = maximum(x, axis, true);
      each_line(x, axis, [&](const std::vector<double>& line, int64_t at) {
        double plain = 0, size = 0;
        for (const double v : line) plain += v, size += std::abs(v);
        ASSERT_NEAR(total.data<double>()[at], plain, 1e-14 * size) << shape << axis;
        ASSERT_NEAR(average.data<double>()[at], plain / static_cast<double>(line.size()),
                    1e-14 * size);
        ASSERT_EQ(largest.data<double>()[at], *std::max_element(line.begin(), line.end()));
      });
    }
  }
}

TEST(Reduction, KeepsOrDropsTheAxis) {
  const Tensor x = randn({2, 3, 4}, 1);
  EXPECT_EQ(sum(x).shape(), Shape{});
  EXPECT_EQ(sum(x, 1).shape(), (Shape{2, 4}));
  EXPECT_EQ(sum(x, -1, true).shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(maximum(x, 0).shape(), (Shape{3, 4}));
  EXPECT_EQ(maximum(x, 0, true).shape(), (Shape{1, 3, 4}));
  EXPECT_EQ(argmax(x).shape(), (Shape{2, 3}));
  EXPECT_EQ(argmax(x).dtype(), Dtype::i32);
}

TEST(Reduction, SumsOfNothingAreZero) {
  EXPECT_EQ(sum(zeros({0})).item(), 0);
  EXPECT_EQ(to_vector<float>(sum(zeros({2, 0}), 1)), (std::vector<float>{0, 0}));
  EXPECT_EQ(sum(zeros({0, 3}), 1).size(), 0);
}

// Ten million equal values and a series whose plain f32 sum would lose everything.
TEST(Reduction, LongSumsInF32AreCorrectlyRounded) {
  EXPECT_EQ(sum(full({3000, 1001}, 0.1, Dtype::f32)).item(),
            static_cast<double>(static_cast<float>(3003000 * static_cast<double>(0.1F))));
  const Tensor x = randn({100, 10000}, 9, Dtype::f32);
  const Tensor rows = sum(x, 1), columns = sum(x, 0);
  const Tensor exact_rows = sum(converted(x, Dtype::f64), 1),
               exact_columns = sum(converted(x, Dtype::f64), 0);
  EXPECT_TRUE(equal_bits(rows, converted(exact_rows, Dtype::f32)));
  EXPECT_TRUE(equal_bits(columns, converted(exact_columns, Dtype::f32)));
}

TEST(Reduction, BitsDependOnNeitherThreadsNorInstructionSet) {
  const Tensor x = randn({700, 1500}, 9, Dtype::f32);
  const int threads_before = threads();
  const simd::Level level_before = simd::level();
  simd::set_level(simd::Level::portable);
  set_threads(1);
  const Tensor all = sum(x), rows = mean(x, 1), columns = mean(x, 0);
  for (int l = 0; l <= static_cast<int>(simd::best()); ++l) {
    simd::set_level(static_cast<simd::Level>(l));
    for (const int n : {1, 3}) {
      set_threads(n);
      EXPECT_TRUE(equal_bits(sum(x), all));
      EXPECT_TRUE(equal_bits(mean(x, 1), rows));
      EXPECT_TRUE(equal_bits(mean(x, 0), columns));
    }
  }
  simd::set_level(level_before);
  set_threads(threads_before);
}

TEST(Reduction, MaximumTakesTheFirstOfEqualElements) {
  std::vector<float> values(100, 1.0F);
  values[40] = values[77] = 2;
  const Tensor x = from<float>(values);
  EXPECT_EQ(argmax(x).item(), 40);
  EXPECT_EQ(argmax(full({3, 50}, -1)).data<int32_t>()[2], 0);
  EXPECT_EQ(maximum(x, 0).item(), 2);
  const Tensor low = full({2, 3}, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(to_vector<int32_t>(argmax(low)), (std::vector<int32_t>{0, 0}));
}

// Wherever in its row the largest element stands, and wherever an equal one follows.
TEST(Reduction, ArgmaxFindsEveryPosition) {
  for (const int64_t n : {1, 2, 31, 32, 33, 70, 129}) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = i; j < n; ++j) {
        Tensor x = full({n}, -3, Dtype::f64);
        x.data<double>()[i] = x.data<double>()[j] = -2;
        ASSERT_EQ(argmax(x).item(), static_cast<double>(i)) << n << ", and at " << j;
      }
    }
  }
}

TEST(Reduction, MaximumDoesNotLoseNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const size_t at : {0U, 1U, 50U, 99U}) {
    std::vector<float> values(100, 1.0F);
    values[3] = 5;
    values[at] = nan;
    const Tensor x = from<float>(values);
    EXPECT_EQ(argmax(x).item(), static_cast<double>(at));
    EXPECT_TRUE(std::isnan(maximum(x, 0).item()));
    const Tensor columns = expand(reshape(x, {100, 1}), {100, 3});
    EXPECT_TRUE(std::isnan(static_cast<double>(maximum(columns, 0).data<float>()[2])));
  }
}

TEST(Reduction, NamesTheOpAndTheAxis) {
  EXPECT_ERROR(sum(zeros({2, 3}), 2), "sum: axis 2 is out of range for rank 2");
  EXPECT_ERROR(mean(zeros({0})), "mean: nothing to average in shape (0)");
  EXPECT_ERROR(maximum(zeros({2, 0}), 1), "maximum: cannot choose among 0 elements along axis 1");
  EXPECT_ERROR(argmax(zeros({})), "argmax: axis -1 is out of range for rank 0");
  EXPECT_ERROR(sum(arange(3)), "sum: expected f32 or f64, got i32");
}

}  // namespace
}  // namespace ink
