// Softmax and losses on the device where samples do not reach: long rows, addresses that no pack
// may be read from, labels that lie on the device, NaN and infinities, very long and short vectors.
#include <cmath>
#include <limits>

#include "tensor/ops.h"
#include "tests/cuda/both.h"

namespace ink {
namespace {

class LossOnDevice : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Tensor on_device(const std::vector<float>& values, Shape shape, Dtype type = Dtype::f32) {
  return to(converted(from(std::span<const float>(values), shape), type), Device::cuda);
}
std::vector<double> values_of(const Tensor& x) {
  return to_vector<double>(converted(to(x, Device::cpu), Dtype::f64));
}

// Tensors of that shape that begin one element behind an address that a pack may be read from.
Tensor shifted(const Tensor& x) {
  Tensor room({x.size() + 1}, x.dtype(), x.device());
  Tensor inside = view(room, x.shape(), x.strides(), 1);
  copy_into(inside, x);
  return inside;
}

// Lengths on both sides of every change of team, one that fits packs and one that does not.
const int64_t kLengths[] = {1, 31, 512, 1024, 1032, 5000, 16384, 16392, 21128, 21129};

TEST_F(LossOnDevice, TakesRowsOfAnyLength) {
  for (const int64_t C : kLengths) {
    SCOPED_TRACE(C);
    const Tensor x = randn({3, C}, 1);
    expect_agreement([](auto in) { return softmax(in[0]); }, {x});
    expect_agreement([](auto in) { return log_softmax(in[0]); }, {x});
    expect_agreement([](auto in) { return cross_entropy(in[0], in[1]); },
                     {x, from(std::vector<int32_t>{static_cast<int32_t>(C - 1), kIgnore, 0})});
    expect_agreement([](auto in) { return cosine_loss(in[0], in[1]); }, {x, randn({3, C}, 2)});
  }
}

// A team takes several rows in turn; no sample of the ops has so many.
TEST_F(LossOnDevice, TakesMoreRowsThanThereAreTeams) {
  const Tensor gamma = randn({3}, 2, Dtype::f32), beta = randn({3}, 3, Dtype::f32);
  const auto norm = [&](auto in) {
    return layer_norm(in[0], to(gamma, in[0].device()), to(beta, in[0].device()), 1e-5);
  };
  expect_agreement(norm, {randn({2642, 3}, 1)}, {Dtype::f32});
  for (const Shape& shape : {Shape{8450, 3}, Shape{2114, 1028}}) {
    const Tensor x = randn(shape, 1, Dtype::f32);
    EXPECT_LE(normalized_error(softmax(to(x, Device::cuda)), softmax(x)), 1e-11) << shape;
  }
}

TEST_F(LossOnDevice, TakesSoftLabelsOfAnyLength) {
  for (const int64_t C : kLengths) {
    SCOPED_TRACE(C);
    const Tensor p = coarse(softmax(randn({3, C}, 2)));
    const auto with_p = [&](auto loss) {
      return [=](auto in) { return loss(in[0], to(converted(p, in[0].dtype()), in[0].device())); };
    };
    const Tensor x = randn({3, C}, 1);
    expect_agreement(with_p(&soft_cross_entropy), {x});
    expect_agreement(with_p(&kl_divergence), {x});
  }
}

TEST_F(LossOnDevice, AveragesOverManyRowsAndElements) {
  const Tensor x = randn({1200, 5}, 1), y = randn({1200, 5}, 2);
  expect_agreement([](auto in) { return cross_entropy(in[0], in[1]); },
                   {x, randint({1200}, 3, 0, 5)});
  expect_agreement([](auto in) { return cosine_loss(in[0], in[1]); }, {x, y});
  const Tensor many = randn({20001}, 1), more = randn({20001}, 2);
  expect_agreement([](auto in) { return mse_loss(in[0], in[1]); }, {many, more});
}

TEST_F(LossOnDevice, ReadsWhatLiesAtNoPacksAddress) {
  const auto moved = [](auto loss) {
    return [=](auto in) { return loss(shifted(in[0]), shifted(in[1])); };
  };
  const Tensor a = to(randn({4, 32}, 1, Dtype::f32), Device::cuda),
               b = to(randn({4, 32}, 2, Dtype::f32), Device::cuda);
  for (const Dtype type : {Dtype::f32, Dtype::bf16}) {
    const Tensor x = converted(a, type), y = converted(b, type);
    const std::vector<Tensor> in = {x, y};
    for (const auto loss : {&mse_loss, &cosine_loss}) {
      const double expected = values_of(loss(x, y))[0], got = values_of(moved(loss)(in))[0];
      EXPECT_NEAR(got, expected, 1e-5);
    }
    EXPECT_TRUE(equal_bits(to(softmax(shifted(x)), Device::cpu), to(softmax(x), Device::cpu)));
  }
}

TEST_F(LossOnDevice, AddsUpRowsFarFrom0AndFullOfInfinities) {
  for (const int64_t C : {40, 3000, 20000}) {
    SCOPED_TRACE(C);
    std::vector<float> one(static_cast<size_t>(C), -kInfinity);
    one[static_cast<size_t>(C - 1)] = 1e4f;
    const std::vector<double> y = values_of(softmax(on_device(one, {1, C})));
    EXPECT_EQ(y.back(), 1);
    EXPECT_EQ(std::count(y.begin(), y.end(), 0.0), C - 1);
    expect_agreement([](auto in) { return softmax(shift(in[0], -3e4)); }, {randn({2, C}, 1)},
                     {Dtype::f32});
  }
}

// As on the CPU: a row with NaN or +∞, or of −∞ alone, is NaN, and no other.
TEST_F(LossOnDevice, SpreadsNaNOverItsRowAndNoFurther) {
  for (const int64_t C : {5, 700, 3000, 20000}) {
    for (const float value : {kNaN, kInfinity, -kInfinity}) {
      std::vector<float> x(static_cast<size_t>(3 * C), 0.5f);
      const bool all = value == -kInfinity;
      std::fill_n(x.begin() + C, all ? C : 1, value);
      for (const auto op : {&softmax, &log_softmax}) {
        const std::vector<double> y = values_of(op(on_device(x, {3, C})));
        for (int64_t i = 0; i < 3 * C; ++i) {
          ASSERT_EQ(std::isnan(y[static_cast<size_t>(i)]), i / C == 1)
              << value << " at " << i << " of " << C;
        }
      }
    }
  }
}

TEST_F(LossOnDevice, PassesOverNaNInRowsThatDoNotCount) {
  std::vector<float> values(3 * 4, 0.25f);
  std::fill_n(values.begin() + 4, 4, kNaN);
  Tensor x = on_device(values, {3, 4});
  Tape tape;
  tape.watch(x);
  const Tensor loss = cross_entropy(x, from(std::vector<int32_t>{1, kIgnore, 3}));
  EXPECT_NEAR(values_of(loss)[0], std::log(4.0), 1e-6);
  const std::vector<double> g = values_of(tape.backward(loss)[x]);
  EXPECT_EQ(std::vector<double>(g.begin() + 4, g.begin() + 8), std::vector<double>(4, 0.0));
  EXPECT_NEAR(g[1], -0.375, 1e-6);
}

TEST_F(LossOnDevice, ReadsLabelsThatLieOnTheDevice) {
  const Tensor host = from(std::vector<int32_t>{3, kIgnore, 0, 6, 2});
  const Sample::Call there = [&](auto in) { return cross_entropy(in[0], to(host, Device::cuda)); };
  const Sample::Call here = [&](auto in) { return cross_entropy(in[0], host); };
  const std::vector<Tensor> in = {randn({5, 7}, 1)};
  expect_same_bits(run_both(there, in, Dtype::f32).device, run_both(here, in, Dtype::f32).device,
                   "labels on the device");
}

TEST_F(LossOnDevice, GivesNaNForALabelOnTheDeviceThatIsNoClass) {
  for (const int32_t wrong : {-1, 7, 1 << 30}) {
    Tensor x = to(randn({3, 7}, 1, Dtype::f32), Device::cuda);
    Tape tape;
    tape.watch(x);
    const Tensor labels = to(from(std::vector<int32_t>{3, wrong, 0}), Device::cuda);
    const Tensor loss = cross_entropy(x, labels);
    EXPECT_TRUE(std::isnan(values_of(loss)[0])) << wrong;
    const std::vector<double> g = values_of(tape.backward(loss)[x]);
    for (size_t i = 0; i < g.size(); ++i) EXPECT_EQ(std::isnan(g[i]), i / 7 == 1) << i;
  }
}

TEST_F(LossOnDevice, StillChecksLabelsOfTheHost) {
  const Tensor x = to(randn({2, 3}, 1, Dtype::f32), Device::cuda);
  EXPECT_THROW(cross_entropy(x, from(std::vector<int32_t>{0, 3})), Error);
}

TEST_F(LossOnDevice, GivesNaNForProbabilitiesAndTargetsThatAreNone) {
  const Tensor x = on_device({0.5f, -1, 2}, {1, 3}), p = on_device({0.5f, -0.5f, 1}, {1, 3});
  EXPECT_TRUE(std::isnan(values_of(soft_cross_entropy(x, p))[0]));
  EXPECT_TRUE(std::isnan(values_of(kl_divergence(x, p))[0]));
  EXPECT_TRUE(std::isnan(values_of(binary_cross_entropy(x, p))[0]));
  const Tensor far = on_device({2000, -2000, 0}, {1, 3}), t = on_device({1, 0, 0.5f}, {1, 3});
  EXPECT_NEAR(values_of(binary_cross_entropy(far, t))[0], std::log(2.0) / 3, 1e-6);
  EXPECT_NEAR(values_of(soft_cross_entropy(far, on_device({1, 0, 0}, {1, 3})))[0], 0, 1e-6);
}

TEST_F(LossOnDevice, WantsBothTensorsOnOneDevice) {
  const Tensor here = randn({2, 3}, 1, Dtype::f32), there = to(here, Device::cuda);
  for (const auto loss : {&mse_loss, &cosine_loss, &soft_cross_entropy, &binary_cross_entropy}) {
    EXPECT_THROW(loss(there, here), Error);
    EXPECT_THROW(loss(here, there), Error);
  }
}

TEST_F(LossOnDevice, GivesScalarsInF32) {
  const Tensor x = on_device({0.5f, -1, 2}, {1, 3}, Dtype::bf16);
  EXPECT_EQ(cross_entropy(x, from(std::vector<int32_t>{1})).dtype(), Dtype::f32);
  EXPECT_EQ(mse_loss(x, x).dtype(), Dtype::f32);
  EXPECT_EQ(cosine_loss(x, x).dtype(), Dtype::f32);
  EXPECT_EQ(binary_cross_entropy(x, on_device({0, 1, 0}, {1, 3}, Dtype::bf16)).dtype(), Dtype::f32);
}

// Squares of the first two lengths are no f32. The last pair nearly agrees.
TEST_F(LossOnDevice, TakesTheDirectionsOfVectorsOfAnyLength) {
  const std::vector<float> base = {0.3f, -1.2f, 0.7f, 2.1f}, other = {1.1f, 0.4f, -0.6f, 0.9f};
  for (const float length : {1e30f, 1e-30f, 1e-38f, 1.5e38f, 1.0f}) {
    std::vector<float> x = base, y = other;
    for (float& v : x) v *= length;
    const double expected = values_of(cosine_loss(on_device(base, {4}), on_device(y, {4})))[0];
    EXPECT_NEAR(values_of(cosine_loss(on_device(x, {4}), on_device(y, {4})))[0], expected, 1e-6)
        << length;
  }
  std::vector<float> near = base;
  near[0] += 1e-3f;
  const double expected = cosine_loss(from(base), from(near)).item();
  const Tensor got = cosine_loss(on_device(base, {4}), on_device(near, {4}));
  EXPECT_NEAR(values_of(got)[0] / expected, 1, 1e-4);
}

TEST_F(LossOnDevice, GivesVectorsOfLength0NoDirection) {
  Tensor x = on_device({0, 0, 1, 2}, {2, 2}), y = on_device({1, 2, 1, 2}, {2, 2});
  Tape tape;
  tape.watch(x), tape.watch(y);
  const Tensor loss = cosine_loss(x, y);
  EXPECT_NEAR(values_of(loss)[0], 0.5, 1e-6);
  const Gradients g = tape.backward(loss);
  EXPECT_EQ(values_of(g[x])[0], 0);
  EXPECT_EQ(values_of(g[y])[1], 0);
}

}  // namespace
}  // namespace ink
