// Elementwise ops, broadcasting, sums, maxima and dropout on the CUDA device, where the samples of
// the ops do not reach: special values, odd addresses, every pattern of strides, long sums.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/cuda/device.h"
#include "tests/expect_error.h"
#include "tests/ops/layouts.h"
#include "tests/ops/values.h"

#if INK_EMULATED
#include "cuda/emulated/control.h"
#endif

namespace ink {
namespace {

class ElementwiseOnDevice : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

Tensor on_device(const Tensor& x) { return to(x, Device::cuda); }

constexpr Dtype kTypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};

// x in a device buffer, `offset` elements behind an address that is a multiple of 16.
Tensor at_offset(const Tensor& x, int64_t offset) {
  const Tensor buffer = full({x.size() + offset}, -7, x.dtype(), Device::cuda);
  Tensor inside = view(buffer, x.shape(), row_major(x.shape()), offset);
  copy_into(inside, x);
  return inside;
}

using Function = Tensor (*)(const Tensor&);
constexpr Function kFunctions[] = {&exp,  &log,  &sqrt,      &square, &absolute,
                                   &relu, &gelu, &gelu_tanh, &tanh,   &sigmoid};

// ── elementwise ─────────────────────────────────────────────────────────────────────────────────

TEST_F(ElementwiseOnDevice, SpecialValuesGiveWhatTheyGiveOnTheCpu) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {NAN,   kInf, -kInf, 0.0f, -0.0f, 1e-40f, 1e-38f, -1e-38f,
                                     3e38f, 88,   89,    -88,  -104,  1,      -1,     0.5f};
  for (const Dtype type : kTypes) {
    const Tensor x = converted(from(values), type), wide = converted(x, Dtype::f32);
    for (const Function f : kFunctions) {
      const Tensor got = converted(on_host(f(on_device(x))), Dtype::f32);
      const Tensor expected = converted(converted(f(wide), type), Dtype::f32);
      EXPECT_LE(units_apart(got, expected, type, 0), 4) << got << expected;
      const auto d = [f](auto in) { return f(in[0]); };
      const Tensor dx = gradients_of(d, {on_device(x)})[0];
      const Tensor wide_dx = converted(gradients_of(d, {wide})[0], type);
      EXPECT_LE(normalized_error(dx, wide_dx), 1e-3)
          << name_of(type) << ", function " << std::ranges::find(kFunctions, f) - kFunctions;
    }
  }
}

TEST_F(ElementwiseOnDevice, AddressesAndLengthsDoNotMatter) {
  for (const Dtype type : kTypes) {
    for (const int64_t n : {1, 3, 8, 31, 257, 2051}) {
      const Tensor x = randn({n}, 1, type), y = rand_uniform({n}, 2, 0.5, 2, type);
      const Tensor aligned = on_device(x), other = on_device(y);
      for (const int64_t offset : {1, 2, 4, 7}) {
        const Tensor moved = at_offset(x, offset);
        EXPECT_TRUE(equal_bits(gelu(moved), gelu(aligned))) << n << " at " << offset;
        EXPECT_TRUE(equal_bits(divide(moved, other), divide(aligned, other))) << n;
        EXPECT_TRUE(equal_bits(divide(other, moved), divide(other, aligned))) << n;
        EXPECT_TRUE(equal_bits(dropout(moved, 0.3, Random(1)), dropout(aligned, 0.3, Random(1))));
        EXPECT_TRUE(equal_bits(argmax(moved), argmax(aligned))) << n << " at " << offset;
        EXPECT_LE(normalized_error(sum(moved), sum(aligned)), 1e-5) << n << " at " << offset;
      }
    }
  }
}

