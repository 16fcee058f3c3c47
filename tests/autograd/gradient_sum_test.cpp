// Gradient sums: micro-batches equal one large batch; norms; who is named when numbers go wrong.
#include "autograd/gradient_sum.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

Gradients gradients_of(Parameters& parameters, const Tensor& x, const Tensor& labels) {
  Tape tape;
  tape.watch(parameters);
  const Tensor logits = linear(x, parameters.at("w").value, parameters.at("b").value);
  return tape.backward(cross_entropy(logits, labels));
}

Parameters classifier() {
  Parameters parameters;
  parameters.add("w", randn({5, 3}, 1));
  parameters.add("b", randn({5}, 2));
  parameters.add("unused", randn({2}, 3));
  return parameters;
}

// 10 rows at once, or 3 + 1 + 6 with their numbers as weights.
TEST(GradientSum, MicroBatchesEqualOneBatch) {
  Parameters parameters = classifier();
  const Tensor x = randn({10, 3}, 4), labels = randint({10}, 5, 0, 5);
  Gradients whole = gradients_of(parameters, x, labels);
  const Tensor expected_w = whole[parameters.at("w").value],
               expected_b = whole[parameters.at("b").value];

  GradientSum sum(parameters);
  for (const auto& [begin, end] : {std::pair{0, 3}, {3, 4}, {4, 10}}) {
    Gradients part =
        gradients_of(parameters, slice(x, 0, begin, end), slice(labels, 0, begin, end));
    sum.add(parameters, part, end - begin);
  }
  EXPECT_EQ(sum.weight(), 10);
  const double norm = std::sqrt(std::pow(std::sqrt(mean(square(expected_w)).item() * 15), 2) +
                                std::pow(std::sqrt(mean(square(expected_b)).item() * 5), 2));
  EXPECT_NEAR(sum.norm(parameters), norm, 1e-12);
  const auto expect_equal = [](const Tensor& a, const Tensor& b) {
    const std::vector<double> found = to_vector<double>(a), expected = to_vector<double>(b);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i] / 10, expected[i], 1e-14);
  };
  expect_equal(sum.gradients()[0], expected_w);
  expect_equal(sum.gradients()[1], expected_b);
  EXPECT_FALSE(sum.gradients()[2]);
  sum.clear();
  EXPECT_EQ(sum.weight(), 0);
  EXPECT_FALSE(sum.gradients()[0]);
}

// residual + x: both get the very same tensor as gradient, which must not be scaled twice.
TEST(GradientSum, TakesGradientsThatShareMemory) {
  Parameters parameters;
  parameters.add("x", randn({2, 4}, 1));
  parameters.add("y", randn({2, 4}, 2));
  const Tensor gamma = full({4}, 1, Dtype::f64), beta = zeros({4}, Dtype::f64);
  const auto run = [&] {
    Tape tape;
    tape.watch(parameters);
    return tape.backward(sum(square(sigmoid(residual_layer_norm(
        parameters.at("x").value, parameters.at("y").value, gamma, beta, 1e-3)))));
  };
  const Tensor once = clone(run()[parameters.at("x").value]);
  GradientSum total(parameters);
  for (int i = 0; i < 2; ++i) {
    Gradients g = run();
    total.add(parameters, g, 3);
  }
  for (const Tensor& g : total.gradients()) {
    const std::vector<double> found = to_vector<double>(g), one = to_vector<double>(once);
    for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(found[i], 6 * one[i], 1e-14);
  }
}

TEST(GradientSum, SkipsFrozenParametersAndWeightsOfZero) {
  Parameters parameters = classifier();
  parameters.at("b").trainable = false;
  const Tensor x = randn({4, 3}, 4), labels = randint({4}, 5, 0, 5);
  GradientSum sum(parameters);
  Gradients g = gradients_of(parameters, x, labels);
  sum.add(parameters, g, 0);
  EXPECT_EQ(sum.weight(), 0);
  EXPECT_FALSE(sum.gradients()[0]);
  sum.add(parameters, g, 1);
  EXPECT_TRUE(sum.gradients()[0]);
  EXPECT_FALSE(sum.gradients()[1]);
}

TEST(GradientSum, ThreadsDoNotMatter) {
  Parameters parameters;
  parameters.add("w", randn({300, 301}, 1, Dtype::f32));
  const auto norm = [&] {
    GradientSum total(parameters);
    for (int i = 0; i < 3; ++i) {
      Tape tape;
      tape.watch(parameters);
      Gradients g = tape.backward(sum(square(parameters.at("w").value)));
      total.add(parameters, g, 0.3);
    }
    return total.norm(parameters);
  };
  const int before = threads();
  set_threads(1);
  const double alone = norm();
  set_threads(3);
  EXPECT_EQ(norm(), alone);
  set_threads(before);
}

TEST(GradientSum, NamesTheParameterWhoseGradientIsNotFinite) {
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    Parameters parameters;
    parameters.add("good", full({2}, 1));
    parameters.add("bad", full({2}, 1));
    Tape tape;
    tape.watch(parameters);
    const Tensor y = add(parameters.at("good").value, scale(parameters.at("bad").value, bad));
    Gradients g = tape.backward(sum(y));
    GradientSum total(parameters);
    total.add(parameters, g);
    EXPECT_ERROR(total.norm(parameters), "the gradient of 'bad' is not finite");
  }
}

TEST(GradientSum, ErrorsSayWhatWasExpected) {
  Parameters parameters = classifier(), other;
  GradientSum sum(parameters);
  Gradients g = gradients_of(parameters, randn({1, 3}, 1), randint({1}, 2, 0, 5));
  EXPECT_ERROR(sum.add(other, g), "gradient sum: made for 3 parameters, got 0");
  EXPECT_ERROR(sum.add(parameters, g, -1),
               "gradient sum: the weight should be a number from 0 on, got -1");
  EXPECT_ERROR(sum.norm(parameters), "gradient sum: nothing has been added that counts");
}

TEST(ClipFactor, ShortensOnlyWhatIsTooLong) {
  EXPECT_EQ(clip_factor(4, 1), 0.25);
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_EQ(clip_factor(1, 1), 1);
  EXPECT_EQ(clip_factor(0, 1), 1);
  EXPECT_EQ(clip_factor(1e9, 0), 1);  // never
  EXPECT_ERROR(clip_factor(NAN, 1), "clip_factor: expected lengths from 0 on, got norm nan");
}

}  // namespace
}  // namespace ink
