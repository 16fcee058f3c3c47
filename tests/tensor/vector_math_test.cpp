// The accuracy that vector_math.h states, over floats of every size; limits; the same bits
// at every level.
#include "tensor/vector_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tensor/simd.h"

namespace ink {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Finite floats spread evenly over all bit patterns.
const std::vector<float>& inputs() {
  static const std::vector<float> x = [] {
    std::vector<float> all;
    for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4099) {
      const auto v = std::bit_cast<float>(static_cast<uint32_t>(bits));
      if (std::isfinite(v)) all.push_back(v);
    }
    for (int i = -140000; i <= 140000; ++i) all.push_back(static_cast<float>(i) * 1e-4f);
    return all;
  }();
  return x;
}

template <class F>
std::vector<float> apply(const F& f) {
  const std::vector<float>& x = inputs();
  std::vector<float> y(x.size());
  simd::run([&] {
#pragma omp simd
    for (size_t i = 0; i < x.size(); ++i) y[i] = f(x[i]);
  });
  return y;
}

// Distance of consecutive floats at x.
double ulp(double x) {
  x = std::max(std::fabs(x), 0x1p-126);
  return std::ldexp(1.0, std::ilogb(x) - 23);
}

enum class Unit { ulp, argument, absolute, relative };

// The largest error of f against `exact` in the given unit stays below `limit`.
template <class F, class G>
void expect_accuracy(const F& f, const G& exact, Unit unit, double limit, float low = -kInfinity) {
  const std::vector<float>&x = inputs(), y = apply(f);
  double worst = 0;
  float at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] < low) continue;
    const double r = exact(static_cast<double>(x[i]));
    if (std::fabs(r) > 3.4028235677973366e38) {  // rounds to infinity
      EXPECT_EQ(y[i], std::copysign(kInfinity, static_cast<float>(r))) << "at " << x[i];
      continue;
    }
    double scale = 1;
    if (unit == Unit::ulp) scale = ulp(r);
    if (unit == Unit::argument) scale = std::max(1.0, std::fabs(static_cast<double>(x[i])));
    if (unit == Unit::relative) scale = std::max(std::fabs(r), 1e-37);
    const double error = std::fabs(y[i] - r) / scale;
    if (!(error <= worst)) worst = error, at = x[i];
  }
  EXPECT_LE(worst, limit) << "at " << at;
}

#define INK_F32(name) [](float x) { return vmath::name(x); }
#define INK_F64(name) [](double x) { return vmath::name(x); }

TEST(VectorMath, Exp) { expect_accuracy(INK_F32(exp), INK_F64(exp), Unit::ulp, 1.0); }
TEST(VectorMath, Log) { expect_accuracy(INK_F32(log), INK_F64(log), Unit::ulp, 1.0, 1e-45f); }
TEST(VectorMath, Tanh) { expect_accuracy(INK_F32(tanh), INK_F64(tanh), Unit::ulp, 1.3); }
TEST(VectorMath, Erf) { expect_accuracy(INK_F32(erf), INK_F64(erf), Unit::ulp, 2.1); }
TEST(VectorMath, Sigmoid) {
  expect_accuracy(INK_F32(sigmoid), INK_F64(sigmoid), Unit::relative, 1.5e-7, -85.0f);
  expect_accuracy(INK_F32(sigmoid), INK_F64(sigmoid), Unit::absolute, 1e-7);
}
TEST(VectorMath, Gelu) {
  expect_accuracy(INK_F32(gelu), INK_F64(gelu), Unit::argument, 1.5e-7);
  expect_accuracy(INK_F32(gelu), INK_F64(gelu), Unit::relative, 2e-5, -6.0f);  // digits in the tail
  expect_accuracy(INK_F32(gelu_derivative), INK_F64(gelu_derivative), Unit::absolute, 2e-7);
}
TEST(VectorMath, GeluTanh) {
  expect_accuracy(INK_F32(gelu_tanh), INK_F64(gelu_tanh), Unit::argument, 1.5e-7);
  expect_accuracy(INK_F32(gelu_tanh_derivative), INK_F64(gelu_tanh_derivative), Unit::absolute,
                  2e-7);
}