TEST_F(ElementwiseOnDevice, SumsProductsAndQuotientsHaveTheBitsOfTheCpu) {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},
      {{517}, {}},
      {{1}, {517}},
      {{64, 96}, {96}},
      {{64, 96}, {64, 1}},
      {{3, 2000}, {2000}},
      {{2000, 3}, {3}},
      {{2000, 1}, {1, 3}},
      {{2, 3, 4, 5, 16}, {3, 1, 5, 1}},
      {{2, 1, 4, 1, 8}, {1, 3, 1, 5, 8}},
      {{7, 1, 33}, {5, 33}},
      {{1, 4}, {0, 1}},
      {{300, 40}, {300, 40}},
  };
  for (const auto& [left, right] : shapes) {
    const Tensor a = randn(left, 1, Dtype::f32), b = rand_uniform(right, 2, 0.5, 2, Dtype::f32);
    for (auto* op : {&add, &subtract, &multiply, &divide})
      EXPECT_TRUE(equal_bits(op(on_device(a), on_device(b)), op(a, b))) << left << right;
  }
}

TEST_F(ElementwiseOnDevice, StridesDoNotMatter) {
  const Tensor x = randn({6, 8, 24}, 1, Dtype::f32), y = randn({6, 8, 24}, 2, Dtype::f32);
  for (int layout = 0; layout < kLayouts; ++layout) {
    const Tensor strided = with_layout(x, layout);
    const Tensor whole = on_device(
        view(strided, {static_cast<int64_t>(strided.storage()->bytes() / 4)}, Strides{1}, 0));
    const Tensor moved = view(whole, strided.shape(), strided.strides(), strided.offset());
    EXPECT_TRUE(equal_bits(contiguous(moved), clone(strided))) << layout;
    EXPECT_TRUE(equal_bits(add(moved, on_device(y)), add(strided, y))) << layout;
    EXPECT_TRUE(equal_bits(relu(moved), relu(strided))) << layout;
    EXPECT_TRUE(equal_bits(concat({moved, moved}, 1), concat({strided, strided}, 1))) << layout;
    EXPECT_TRUE(equal_bits(maximum(moved, 1), maximum(strided, 1))) << layout;
    EXPECT_LE(normalized_error(sum(moved, 1), sum(strided, 1)), 1e-11) << layout;
  }
}

TEST_F(ElementwiseOnDevice, TensorsOfTwoDevicesAreAnError) {
  const Tensor x = zeros({3});
  EXPECT_ERROR(add(on_device(x), x), "add: expected operands on one device, got cuda and cpu");
}

// ── sums and maxima ─────────────────────────────────────────────────────────────────────────────

TEST_F(ElementwiseOnDevice, SumsOfEveryFoldingAgreeWithTheCpu) {
  const std::vector<Shape> shapes = {{1, 20000, 1}, {3, 9001, 1},  {700, 5, 1},
                                     {2, 1500, 1},  {1, 3000, 2},  {1, 1000, 5},
                                     {2, 517, 40},  {1, 600, 300}, {300, 2, 8}};
  for (const Shape& shape : shapes) {
    for (const Dtype type : kTypes) {
      const Tensor x = randn(shape, 3, type), wide = converted(x, Dtype::f32);
      const Tensor got = sum(on_device(x), 1), expected = sum(wide, 1);
      EXPECT_TRUE(equal_bits(got, sum(on_device(x), 1))) << shape;
      EXPECT_EQ(got.dtype(), type);
      EXPECT_LE(units_apart(got, expected, type, 1e-6), 2) << shape << name_of(type);
      if (type != Dtype::f32) continue;
      EXPECT_LE(normalized_error(got, expected), 1e-11) << shape;
      const Tensor positive = square(x);  // whose mean does not cancel
      EXPECT_LE(normalized_error(mean(on_device(positive)), mean(positive)), 1e-11) << shape;
    }
  }
}

TEST_F(ElementwiseOnDevice, SumsOfNothingAreZero) {
  EXPECT_TRUE(equal_bits(sum(on_device(zeros({5, 0, 4})), 1), zeros({5, 4})));
  EXPECT_TRUE(equal_bits(sum(on_device(zeros({5, 0})), 1), zeros({5})));
  EXPECT_TRUE(equal_bits(sum(on_device(zeros({0, 3, 4})), 1), zeros({0, 4})));
}

