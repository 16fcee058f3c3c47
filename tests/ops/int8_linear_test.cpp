// Linear layers in 8 bits against those in f32, and what they refuse.
#include "tensor/int8_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "autograd/tape.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

double cosine(const Tensor& a, const Tensor& b) {
  double ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = double{a.data<float>()[i]}, y = double{b.data<float>()[i]};
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

Tensor normal(Shape shape, uint64_t seed) { return randn(shape, seed, Dtype::f32); }

TEST(Int8Linear, IsNearTheLinearLayer) {
  const Tensor w = normal({70, 96}, 1), b = normal({70}, 2);
  const Int8Weight weight(w, Device::cpu);
  EXPECT_EQ(weight.n(), 70);
  EXPECT_EQ(weight.k(), 96);
  EXPECT_LT(weight.bytes(), w.bytes() / 2);
  for (const Activation f : {Activation::none, Activation::relu, Activation::gelu,
                             Activation::gelu_tanh, Activation::tanh, Activation::sigmoid}) {
    for (const Shape& shape : {Shape{33, 96}, Shape{2, 3, 96}, Shape{96}}) {
      const Tensor x = normal(shape, 3), exact = linear(x, w, b, f),
                   y = int8_linear(x, weight, b, f);
      EXPECT_EQ(y.shape(), exact.shape());
      EXPECT_GT(cosine(y, exact), 0.9995) << name_of(f);
      EXPECT_FALSE(equal_bits(y, exact)) << name_of(f);
    }
  }
}

TEST(Int8Linear, ReadsAnyStridesAndNeedsNoBias) {
  const Tensor w = normal({20, 24}, 1), x = normal({24, 7}, 2);
  const Int8Weight weight(transpose(contiguous(transpose(w, 0, 1)), 0, 1), Device::cpu);
  const Tensor y = int8_linear(transpose(x, 0, 1), weight, Tensor());
  EXPECT_TRUE(equal_bits(y, int8_linear(contiguous(transpose(x, 0, 1)), weight, zeros({20}))));
}

TEST(Int8Linear, TakesEmptyExtents) {
  const Tensor bias = normal({5}, 1);
  EXPECT_EQ(int8_linear(zeros({0, 3}), Int8Weight(normal({5, 3}, 1), Device::cpu), bias).shape(),
            (Shape{0, 5}));
  EXPECT_EQ(int8_linear(zeros({4, 3}), Int8Weight(zeros({0, 3}), Device::cpu), Tensor()).shape(),
            (Shape{4, 0}));
  const Tensor y = int8_linear(zeros({2, 0}), Int8Weight(zeros({5, 0}), Device::cpu), bias);
  EXPECT_TRUE(equal_bits(slice(y, 0, 1, 2), reshape(bias, {1, 5})));
}

// An activation does not hide what is not finite, nor does the way back from integers.
TEST(Int8Linear, NanStaysNan) {
  const Int8Weight weight(normal({6, 8}, 1), Device::cpu);
  Tensor x = normal({3, 8}, 2);
  x.data<float>()[8 + 5] = std::numeric_limits<float>::infinity();
  for (const Activation f : {Activation::none, Activation::relu, Activation::gelu, Activation::tanh,
                             Activation::sigmoid}) {
    const Tensor y = int8_linear(x, weight, Tensor(), f);
    for (int64_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(std::isnan(y.data<float>()[i]), i / 6 == 1) << name_of(f) << ' ' << i;
  }
}

TEST(Int8Linear, SaysWhatItExpects) {
  const Int8Weight weight(normal({6, 8}, 1), Device::cpu);
  EXPECT_ERROR(int8_linear(normal({3, 7}, 1), weight, Tensor()), "x should be (…, 8)");
  EXPECT_ERROR(int8_linear(normal({3, 8}, 1), weight, zeros({5})), "the bias should be f32 (6)");
  EXPECT_ERROR(int8_linear(randn({3, 8}, 1), weight, Tensor()), "expected f32 on the CPU, got f64");
  EXPECT_ERROR(int8_linear(normal({3, 8}, 1), Int8Weight(), Tensor()), "expected a weight");
  EXPECT_ERROR(Int8Weight(normal({8}, 1), Device::cpu), "the weight should have 2 axes");
  Tensor bad = normal({6, 8}, 1);
  bad.data<float>()[20] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(Int8Weight(bad, Device::cpu), "NaN or an infinity in row 2");
}

TEST(Int8Linear, HasNoGradient) {
  const Int8Weight weight(normal({6, 8}, 1), Device::cpu);
  Tensor x = normal({3, 8}, 2);
  Tape tape;
  int8_linear(x, weight, Tensor());  // nobody watches x
  tape.watch(x);
  EXPECT_ERROR(int8_linear(x, weight, Tensor()), "it has no gradient");
}

}  // namespace
}  // namespace ink
