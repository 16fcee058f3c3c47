// Activations and elementwise functions: known values, accuracy in f32, limits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

using Function = Tensor (*)(const Tensor&);

struct Case {
  const char* name;
  Function f;
  double (*exact)(double);
  double low, high;
  double ulp;  // largest error in f32, in units in the last place of the result
};

double exact_gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }
double exact_gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

const Case kCases[] = {
    {"exp", &exp, [](double x) { return std::exp(x); }, -80, 80, 1.5},
    {"log", &log, [](double x) { return std::log(x); }, 1e-6, 1e6, 1.5},
    {"sqrt", &sqrt, [](double x) { return std::sqrt(x); }, 0, 1e6, 0.5},
    {"square", &square, [](double x) { return x * x; }, -100, 100, 0.5},
    {"absolute", &absolute, [](double x) { return std::abs(x); }, -100, 100, 0},
    {"relu", &relu, [](double x) { return std::max(x, 0.0); }, -10, 10, 0},
    {"tanh", &tanh, [](double x) { return std::tanh(x); }, -10, 10, 2},
    {"sigmoid", &sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -80, 80, 3},
    {"gelu", &gelu, &exact_gelu, 0, 8, 3},
    {"gelu_tanh", &gelu_tanh, &exact_gelu_tanh, 0, 8, 5}};

double ulp_of(double exact) {
  const auto v = static_cast<float>(std::abs(exact));
  return static_cast<double>(std::nextafter(v, std::numeric_limits<float>::infinity())) -
         static_cast<double>(v);
}

TEST(Activation, F32IsAccurateToAFewUnitsInTheLastPlace) {
  for (const Case& c : kCases) {
    const Tensor x = rand_uniform({100003}, 5, c.low, c.high, Dtype::f32), y = c.f(x);
    double worst = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const double exact = c.exact(static_cast<double>(x.data<float>()[i]));
      const double error = std::abs(static_cast<double>(y.data<float>()[i]) - exact);
      worst = std::max(worst, error / ulp_of(exact));
    }
    EXPECT_LE(worst, c.ulp + 1e-6) << c.name;
  }
}

TEST(Activation, F64IsAsExactAsTheStandardLibrary) {
  for (const Case& c : kCases) {
    const Tensor x = rand_uniform({1001}, 6, std::max(c.low, -30.0), std::min(c.high, 30.0));
    const Tensor y = c.f(x);
    for (int64_t i = 0; i < x.size(); ++i) {
      const double exact = c.exact(x.data<double>()[i]);
      ASSERT_NEAR(y.data<double>()[i], exact, 1e-14 * std::abs(exact)) << c.name;
    }
  }
}

// The negative side of GELU has relative errors where the result vanishes; what counts is x·ε.
TEST(Activation, GeluIsAccurateOnTheNegativeSide) {
  const Tensor x = rand_uniform({100003}, 7, -12, 0, Dtype::f32);
  const Tensor erf_form = gelu(x), tanh_form = gelu_tanh(x);
  for (int64_t i = 0; i < x.size(); ++i) {
    const auto v = static_cast<double>(x.data<float>()[i]);
    ASSERT_NEAR(static_cast<double>(erf_form.data<float>()[i]), exact_gelu(v), 2e-7) << v;
    ASSERT_NEAR(static_cast<double>(tanh_form.data<float>()[i]), exact_gelu_tanh(v), 2e-7) << v;
  }
}

TEST(Activation, KeepsNanAndReachesTheLimits) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = from<float>({-infinity, infinity, std::numeric_limits<float>::quiet_NaN()});
  struct Limits {
    const char* name;
    Function f;
    float low, high;
  };
  for (const Limits& l :
       {Limits{"exp", &exp, 0, infinity}, Limits{"relu", &relu, 0, infinity},
        Limits{"tanh", &tanh, -1, 1}, Limits{"sigmoid", &sigmoid, 0, 1},
        Limits{"gelu", &gelu, 0, infinity}, Limits{"gelu_tanh", &gelu_tanh, 0, infinity},
        Limits{"absolute", &absolute, infinity, infinity}}) {
    const std::vector<float> y = to_vector<float>(l.f(x));
    EXPECT_EQ(y[0], l.low) << l.name;
    EXPECT_EQ(y[1], l.high) << l.name;
    EXPECT_TRUE(std::isnan(y[2])) << l.name;
  }
}

TEST(Activation, ActivateChoosesByName) {
  const Tensor x = randn({3, 5}, 1, Dtype::f32);
  EXPECT_TRUE(equal_bits(activate(x, activation_from("relu")), relu(x)));
  EXPECT_TRUE(equal_bits(activate(x, activation_from("gelu")), gelu(x)));
  EXPECT_TRUE(equal_bits(activate(x, activation_from("gelu_new")), gelu_tanh(x)));
  EXPECT_TRUE(equal_bits(activate(x, Activation::tanh), tanh(x)));
  EXPECT_TRUE(equal_bits(activate(x, Activation::sigmoid), sigmoid(x)));
  EXPECT_EQ(activate(x, Activation::none).storage().get(), x.storage().get());
}

TEST(Activation, NamesTheOpThatGotIntegers) {
  EXPECT_ERROR(gelu(arange(3)), "gelu: expected f32 or f64, got i32");
  EXPECT_ERROR(exp(arange(3)), "exp: expected f32 or f64, got i32");
}

}  // namespace
}  // namespace ink
