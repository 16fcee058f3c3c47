// The losses against hand-worked numbers, and at their edges.
#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

constexpr double kLog2 = 0.69314718055994531;

TEST(CrossEntropy, EqualsHandWorkedNumbers) {
  // softmax of (0, ln 3) is (1/4, 3/4)
  const Tensor x = matrix({0, std::log(3.0), 0, std::log(3.0)}, {2, 2});
  EXPECT_NEAR(cross_entropy(x, labels_of({0, 1})).item(), (std::log(4.0) + std::log(4.0 / 3)) / 2,
              1e-15);
  const auto g =
      gradients_of([](auto in) { return cross_entropy(in[0], in[1]); }, {x, labels_of({0, 1})});
  expect_close(g[0], {-0.375, 0.375, 0.125, -0.125}, 1e-15);
}

TEST(CrossEntropy, LeavesOutIgnoredRows) {
  const Tensor x = randn({4, 5}, 1);
  const Tensor labels = labels_of({kIgnore, 2, kIgnore, 4});
  const Tensor counted = gather_rows(x, labels_of({1, 3}));
  EXPECT_NEAR(cross_entropy(x, labels).item(), cross_entropy(counted, labels_of({2, 4})).item(),
              1e-15);
  const auto g = gradients_of([](auto in) { return cross_entropy(in[0], in[1]); }, {x, labels});
  for (size_t v = 0; v < 5; ++v) {
    EXPECT_EQ(numbers(g[0])[v], 0);
    EXPECT_EQ(numbers(g[0])[10 + v], 0);
  }
}

TEST(CrossEntropy, IsZeroWithZeroGradientsWhenNoRowCounts) {
  for (const int64_t N : {0, 3}) {
    const Tensor x = randn({N, 5}, 1, Dtype::f32);
    const Tensor labels = labels_of(std::vector<int32_t>(static_cast<size_t>(N), kIgnore));
    EXPECT_EQ(cross_entropy(x, labels).item(), 0);
    const auto g = gradients_of([](auto in) { return cross_entropy(in[0], in[1]); }, {x, labels});
    EXPECT_TRUE(equal_bits(g[0], zeros({N, 5})));
  }
}

// NaN in a row that does not count stays there.
TEST(CrossEntropy, DoesNotReadIgnoredRows) {
  const Tensor x = matrix({NAN, NAN, 0, 0}, {2, 2}, Dtype::f32);
  EXPECT_NEAR(cross_entropy(x, labels_of({kIgnore, 0})).item(), kLog2, 1e-6);
}

TEST(CrossEntropy, TakesLogitsThatOverflowExp) {
  const Tensor x = matrix({1e4, 0, -1e4, 0}, {2, 2}, Dtype::f32);
  EXPECT_NEAR(cross_entropy(x, labels_of({1, 0})).item(), 1e4, 1e-2);
  EXPECT_EQ(cross_entropy(x, labels_of({0, 1})).item(), 0);
}

TEST(CrossEntropy, ErrorsNameRowValueAndRange) {
  const Tensor x = zeros({3, 4});
  EXPECT_ERROR(cross_entropy(x, labels_of({0, 4, 1})),
               "cross_entropy: label 4 in row 1 should lie in [0, 4)");
  EXPECT_ERROR(cross_entropy(x, labels_of({0, 1, -1})),
               "cross_entropy: label -1 in row 2 should lie in [0, 4)");
  EXPECT_ERROR(cross_entropy(x, labels_of({0, 1})),
               "cross_entropy: labels should be i32 (3), got i32 (2)");
  EXPECT_ERROR(cross_entropy(x, zeros({3})),
               "cross_entropy: labels should be i32 (3), got f32 (3)");
  EXPECT_ERROR(cross_entropy(zeros({3}), labels_of({0})),
               "cross_entropy: logits should have 2 axes, got shape (3)");
  EXPECT_ERROR(linear_cross_entropy(zeros({1, 2}), zeros({5, 2}), zeros({5}), labels_of({5})),
               "linear_cross_entropy: label 5 in row 0 should lie in [0, 5)");
}

TEST(SoftCrossEntropy, WithOneHotRowsIsCrossEntropy) {
  const Tensor x = randn({2, 3}, 1), p = matrix({0, 1, 0, 0, 0, 1}, {2, 3});
  const double expected = cross_entropy(x, labels_of({1, 2})).item();
  EXPECT_NEAR(soft_cross_entropy(x, p).item(), expected, 1e-15);
  EXPECT_NEAR(kl_divergence(x, p).item(), expected, 1e-15);  // the entropy of a one-hot row is 0
}

TEST(KlDivergence, IsZeroForEqualDistributionsAndPositiveOtherwise) {
  const Tensor x = randn({4, 9}, 1);
  EXPECT_NEAR(kl_divergence(x, softmax(x)).item(), 0, 1e-15);
  EXPECT_GT(kl_divergence(x, softmax(randn({4, 9}, 2))).item(), 0.1);
  const auto g = gradients_of([](auto in) { return kl_divergence(in[0], softmax(in[0])); }, {x});
  expect_close(g[0], std::vector<double>(36), 1e-15);  // and its minimum
}

