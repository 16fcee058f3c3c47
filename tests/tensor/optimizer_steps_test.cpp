// The optimizer steps against their formulas, one element at a time in double.
#include "tensor/optimizer_steps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tensor/op.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

constexpr int64_t kSize = 20011;  // more than one chunk, and no multiple of a vector

std::vector<double> numbers(const Tensor& x) { return to_vector<double>(converted(x, Dtype::f64)); }

struct Plain {
  std::vector<double> w, m, v;

  // u of step t, without the learning rate
  std::vector<double> adam(const std::vector<double>& gradient, const AdamStep& s) {
    std::vector<double> u(w.size());
    for (size_t i = 0; i < w.size(); ++i) {
      const double g = gradient[i] * s.gradient_scale, t = static_cast<double>(s.t);
      m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
      v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
      const double mean = s.bias_correction ? m[i] / (1 - std::pow(s.beta1, t)) : m[i];
      const double square = s.bias_correction ? v[i] / (1 - std::pow(s.beta2, t)) : v[i];
      u[i] = mean / (std::sqrt(square) + s.epsilon) + s.weight_decay * w[i];
    }
    return u;
  }
};

void expect_near(const Tensor& x, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> found = numbers(x);
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    worst =
        std::max(worst, std::abs(found[i] - expected[i]) / std::max(1.0, std::abs(expected[i])));
    ASSERT_FALSE(std::isnan(found[i]));
  }
  EXPECT_LT(worst, tolerance);
}

// Ten steps of AdamW, or of LAMB, next to the plain formulas.
void check_adam(Dtype dtype, bool bias_correction, bool lamb, bool trust_ratio, double tolerance) {
  Tensor w = randn({kSize}, 1, dtype), m = zeros({kSize}, dtype), v = zeros({kSize}, dtype);
  const auto size = static_cast<size_t>(kSize);
  Plain plain{numbers(w), std::vector<double>(size), std::vector<double>(size)};
  for (int64_t t = 1; t <= 10; ++t) {
    const Tensor g = randn({kSize}, static_cast<uint64_t>(10 + t), dtype);
    const AdamStep step{.learning_rate = 0.01,
                        .weight_decay = 0.1,
                        .gradient_scale = 0.5,
                        .bias_correction = bias_correction,
                        .t = t};
    double w_norm = 0, u_norm = 0, ratio = 1;
    const std::vector<double> u = plain.adam(numbers(g), step);
    for (size_t i = 0; i < size; ++i) w_norm += plain.w[i] * plain.w[i], u_norm += u[i] * u[i];
    if (lamb && trust_ratio) ratio = std::sqrt(w_norm / u_norm);
    for (size_t i = 0; i < size; ++i) plain.w[i] -= step.learning_rate * ratio * u[i];
    if (lamb) {
      lamb_update(w, g, m, v, step, trust_ratio);
    } else {
      adamw_update(w, g, m, v, step);
    }
  }
  expect_near(w, plain.w, tolerance);
  expect_near(m, plain.m, tolerance);
  expect_near(v, plain.v, tolerance);
}

TEST(AdamW, EqualsTheFormulas) {
  for (const bool bias_correction : {true, false}) {
    check_adam(Dtype::f64, bias_correction, false, false, 1e-12);
    check_adam(Dtype::f32, bias_correction, false, false, 2e-6);
  }
}

TEST(Lamb, EqualsTheFormulas) {
  for (const bool trust_ratio : {true, false}) {
    check_adam(Dtype::f64, true, true, trust_ratio, 1e-12);
    check_adam(Dtype::f32, false, true, trust_ratio, 5e-6);
  }
}

// A weight of length 0, or a step of length 0, has the ratio 1.
TEST(Lamb, TakesZeros) {
  Tensor w = zeros({4}), m = zeros({4}), v = zeros({4});
  lamb_update(w, zeros({4}), m, v, {.learning_rate = 1}, true);
  EXPECT_TRUE(equal_bits(w, zeros({4})));
  lamb_update(w, full({4}, 1), m, v, {.learning_rate = 0.5, .epsilon = 0, .t = 1}, true);
  for (const double x : numbers(w)) EXPECT_LT(x, 0);
}

