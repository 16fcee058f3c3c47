// softmax and log_softmax against the formula in long double, and where a naive exp overflows.
#include <limits>

#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> naive(const std::vector<double>& x, size_t C, bool logarithm) {
  std::vector<double> y(x.size());
  for (size_t first = 0; first < x.size(); first += C) {
    long double m = x[first], sum = 0;
    for (size_t c = 0; c < C; ++c) m = std::max<long double>(m, x[first + c]);
    for (size_t c = 0; c < C; ++c) sum += std::exp(x[first + c] - m);
    for (size_t c = 0; c < C; ++c) {
      const long double log_y = x[first + c] - m - std::log(sum);
      y[first + c] = static_cast<double>(logarithm ? log_y : std::exp(log_y));
    }
  }
  return y;
}

TEST(Softmax, EqualsTheFormula) {
  for (const int64_t C : {1, 3, 31, 32, 33, 64, 1000}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = scale(randn({4, C}, 1, dtype), 5);
      const double tolerance = dtype == Dtype::f32 ? 1e-6 : 1e-14;
      expect_close(softmax(x), naive(numbers(x), static_cast<size_t>(C), false), tolerance);
      expect_close(log_softmax(x), naive(numbers(x), static_cast<size_t>(C), true), tolerance);
    }
  }
}

TEST(Softmax, TakesNumbersThatOverflowExp) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = matrix({1000, 999, -1000, -1e30, -1e30, -1e30}, {2, 3}, dtype);
    const double p = 1 / (1 + std::exp(-1.0)), third = 1.0 / 3;
    expect_close(softmax(x), {p, 1 - p, 0, third, third, third}, 1e-6);
    expect_close(log_softmax(x),
                 {std::log(p), std::log(p) - 1, std::log(p) - 2000, std::log(third),
                  std::log(third), std::log(third)},
                 1e-6);
  }
}

TEST(Softmax, AnInfinitelyUnlikelyClassGetsZero) {
  const Tensor x = matrix({0, -kInfinity, 0}, {3}, Dtype::f32);
  expect_close(softmax(x), {0.5, 0, 0.5}, 1e-7);
  EXPECT_EQ(numbers(log_softmax(x))[1], -kInfinity);
}

TEST(Softmax, SpreadsNaNOverItsRowAndNoFurther) {
  const std::vector<double> y = numbers(softmax(matrix({1, NAN, 2, 1, 1, 1}, {2, 3}, Dtype::f32)));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(y[i]));
  for (size_t i = 3; i < 6; ++i) EXPECT_FLOAT_EQ(static_cast<float>(y[i]), 1.0F / 3);
}

TEST(Softmax, TakesRowsWithoutClasses) {
  EXPECT_EQ(softmax(zeros({3, 0})).shape(), (Shape{3, 0}));
  EXPECT_EQ(log_softmax(zeros({0, 3})).shape(), (Shape{0, 3}));
}

TEST(Softmax, ErrorsNameTheOp) {
  EXPECT_ERROR(softmax(zeros({})), "softmax: expected at least one axis, got a scalar");
  EXPECT_ERROR(log_softmax(Tensor()), "log_softmax: the input is an undefined tensor");
  EXPECT_ERROR(softmax(zeros({2, 2}, Dtype::i32)), "softmax: expected f32 or f64, got i32");
}

}  // namespace
}  // namespace ink
