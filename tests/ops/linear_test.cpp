// linear: values, packed weights, every rank, and what it keeps.
#include "tensor/gemm.h"
#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

double activated(double z, Activation f) {
  switch (f) {
    case Activation::none: return z;
    case Activation::relu: return std::max(z, 0.0);
    case Activation::gelu: return 0.5 * z * std::erfc(-z / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return 0.5 * z * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (z + 0.044715 * z * z * z)));
    case Activation::tanh: return std::tanh(z);
    case Activation::sigmoid: return 1 / (1 + std::exp(-z));
  }
  return NAN;
}

constexpr Activation kAll[] = {Activation::none,      Activation::relu, Activation::gelu,
                               Activation::gelu_tanh, Activation::tanh, Activation::sigmoid};

TEST(Linear, EqualsTheFormula) {
  for (const Activation f : kAll) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = randn({7, 19}, 1, dtype), w = randn({33, 19}, 2, dtype),
                   b = randn({33}, 3, dtype);
      const std::vector<double> xs = numbers(x), ws = numbers(w), bs = numbers(b);
      std::vector<double> expected;
      for (size_t m = 0; m < 7; ++m) {
        for (size_t n = 0; n < 33; ++n) {
          double z = bs[n];
          for (size_t k = 0; k < 19; ++k) z += xs[m * 19 + k] * ws[n * 19 + k];
          expected.push_back(activated(z, f));
        }
      }
      expect_close(linear(x, w, b, f), expected, dtype == Dtype::f32 ? 5e-6 : 1e-12);
    }
  }
}

TEST(Linear, ARankOfOneToFourGivesTheSameRows) {
  const Tensor x = randn({2, 3, 4, 5}, 1, Dtype::f32), w = randn({6, 5}, 2, Dtype::f32),
               b = randn({6}, 3, Dtype::f32);
  const Tensor y = linear(x, w, b, Activation::gelu);
  EXPECT_EQ(y.shape(), (Shape{2, 3, 4, 6}));
  EXPECT_TRUE(
      equal_bits(reshape(linear(reshape(x, {24, 5}), w, b, Activation::gelu), {2, 3, 4, 6}), y));
  const Tensor one =
      linear(reshape(slice(reshape(x, {24, 5}), 0, 7, 8), {5}), w, b, Activation::gelu);
  EXPECT_EQ(one.shape(), (Shape{6}));
  EXPECT_TRUE(equal_bits(one, reshape(rows(reshape(y, {24, 6}), 7, 8), {6})));
}

TEST(Linear, PackedWeightsGiveTheSameBits) {
  for (const int64_t rows : {1, 5, 64, 130}) {
    const Tensor x = randn({rows, 70}, 1, Dtype::f32), w = randn({100, 70}, 2, Dtype::f32),
                 b = randn({100}, 3, Dtype::f32);
    const PackedMatrix packed(w.data<float>(), 70, true, 100, 70, w.storage()->version());
    EXPECT_TRUE(
        equal_bits(linear(x, w, b, Activation::gelu, &packed), linear(x, w, b, Activation::gelu)))
        << rows;
  }
}

TEST(Linear, AWeightThatChangedMustBePackedAgain) {
  const Tensor x = randn({3, 4}, 1, Dtype::f32), b = zeros({5});
  Tensor w = randn({5, 4}, 2, Dtype::f32);
  const PackedMatrix packed(w.data<float>(), 4, true, 5, 4, w.storage()->version());
  const Tensor same_shape = randn({5, 4}, 9, Dtype::f32);
  EXPECT_ERROR(linear(x, same_shape, b, Activation::none, &packed),
               "linear: this weight is not the one that was packed, or has changed since");
  w.touch();
  EXPECT_ERROR(linear(x, w, b, Activation::none, &packed), "or has changed since");
  const Tensor other = randn({6, 4}, 2, Dtype::f32);
  EXPECT_ERROR(linear(x, other, zeros({6}), Activation::none, &packed),
               "linear: the packed weight should be (6, 4), got (5, 4)");
}

// Training changes the weight at every step and reads the weight itself.
TEST(Linear, AStalePackedWeightIsNotReadWhenRecorded) {
  Tensor w = randn({5, 4}, 2, Dtype::f32);
  const PackedMatrix stale(zeros({5, 4}).data<float>(), 4, true, 5, 4);
  const Tensor x = randn({3, 4}, 1, Dtype::f32);
  const Tensor plain = linear(x, w, Tensor());
  w.touch();
  Tape tape;
  tape.watch(w);
  EXPECT_TRUE(equal_bits(linear(x, w, Tensor(), Activation::none, &stale), plain));
}

TEST(Linear, KeepsTheValueBeforeTheActivationOnlyWhenRecorded) {
  Tensor x = randn({64, 64}, 1, Dtype::f32);
  const Tensor w = randn({1024, 64}, 2, Dtype::f32), b = zeros({1024});
  const auto bytes_in_use = [&](Activation f) {
    const size_t before = pool_statistics().in_use;
    const Tensor y = linear(x, w, b, f);
    return static_cast<double>(pool_statistics().in_use - before);
  };
  const double one = 64 * 1024 * sizeof(float), slack = one / 3;
  EXPECT_NEAR(bytes_in_use(Activation::gelu), one, slack);  // the result itself
  Tape tape;
  tape.watch(x);
  EXPECT_NEAR(bytes_in_use(Activation::none), one, slack);
  EXPECT_NEAR(bytes_in_use(Activation::gelu), 2 * one, slack);
}

TEST(Linear, ErrorsNameTheOp) {
  const Tensor x = zeros({2, 4}), w = zeros({3, 4}), b = zeros({3});
  EXPECT_ERROR(linear(x, zeros({3, 5}), b),
               "linear: x should be (…, 5) for a weight (3, 5), got (2, 4)");
  EXPECT_ERROR(linear(x, w, zeros({4})), "linear: the bias should be f32 (3), got f32 (4)");
  EXPECT_ERROR(linear(x, zeros({3}), b), "linear: the weight should have 2 axes, got shape (3)");
  EXPECT_ERROR(linear(x, zeros({3, 4}, Dtype::f64), b),
               "linear: the weight should be f32 (3, 4), got f64 (3, 4)");
  EXPECT_ERROR(linear(Tensor(), w, b), "linear: the input is an undefined tensor");
}

}  // namespace
}  // namespace ink