// Among equals the first; NaN before every number; rows of −∞ alone.
TEST_F(ElementwiseOnDevice, MaximaAreThoseOfTheCpu) {
  for (const Shape& shape :
       {Shape{4, 3000, 1}, Shape{5, 67, 1}, Shape{3, 50, 33}, Shape{2, 400, 3}, Shape{1, 7, 300}}) {
    Tensor x = converted(randint(shape, 1, 0, 40), Dtype::f32);
    float* p = x.data<float>();
    for (int64_t i = 0; i < x.size(); i += 97)
      p[i] = i % 2 ? NAN : -std::numeric_limits<float>::infinity();
    std::fill_n(p, std::min<int64_t>(x.size(), x.dim(1)), -std::numeric_limits<float>::infinity());
    const auto call = [](auto in) { return maximum(in[0], 1, true); };
    for (const Dtype type : kTypes) {
      const Tensor narrow = converted(x, type);
      const Tensor y = converted(on_host(call(std::vector{on_device(narrow)})), Dtype::f32);
      EXPECT_EQ(normalized_error(y, call(std::vector{x})), 0) << shape;
      const Tensor dx = gradients_of(call, {on_device(narrow)})[0];
      EXPECT_EQ(normalized_error(dx, gradients_of(call, {x})[0]), 0) << shape << name_of(type);
    }
    EXPECT_TRUE(equal_bits(argmax(on_device(reshape(x, {shape[0], -1}))),
                           argmax(reshape(x, {shape[0], -1}))));
  }
}

#if INK_EMULATED
TEST_F(ElementwiseOnDevice, TheOrderOfThreadsDoesNotMatter) {
  for (const Shape& shape : {Shape{2, 3000, 1}, Shape{2, 500, 40}, Shape{3, 67, 3}}) {
    const Tensor x = on_device(randn(shape, 1, Dtype::bf16));
    const Tensor total = sum(x, 1), largest = maximum(x, 1);
    for (const uint64_t order : {1, 2, 3}) {
      cuda::emulated::set_thread_order(order);
      EXPECT_TRUE(equal_bits(sum(x, 1), total)) << shape;
      EXPECT_TRUE(equal_bits(maximum(x, 1), largest)) << shape;
    }
    cuda::emulated::set_thread_order(0);
  }
}
#endif

// ── dropout, cast ───────────────────────────────────────────────────────────────────────────────

TEST_F(ElementwiseOnDevice, DropoutHasTheMaskOfTheCpu) {
  const Random random = Random(5).split("dropout");
  for (const int64_t n : {1, 4, 7, 1000, 4099}) {
    const Tensor x = rand_uniform({n}, 1, 0.5, 2, Dtype::f32);
    const Tensor y = dropout(x, 0.4, random);
    EXPECT_TRUE(equal_bits(dropout(on_device(x), 0.4, random), y)) << n;
    for (const Dtype type : {Dtype::f16, Dtype::bf16}) {
      const Tensor got = dropout(on_device(converted(x, type)), 0.4, random);
      const std::vector<double> kept = numbers(on_host(got)), expected = numbers(y);
      for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i] != 0, expected[i] != 0) << i;
    }
  }
  const std::vector<double> got = numbers(on_host(dropout(full({64}, NAN, Dtype::f32, Device::cuda),
                                                          0.5, Random(1)))),
                            expected = numbers(dropout(full({64}, NAN), 0.5, Random(1)));
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(std::isnan(got[i]), std::isnan(expected[i])) << "a dropped NaN is 0, at " << i;
}

TEST_F(ElementwiseOnDevice, CastIsDifferentiableBetweenTheTypesOfTheDevice) {
  const Tensor x = randn({5, 7}, 1, Dtype::f32);
  for (const Dtype type : {Dtype::f16, Dtype::bf16}) {
    EXPECT_TRUE(equal_bits(cast(on_device(x), type), converted(x, type)));
    const auto there_and_back = [type](auto in) { return cast(cast(in[0], type), Dtype::f32); };
    EXPECT_TRUE(equal_bits(gradients_of(there_and_back, {on_device(x)})[0], full({5, 7}, 1)));
    const auto narrowed = [type](auto in) { return scale(cast(in[0], type), 2); };
    EXPECT_EQ(gradients_of(narrowed, {on_device(x)})[0].dtype(), Dtype::f32);
  }
  EXPECT_ERROR(cast(on_device(x), Dtype::f64), "cast: expected f32, f16 or bf16 on cuda, got f64");
}

}  // namespace
}  // namespace ink