TEST(Sgd, EqualsTheFormulas) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    Tensor w = randn({kSize}, 1, dtype), m = zeros({kSize}, dtype);
    std::vector<double> weight = numbers(w), velocity(static_cast<size_t>(kSize));
    for (uint64_t t = 0; t < 10; ++t) {
      const Tensor g = randn({kSize}, 10 + t, dtype);
      const std::vector<double> gradient = numbers(g);
      for (size_t i = 0; i < weight.size(); ++i) {
        velocity[i] = 0.9 * velocity[i] + 2 * gradient[i] + 0.1 * weight[i];
        weight[i] -= 0.01 * velocity[i];
      }
      sgd_update(
          w, g, m,
          {.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 0.1, .gradient_scale = 2});
    }
    expect_near(w, weight, dtype == Dtype::f32 ? 5e-6 : 1e-12);
    expect_near(m, velocity, dtype == Dtype::f32 ? 5e-6 : 1e-12);
  }
}

TEST(OptimizerSteps, AreTheSameBitsForAnyThreadsAndInstructionSet) {
  const int threads_before = threads();
  const simd::Level level_before = simd::level();
  const auto step = [] {
    Tensor w = randn({50021}, 1, Dtype::f32), m = randn({50021}, 2, Dtype::f32);
    Tensor v = rand_uniform({50021}, 3, 0, 1, Dtype::f32);
    const Tensor g = randn({50021}, 4, Dtype::f32);
    const AdamStep options{.learning_rate = 0.1, .weight_decay = 0.01, .t = 3};
    adamw_update(w, g, m, v, options);
    lamb_update(w, g, m, v, options, true);
    sgd_update(w, g, m, {.learning_rate = 0.1, .momentum = 0.5});
    return w;
  };
  set_threads(1);
  simd::set_level(simd::Level::portable);
  const Tensor expected = step();
  for (const simd::Level level : {simd::Level::portable, simd::Level::avx2, simd::Level::avx512}) {
    if (level > simd::best()) continue;
    simd::set_level(level);
    for (const int n : {1, 3, 8}) {
      set_threads(n);
      EXPECT_TRUE(equal_bits(step(), expected)) << simd::name_of(level) << ", " << n << " threads";
    }
  }
  simd::set_level(level_before);
  set_threads(threads_before);
}

TEST(OptimizerSteps, AnnounceTheirWrites) {
  Tensor w = zeros({4}), m = zeros({4}), v = zeros({4});
  const uint64_t version = w.storage()->version();
  adamw_update(w, zeros({4}), m, v, {});
  EXPECT_NE(w.storage()->version(), version);
}

TEST(OptimizerSteps, ErrorsSayWhatWasExpected) {
  Tensor w = zeros({4}), m = zeros({4}), v = zeros({4}), three = zeros({3});
  EXPECT_ERROR(adamw_update(w, three, m, v, {}),
               "adamw: the gradient should be f32 (4), got f32 (3)");
  EXPECT_ERROR(adamw_update(w, m, three, v, {}),
               "adamw: the first moment should be f32 (4), got f32 (3)");
  EXPECT_ERROR(adamw_update(w, m, m, v, {.t = 0}), "adamw: steps count from 1, got t = 0");
  EXPECT_ERROR(sgd_update(w, m, three, {}), "sgd: the momentum should be f32 (4), got f32 (3)");
  const auto owner = std::make_shared<int>();
  const float foreign[4] = {};
  Tensor mapped(StorageRef(Storage::borrow(foreign, 16, owner)), {4}, {1}, 0, Dtype::f32);
  EXPECT_ERROR(lamb_update(mapped, m, m, v, {}, true), "lies in a mapped file, which is read-only");
}

}  // namespace
}  // namespace ink