// 1/2 and 1/2 against 1/4 and 3/4
TEST(KlDivergence, EqualsHandWorkedNumbers) {
  const Tensor x = matrix({0, std::log(3.0)}, {1, 2}), p = matrix({0.5, 0.5}, {1, 2});
  EXPECT_NEAR(kl_divergence(x, p).item(), 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-15);
  EXPECT_NEAR(soft_cross_entropy(x, p).item(), 0.5 * std::log(4.0) + 0.5 * std::log(4.0 / 3),
              1e-15);
}

// An impossible class that p gives nothing costs nothing, though its log-probability is −∞.
TEST(KlDivergence, ZeroTimesInfinityIsZero) {
  const Tensor x = matrix({0, 0, -INFINITY}, {1, 3}), p = matrix({0.5, 0.5, 0}, {1, 3});
  EXPECT_NEAR(kl_divergence(x, p).item(), 0, 1e-15);
  EXPECT_NEAR(soft_cross_entropy(x, p).item(), kLog2, 1e-15);
}

TEST(SoftCrossEntropy, ErrorsNameTheOp) {
  EXPECT_ERROR(soft_cross_entropy(zeros({2, 3}), zeros({2, 4})),
               "soft_cross_entropy: probabilities should be f32 (2, 3), got f32 (2, 4)");
  EXPECT_ERROR(kl_divergence(zeros({2, 3}), Tensor()),
               "kl_divergence: probabilities should be f32 (2, 3), got an undef");
}

TEST(SoftCrossEntropy, ErrorsNameTheProbability) {
  const Tensor x = zeros({2, 2}), p = matrix({0.5, 0.5, 1.25, -0.25}, {2, 2}, Dtype::f32);
  EXPECT_ERROR(soft_cross_entropy(x, p),
               "soft_cross_entropy: probability -0.25 at (1, 1) should not be negative");
  EXPECT_ERROR(kl_divergence(x, p), "kl_divergence: probability -0.25 at (1, 1)");
  EXPECT_ERROR(soft_cross_entropy(x, matrix({NAN, 0, 0, 1}, {2, 2}, Dtype::f32)),
               "soft_cross_entropy: probability nan at (0, 0)");
}

// NaN logits are the caller's to find in the loss; the probabilities are not blamed.
TEST(SoftCrossEntropy, PassesNaNOn) {
  const Tensor x = matrix({NAN, 0}, {1, 2}), p = matrix({0.5, 0.5}, {1, 2});
  EXPECT_TRUE(std::isnan(soft_cross_entropy(x, p).item()));
  EXPECT_TRUE(std::isnan(binary_cross_entropy(x, p).item()));
}

TEST(MseLoss, EqualsHandWorkedNumbers) {
  const Tensor x = matrix({1, 2, 3, 4}, {2, 2}), y = matrix({1, 0, 0, 8}, {2, 2});
  EXPECT_EQ(mse_loss(x, y).item(), (4 + 9 + 16) / 4.0);
  const auto g = gradients_of([](auto in) { return mse_loss(in[0], in[1]); }, {x, y});
  expect_close(g[0], {0, 1, 1.5, -2}, 0);
  expect_close(g[1], {0, -1, -1.5, 2}, 0);
  EXPECT_EQ(mse_loss(zeros({0}), zeros({0})).item(), 0);
  EXPECT_ERROR(mse_loss(x, matrix({1}, {1})), "mse_loss: y should be f64 (2, 2), got f64 (1)");
}

TEST(CosineLoss, EqualsHandWorkedNumbers) {
  const Tensor x = matrix({1, 0, 1, 0, 1, 0, 2, 2}, {4, 2}),
               y = matrix({3, 0, 0, 2, -5, 0, 1, 0}, {4, 2});
  EXPECT_NEAR(cosine_loss(x, y).item(), (0 + 1 + 2 + 1 - std::sqrt(0.5)) / 4, 1e-15);
}

TEST(CosineLoss, AZeroVectorHasNoDirectionAndNoGradient) {
  const Tensor x = matrix({0, 0, 1, 2}, {2, 2}), y = matrix({1, 2, 1, 2}, {2, 2});
  EXPECT_NEAR(cosine_loss(x, y).item(), 0.5, 1e-15);
  const auto g = gradients_of([](auto in) { return cosine_loss(in[0], in[1]); }, {x, y});
  expect_close(g[0], {0, 0, 0, 0}, 1e-15);
  expect_close(g[1], {0, 0, 0, 0}, 1e-15);
  EXPECT_NEAR(cosine_loss(zeros({2, 2}), zeros({2, 2})).item(), 1, 0);
}