// The f64 forms against their definitions, by central differences where they are derivatives.
TEST(VectorMath, DoubleFormsAreTheDefinitions) {
  for (double x = -9; x <= 9; x += 0.37) {
    const double cdf = 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
    EXPECT_NEAR(vmath::gelu(x), x * cdf, 1e-14);
    const double u = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
    EXPECT_NEAR(vmath::gelu_tanh(x), 0.5 * x * (1 + std::tanh(u)), 1e-14);
    const double h = 1e-5;
    EXPECT_NEAR(vmath::gelu_derivative(x), (vmath::gelu(x + h) - vmath::gelu(x - h)) / (2 * h),
                1e-9);
    EXPECT_NEAR(vmath::gelu_tanh_derivative(x),
                (vmath::gelu_tanh(x + h) - vmath::gelu_tanh(x - h)) / (2 * h), 1e-9);
  }
}

template <class T>
void expect_limits() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  EXPECT_EQ(vmath::exp(inf), inf);
  EXPECT_EQ(vmath::exp(-inf), 0);
  EXPECT_EQ(vmath::log(inf), inf);
  EXPECT_EQ(vmath::log(T{0}), -inf);
  EXPECT_TRUE(std::isnan(vmath::log(T{-1})));
  EXPECT_EQ(vmath::tanh(inf), 1);
  EXPECT_EQ(vmath::tanh(-inf), -1);
  EXPECT_EQ(vmath::erf(inf), 1);
  EXPECT_EQ(vmath::erf(-inf), -1);
  EXPECT_EQ(vmath::sigmoid(inf), 1);
  EXPECT_EQ(vmath::sigmoid(-inf), 0);
  EXPECT_EQ(vmath::gelu(inf), inf);
  EXPECT_EQ(vmath::gelu(-inf), 0);
  EXPECT_EQ(vmath::gelu_tanh(inf), inf);
  EXPECT_EQ(vmath::gelu_tanh(-inf), 0);
  EXPECT_EQ(vmath::gelu_derivative(inf), 1);
  EXPECT_EQ(vmath::gelu_derivative(-inf), 0);
  EXPECT_EQ(vmath::gelu_tanh_derivative(inf), 1);
  EXPECT_NEAR(vmath::gelu_tanh_derivative(-inf), 0, 1e-30);
  EXPECT_EQ(vmath::relu(-inf), 0);
  EXPECT_TRUE(std::signbit(vmath::tanh(T{-0.0})));
  EXPECT_TRUE(std::signbit(vmath::erf(T{-0.0})));
  for (T y : {vmath::exp(nan), vmath::log(nan), vmath::tanh(nan), vmath::erf(nan),
              vmath::sigmoid(nan), vmath::gelu(nan), vmath::gelu_derivative(nan),
              vmath::gelu_tanh(nan), vmath::gelu_tanh_derivative(nan), vmath::relu(nan)}) {
    EXPECT_TRUE(std::isnan(y));
  }
}

TEST(VectorMath, LimitsAndNaN) {
  expect_limits<float>();
  expect_limits<double>();
}

TEST(VectorMath, TheSameBitsAtEveryLevel) {
  const simd::Level before = simd::level();
  for (Activation a :
       {Activation::gelu, Activation::gelu_tanh, Activation::tanh, Activation::sigmoid}) {
    vmath::with(a, [&](auto f) {
      simd::set_level(simd::Level::portable);
      const std::vector<float> expected = apply(f);
      for (simd::Level l : {simd::Level::avx2, simd::Level::avx512}) {
        if (l > simd::best()) continue;
        simd::set_level(l);
        const std::vector<float> y = apply(f);
        EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0)
            << name_of(a) << " at " << simd::name_of(l);
      }
    });
  }
  simd::set_level(before);
}

}  // namespace
}  // namespace ink
