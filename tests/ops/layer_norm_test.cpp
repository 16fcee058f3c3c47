// layer_norm and residual_layer_norm against the formula in double, and where rounding is hard.
#include "tensor/simd.h"
#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

std::vector<double> naive(const std::vector<double>& x, const std::vector<double>& gamma,
                          const std::vector<double>& beta, double epsilon) {
  const size_t C = gamma.size();
  std::vector<double> y(x.size());
  for (size_t n = 0; n < x.size() / C; ++n) {
    long double mean = 0, variance = 0;
    for (size_t c = 0; c < C; ++c) mean += x[n * C + c] / static_cast<long double>(C);
    for (size_t c = 0; c < C; ++c)
      variance += (x[n * C + c] - mean) * (x[n * C + c] - mean) / static_cast<long double>(C);
    for (size_t c = 0; c < C; ++c) {
      y[n * C + c] =
          static_cast<double>((x[n * C + c] - mean) / std::sqrt(variance + epsilon)) * gamma[c] +
          beta[c];
    }
  }
  return y;
}

TEST(LayerNorm, EqualsTheFormula) {
  for (const int64_t C : {1, 2, 31, 32, 33, 100, 768}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = randn({5, C}, 1, dtype), gamma = randn({C}, 2, dtype),
                   beta = randn({C}, 3, dtype);
      const double epsilon = C == 1 ? 1e-2 : 1e-12;
      expect_close(layer_norm(x, gamma, beta, epsilon),
                   naive(numbers(x), numbers(gamma), numbers(beta), epsilon),
                   dtype == Dtype::f32 ? 2e-6 : 1e-13);
    }
  }
}

// The variance of 10000 ± 1 is lost when squares are subtracted in f32.
TEST(LayerNorm, KeepsTheDigitsOfALargeMean) {
  const Tensor x = add(randn({4, 768}, 1, Dtype::f32), full({}, 10000, Dtype::f32));
  const Tensor gamma = full({768}, 1), beta = full({768}, 0);
  expect_close(layer_norm(x, gamma, beta), naive(numbers(x), numbers(gamma), numbers(beta), 1e-12),
               2e-3);
  const std::vector<double> y = numbers(layer_norm(x, gamma, beta));
  double squares = 0;
  for (const double v : y) squares += v * v;
  EXPECT_NEAR(squares / static_cast<double>(y.size()), 1, 1e-4);
}

TEST(LayerNorm, ARowOfEqualNumbersBecomesBeta) {
  const Tensor beta = randn({8}, 1, Dtype::f32);
  const Tensor y = layer_norm(full({3, 8}, 0.5), full({8}, 2), beta);
  for (int64_t n = 0; n < 3; ++n) EXPECT_TRUE(equal_bits(reshape(rows(y, n, n + 1), {8}), beta));
}

TEST(LayerNorm, TakesRowsWithoutChannels) {
  EXPECT_EQ(layer_norm(zeros({3, 0}), zeros({0}), zeros({0})).shape(), (Shape{3, 0}));
  const auto g = gradients_of([](auto in) { return layer_norm(in[0], in[1], in[2]); },
                              {zeros({3, 0}), zeros({0}), zeros({0})});
  EXPECT_EQ(g[0].shape(), (Shape{3, 0}));
  EXPECT_EQ(g[1].shape(), (Shape{0}));
}

TEST(LayerNorm, ARowDoesNotDependOnItsNeighbours) {
  const Tensor x = randn({37, 96}, 1, Dtype::f32), residual = randn({37, 96}, 2, Dtype::f32);
  const Tensor gamma = randn({96}, 3, Dtype::f32), beta = randn({96}, 4, Dtype::f32);
  const Tensor all = residual_layer_norm(x, residual, gamma, beta);
  for (const int64_t n : {0, 1, 17, 36}) {
    const Tensor alone =
        residual_layer_norm(rows(x, n, n + 1), rows(residual, n, n + 1), gamma, beta);
    EXPECT_TRUE(equal_bits(alone, rows(all, n, n + 1))) << "row " << n;
  }
}

TEST(LayerNorm, IsTheSameBitsAtEveryInstructionSet) {
  const simd::Level before = simd::level();
  const std::vector<Tensor> in = {randn({9, 331}, 1, Dtype::f32), randn({331}, 2, Dtype::f32),
                                  randn({331}, 3, Dtype::f32)};
  const auto call = [](std::span<const Tensor> x) { return layer_norm(x[0], x[1], x[2]); };
  simd::set_level(simd::Level::portable);
  const Tensor y = call(in);
  const std::vector<Tensor> gradients = gradients_of(call, in);
  for (const simd::Level level : {simd::Level::avx2, simd::Level::avx512}) {
    if (level > simd::best()) continue;
    simd::set_level(level);
    EXPECT_TRUE(equal_bits(call(in), y)) << simd::name_of(level);
    const std::vector<Tensor> g = gradients_of(call, in);
    for (size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(equal_bits(g[i], gradients[i])) << simd::name_of(level) << i;
  }
  simd::set_level(before);
}

TEST(ResidualLayerNorm, IsTheLayerNormOfTheSumBitForBit) {
  const Tensor x = randn({7, 50}, 1, Dtype::f32), residual = randn({7, 50}, 2, Dtype::f32);
  const Tensor gamma = randn({50}, 3, Dtype::f32), beta = randn({50}, 4, Dtype::f32);
  EXPECT_TRUE(equal_bits(residual_layer_norm(x, residual, gamma, beta, 1e-5),
                         layer_norm(add(x, residual), gamma, beta, 1e-5)));
}

// One tensor in both places gets both gradients.
TEST(ResidualLayerNorm, AddsTheGradientsOfATensorThatIsItsOwnResidual) {
  const Tensor x = randn({3, 8}, 1), gamma = randn({8}, 2), beta = randn({8}, 3);
  const auto twice =
      gradients_of([](auto in) { return residual_layer_norm(in[0], in[0], in[1], in[2], 1e-5); },
                   {x, gamma, beta});
  const auto once = gradients_of(
      [](auto in) { return layer_norm(scale(in[0], 2), in[1], in[2], 1e-5); }, {x, gamma, beta});
  expect_close(twice[0], numbers(once[0]), 1e-13);
}

TEST(LayerNorm, ErrorsNameTheOpAndTheArgument) {
  const Tensor x = zeros({2, 4}), four = zeros({4}), three = zeros({3});
  EXPECT_ERROR(layer_norm(x, three, four), "layer_norm: gamma should be f32 (4), got f32 (3)");
  EXPECT_ERROR(layer_norm(x, four, zeros({4}, Dtype::f64)),
               "layer_norm: beta should be f32 (4), got f64 (4)");
  EXPECT_ERROR(layer_norm(x, four, Tensor()),
               "layer_norm: beta should be f32 (4), got an undefined tensor");
  EXPECT_ERROR(layer_norm(Tensor(), four, four), "layer_norm: the input is an undefined tensor");
  EXPECT_ERROR(layer_norm(zeros({}), four, four), "layer_norm: expected at least one axis");
  EXPECT_ERROR(layer_norm(x, four, four, -1), "layer_norm: epsilon should not be negative, got -1");
  EXPECT_ERROR(
      layer_norm(zeros({2, 4}, Dtype::i32), zeros({4}, Dtype::i32), zeros({4}, Dtype::i32)),
      "layer_norm: expected f32 or f64, got i32");
  EXPECT_ERROR(residual_layer_norm(x, zeros({4, 2}), four, four),
               "residual_layer_norm: residual should be f32 (2, 4), got f32 (4, 2)");
}

}  // namespace
}  // namespace ink
