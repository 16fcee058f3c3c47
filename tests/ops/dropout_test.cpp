// dropout: its rate, its independence, and that the mask is a function of (random, element).
#include "tensor/dropout_rule.h"
#include "tensor/parallel.h"
#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

double share_kept(const Tensor& y) {
  double kept = 0;
  for (const double v : numbers(y)) kept += v != 0 ? 1 : 0;
  return kept / static_cast<double>(y.size());
}

TEST(Dropout, KeepsTheAnnouncedShareAndTheMean) {
  const int64_t n = 1 << 18;
  const Tensor x = full({n}, 1);
  for (const double p : {0.1, 0.5, 0.9}) {
    const Tensor y = dropout(x, p, Random(3));
    const double deviation = std::sqrt(p * (1 - p) / static_cast<double>(n));
    EXPECT_NEAR(share_kept(y), 1 - p, 5 * deviation) << p;
    for (const double v : numbers(y))
      ASSERT_TRUE(v == 0 || std::abs(v - 1 / (1 - p)) < 1e-4 / (1 - p)) << v;
  }
}

// What is kept is divided by the probability with which it is kept, after p has been rounded.
TEST(Dropout, TheMeanStaysHoweverPIsRounded) {
  for (const double p : {0.0, 1e-6, 1e-5, 0.1, 1.0 / 3, 0.9, 0.99999, 1 - 1e-9}) {
    const DropoutRule rule(p);
    EXPECT_DOUBLE_EQ(rule.kept * (1 - rule.threshold / 0x1p16), 1) << p;
    EXPECT_NEAR(rule.threshold / 0x1p16, p, 0x1p-16) << p;
  }
}

// The rule itself: element i is kept when half word i of the stream is at least p·2¹⁶.
TEST(Dropout, FollowsTheHalfWordsOfTheStream) {
  const Random random = Random(11).split(4);
  const Tensor x = full({1000}, 1);
  const std::vector<double> y = numbers(dropout(x, 0.3, random));
  for (size_t i = 0; i < y.size(); ++i)
    EXPECT_EQ(y[i] != 0, random.half(i) >= std::lround(0.3 * 0x1p16)) << i;
}

TEST(Dropout, NeighboursAreIndependent) {
  const std::vector<double> y = numbers(dropout(full({1 << 18}, 1), 0.5, Random(5)));
  for (const size_t distance : {size_t{1}, size_t{2}, size_t{4}, size_t{64}, size_t{4096}}) {
    double both = 0;
    for (size_t i = 0; i + distance < y.size(); ++i)
      both += y[i] != 0 && y[i + distance] != 0 ? 1 : 0;
    EXPECT_NEAR(both / static_cast<double>(y.size() - distance), 0.25, 0.005) << distance;
  }
}

TEST(Dropout, StreamsDiffer) {
  const Tensor x = full({4096}, 1);
  const Random random(9);
  EXPECT_TRUE(equal_bits(dropout(x, 0.5, random.split(1)), dropout(x, 0.5, random.split(1))));
  EXPECT_FALSE(equal_bits(dropout(x, 0.5, random.split(1)), dropout(x, 0.5, random.split(2))));
}

TEST(Dropout, BackwardHasTheMaskOfForward) {
  const Tensor x = full({50, 33}, 1);
  const auto call = [](std::span<const Tensor> in) { return dropout(in[0], 0.4, Random(1)); };
  EXPECT_TRUE(equal_bits(gradients_of(call, {x})[0], call(std::vector{x})));
}

TEST(Dropout, TheMaskGoesByPositionWhateverTheStrides) {
  const Tensor x = full({40, 30}, 1);
  EXPECT_TRUE(equal_bits(dropout(transpose(full({30, 40}, 1), 0, 1), 0.5, Random(1)),
                         dropout(x, 0.5, Random(1))));
}

TEST(Dropout, ThreadsDoNotMatterForLargeTensors) {
  const int before = threads();
  const Tensor x = randn({300, 401}, 1, Dtype::f32);
  set_threads(1);
  const Tensor y = dropout(x, 0.1, Random(1));
  set_threads(3);
  EXPECT_TRUE(equal_bits(dropout(x, 0.1, Random(1)), y));
  set_threads(before);
}

TEST(Dropout, AProbabilityOfZeroReturnsTheTensorItself) {
  const Tensor x = randn({3}, 1);
  EXPECT_EQ(dropout(x, 0, Random(1)).storage().get(), x.storage().get());
}

TEST(Dropout, ADroppedNaNIsZero) {
  const Tensor y = dropout(full({64}, NAN), 0.5, Random(1));
  EXPECT_GT(share_kept(y), 0);  // NaN compares unequal to 0
  EXPECT_LT(share_kept(y), 1);
}

TEST(Dropout, ErrorsNameTheOp) {
  EXPECT_ERROR(dropout(zeros({2}), 1, Random(1)), "dropout: p should be in [0, 1), got 1");
  EXPECT_ERROR(dropout(zeros({2}), -0.1, Random(1)), "dropout: p should be in [0, 1), got -0.1");
  EXPECT_ERROR(dropout(zeros({2}), NAN, Random(1)), "dropout: p should be in [0, 1), got nan");
  EXPECT_ERROR(dropout(zeros({2}, Dtype::i32), 0.5, Random(1)),
               "dropout: expected f32 or f64, got i32");
}

}  // namespace
}  // namespace ink