// Squares of these lengths have no place in f32.
TEST(CosineLoss, TakesVeryLongAndVeryShortVectors) {
  const auto loss = [](std::span<const Tensor> in) { return cosine_loss(in[0], in[1]); };
  const Tensor direction = randn({2, 768}, 1, Dtype::f32), other = randn({2, 768}, 2, Dtype::f32);
  const double expected = cosine_loss(direction, other).item();
  const auto gradients = gradients_of(loss, {direction, other});
  for (const double size : {1e30, 1e20, 1e-25, 1e-30}) {
    const Tensor x = scale(direction, size), y = scale(other, size);
    EXPECT_NEAR(cosine_loss(x, y).item(), expected, 1e-6) << size;
    EXPECT_NEAR(cosine_loss(x, x).item(), 0, 1e-6) << size;
    const auto g = gradients_of(loss, {x, y});
    for (size_t k = 0; k < 2; ++k) {
      expect_close(scale(g[k], size), numbers(gradients[k]), 1e-7);
      EXPECT_GT(maximum(reshape(scale(g[k], size), {-1}), 0).item(), 1e-3) << size;
    }
  }
}

TEST(BinaryCrossEntropy, EqualsHandWorkedNumbersAlsoFarOut) {
  const Tensor x = matrix({0, std::log(3.0), 800, -800, 800}, {5}),
               t = matrix({0.5, 1, 1, 0, 0.25}, {5});
  EXPECT_NEAR(binary_cross_entropy(x, t).item(), (kLog2 + std::log(4.0 / 3) + 0 + 0 + 600) / 5,
              1e-12);
  const auto g = gradients_of([&](auto in) { return binary_cross_entropy(in[0], t); }, {x});
  expect_close(g[0], {0, (0.75 - 1) / 5, 0, 0, 0.75 / 5}, 1e-15);
}

TEST(BinaryCrossEntropy, ErrorsNameTheTarget) {
  EXPECT_ERROR(binary_cross_entropy(zeros({2}), matrix({0, 1.5}, {2}, Dtype::f32)),
               "binary_cross_entropy: target 1.5 at 1 should lie in [0, 1]");
  EXPECT_ERROR(binary_cross_entropy(zeros({2}), matrix({NAN, 1}, {2}, Dtype::f32)),
               "target nan at 0");
  Tensor t = full({40000}, 0.5);
  t.data<float>()[30000] = t.data<float>()[35000] = -1;
  EXPECT_ERROR(binary_cross_entropy(zeros({40000}), t), "target -1 at 30000 should lie in [0, 1]");
}

TEST(LinearCrossEntropy, EqualsItsPartsInF32) {
  const Tensor x = randn({40, 24}, 1, Dtype::f32), w = scale(randn({301, 24}, 2, Dtype::f32), 0.2),
               b = randn({301}, 3, Dtype::f32), labels = randint({40}, 4, 0, 301);
  EXPECT_NEAR(linear_cross_entropy(x, w, b, labels).item(),
              cross_entropy(linear(x, w, b), labels).item(), 1e-6);
}

// More rows than one block of logits holds: 16 rows of a vocabulary of 2²⁰.
TEST(LinearCrossEntropy, BlocksOfRowsAddUp) {
  const int64_t V = int64_t{1} << 20, M = 19;
  const Tensor x = randn({M, 2}, 1, Dtype::f32), w = rand_uniform({V, 2}, 2, -1, 1, Dtype::f32),
               b = zeros({V});
  const Tensor labels = randint({M}, 4, 0, V);
  const auto fused = [](std::span<const Tensor> in) {
    return linear_cross_entropy(in[0], in[1], in[2], in[3]);
  };
  const auto parts = [](std::span<const Tensor> in) {
    return cross_entropy(linear(in[0], in[1], in[2]), in[3]);
  };
  const std::vector<Tensor> in = {x, w, b, labels};
  EXPECT_NEAR(fused(in).item(), parts(in).item(), 1e-5);
  const auto a = gradients_of(fused, in), e = gradients_of(parts, in);
  for (size_t i = 0; i < 3; ++i) {
    const double largest = std::sqrt(maximum(reshape(square(e[i]), {-1}), 0).item());
    const double error = std::sqrt(maximum(reshape(square(subtract(a[i], e[i])), {-1}), 0).item());
    EXPECT_LT(error, 1e-5 * largest) << i;
  }
}

TEST(LinearCrossEntropy, MultipliesByTheGradientOfTheLoss) {
  const std::vector<Tensor> in = {randn({3, 2}, 1), randn({4, 2}, 2), randn({4}, 3),
                                  labels_of({1, kIgnore, 0})};
  const auto once =
      gradients_of([](auto t) { return linear_cross_entropy(t[0], t[1], t[2], t[3]); }, in);
  const auto half = gradients_of(
      [](auto t) { return scale(linear_cross_entropy(t[0], t[1], t[2], t[3]), 0.5); }, in);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(equal_bits(scale(once[i], 0.5), half[i]));
}

}  // namespace
}  // namespace ink
