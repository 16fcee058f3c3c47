// 8-bit products: the integers are those of a plain loop on every kernel, whatever the shape,
// threads, rows and tiles; quantising keeps its bound; what is not finite stays visible.
#include "tensor/int8_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "tensor/int8_kernel.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"
#include "tensor/quantize.h"
#include "tensor/simd.h"
#include "tensor/vector_math.h"
#include "tests/expect_error.h"
#include "tests/tensor/guarded.h"

namespace ink {
namespace {

// A matrix whose rows follow one another, in memory that ends with it.
struct Matrix {
  int64_t rows, columns;
  std::shared_ptr<GuardedArray<float>> memory;
  float* data;
  Matrix(int64_t r, int64_t c)
      : rows(r),
        columns(c),
        memory(std::make_shared<GuardedArray<float>>(r * c)),
        data(memory->data()) {}
  float& at(int64_t i, int64_t j) const { return data[i * columns + j]; }
};

// Integers in [−128, 127], both ends in each row, so that quantising changes nothing (a row of one
// number has 255); of weights in [−127, 127], with one end in each row.
enum class Side : uint8_t { activations, weights };
Matrix integers(int64_t rows, int64_t columns, uint64_t seed, Side side) {
  Matrix m(rows, columns);
  const Random random(seed);
  const bool weights = side == Side::weights;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const auto draw = random.below(static_cast<uint64_t>(i * columns + j), weights ? 255 : 256);
      m.at(i, j) = static_cast<float>(draw) - (weights ? 127 : 128);
    }
    if (columns == 0) continue;
    if (weights) {
      m.at(i, 0) = i % 2 ? -127 : 127;
    } else if (columns == 1) {
      m.at(i, 0) = i % 2 ? -255 : 255;
    } else {
      m.at(i, 0) = 127, m.at(i, columns - 1) = -128;
    }
  }
  return m;
}

Matrix reals(int64_t rows, int64_t columns, uint64_t seed) {
  Matrix m(rows, columns);
  const Random random(seed);
  for (int64_t i = 0; i < rows * columns; ++i)
    m.data[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
  return m;
}

int64_t plain_sum(const Matrix& x, const Matrix& w, int64_t m, int64_t n) {
  int64_t sum = 0;
  for (int64_t k = 0; k < x.columns; ++k)
    sum += static_cast<int64_t>(x.at(m, k)) * static_cast<int64_t>(w.at(n, k));
  return sum;
}

std::vector<float> product(const Matrix& x, const Matrix& w, const Int8Kernel& kernel,
                           const Epilogue<float>& epilogue = {}) {
  const Int8Matrix packed(w.data, w.columns, w.rows, w.columns, kernel);
  GuardedArray<float> y(x.rows * w.rows);
  int8_gemm(x.rows, x.data, x.columns, packed, y.data(), w.rows, epilogue);
  return {y.data(), y.data() + y.size()};
}

class Int8Gemm : public ::testing::Test {
 protected:
  ~Int8Gemm() override {
    set_threads(threads_);
    simd::set_level(level_);
  }
  template <class F>
  void on_every_kernel(const F& f) {
    for (const Int8Kernel* kernel : int8_kernels()) {
      SCOPED_TRACE(kernel->name);
      f(*kernel);
    }
  }
  int threads_ = threads();
  simd::Level level_ = simd::level();
};

struct Extents {
  int64_t m, n, k;
};

TEST_F(Int8Gemm, IntegersAreThoseOfAPlainLoop) {
  set_threads(2);
  on_every_kernel([](const Int8Kernel& kernel) {
    uint64_t seed = 0;
    for (const auto& [m, n, k] :
         {Extents{1, 1, 1}, Extents{1, 2, 3}, Extents{2, 7, 4}, Extents{3, 21, 312},
          Extents{5, 15, 0}, Extents{6, 16, 8}, Extents{7, 17, 9}, Extents{8, 48, 64},
          Extents{9, 49, 1}, Extents{12, 33, 385}, Extents{13, 100, 802}, Extents{31, 5, 1601},
          Extents{97, 40, 50}, Extents{200, 3, 17}, Extents{4, 1003, 41}, Extents{0, 5, 3},
          Extents{5, 0, 3}, Extents{61, 290, 127}}) {
      const Matrix x = integers(m, k, ++seed, Side::activations),
                   w = integers(n, k, ++seed, Side::weights);
      const std::vector<float> y = product(x, w, kernel);
      int64_t wrong = 0;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j)
          wrong += static_cast<int64_t>(y[static_cast<size_t>(i * n + j)]) != plain_sum(x, w, i, j);
      }
      EXPECT_EQ(wrong, 0) << m << "x" << n << "x" << k;
    }
  });
}

// Every number at an end of the range: where sums of 16 bits would be cut off.
TEST_F(Int8Gemm, ExtremesDoNotSaturate) {
  on_every_kernel([](const Int8Kernel& kernel) {
    for (const int64_t k : {1, 2, 4, 7, 64, 4096}) {
      const int64_t m = 9, n = 50;
      Matrix x(m, k), w(n, k);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < k; ++j) x.at(i, j) = i % 2 ? -255 : 255;
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < k; ++j)
          w.at(i, j) = i % 3 == 0 ? 127 : i % 3 == 1 || j % 2 ? -127 : 127;
      const std::vector<float> y = product(x, w, kernel);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j)
          ASSERT_EQ(static_cast<int64_t>(y[static_cast<size_t>(i * n + j)]), plain_sum(x, w, i, j))
              << i << ", " << j << " of K " << k;
      }
    }
  });
}

// The longest K that is allowed comes near the end of 32 bits.
TEST_F(Int8Gemm, SumsOfTheLongestRowsAreExact) {
  on_every_kernel([](const Int8Kernel& kernel) {
    Matrix x(2, kLongestInt8), w(2, kLongestInt8);
    for (int64_t k = 0; k < kLongestInt8; ++k) {
      x.at(0, k) = 255, x.at(1, k) = -255;
      w.at(0, k) = 127, w.at(1, k) = -127;
    }
    const auto exact = static_cast<float>(int64_t{255} * 127 * kLongestInt8);
    EXPECT_EQ(product(x, w, kernel), (std::vector<float>{exact, -exact, -exact, exact}));
  });
  const Matrix longer(1, kLongestInt8 + 1);
  EXPECT_ERROR(Int8Matrix(longer.data, longer.columns, 1, longer.columns),
               "expected a weight of at most 66311 inputs, got (1, 66312)");
}

// Rounded to 255 steps: within the bound of the header, and not by much less than it allows.
TEST_F(Int8Gemm, QuantisingKeepsItsBound) {
  on_every_kernel([](const Int8Kernel& kernel) {
    const int64_t m = 40, n = 70, k = 300;
    const Matrix x = reals(m, k, 1), w = reals(n, k, 2);
    const std::vector<float> y = product(x, w, kernel);
    double worst = 0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const RowRange of_x = range_of(&x.at(i, 0), k), of_w = range_of(&w.at(j, 0), k);
        const double X = std::max(double{of_x.high}, double{of_x.low}),
                     W = std::max(double{of_w.high}, double{of_w.low}),
                     step = (double{of_x.high} + double{of_x.low}) / 255;
        double exact = 0, sum_x = 0, sum_w = 0;
        for (int64_t l = 0; l < k; ++l) {
          const double a = double{x.at(i, l)}, b = double{w.at(j, l)};
          exact += a * b;
          sum_x += std::abs(a), sum_w += std::abs(b);
        }
        const double K = static_cast<double>(k);
        const double bound = sum_x * W / 254 + (sum_w + K * W / 254) * step / 2;
        const double error = std::abs(double{y[static_cast<size_t>(i * n + j)]} - exact);
        ASSERT_LE(error, bound * 1.0001);
        ASSERT_LE(error, K * X * W / 127);
        worst = std::max(worst, error / bound);
      }
    }
    EXPECT_GT(worst, 0.02);  // an error of random signs
  });
}

TEST_F(Int8Gemm, EveryKernelGivesTheSameBits) {
  const Matrix x = reals(37, 301, 1), w = reals(83, 301, 2), bias = reals(1, 83, 3),
               residual = reals(37, 83, 4);
  const Epilogue<float> epilogue{.bias = bias.data, .residual = residual.data, .ld_residual = 83};
  const std::vector<float> expected = product(x, w, portable_int8_kernel(), epilogue);
  on_every_kernel(
      [&](const Int8Kernel& kernel) { EXPECT_EQ(product(x, w, kernel, epilogue), expected); });
}

TEST_F(Int8Gemm, EpilogueIsBiasActivationAndResidual) {
  on_every_kernel([](const Int8Kernel& kernel) {
    const int64_t m = 11, n = 53, k = 40;
    const Matrix x = reals(m, k, 1), w = reals(n, k, 2), bias = reals(1, n, 3),
                 residual = reals(m, n, 4);
    const std::vector<float> plain = product(x, w, kernel);
    for (const Activation f : {Activation::none, Activation::relu, Activation::gelu,
                               Activation::gelu_tanh, Activation::tanh, Activation::sigmoid}) {
      std::vector<float> expected = plain;
      vmath::with(f, [&](auto activation) {
        for (int64_t i = 0; i < m * n; ++i) {
          float& v = expected[static_cast<size_t>(i)];
          v = activation(v + bias.at(0, i % n)) + residual.data[i];
        }
      });
      EXPECT_EQ(
          product(
              x, w, kernel,
              {.bias = bias.data, .activation = f, .residual = residual.data, .ld_residual = n}),
          expected)
          << name_of(f);
    }
  });
  const Matrix one(1, 1);
  one.at(0, 0) = 1;
  EXPECT_ERROR(product(one, one, portable_int8_kernel(), {.accumulate = true}),
               "bias, activation and residual");
}

TEST_F(Int8Gemm, ThreadsAndNeighboursDoNotMatter) {
  on_every_kernel([](const Int8Kernel& kernel) {
    const int64_t m = 61, n = 290, k = 203;
    const Matrix x = reals(m, k, 1), w = reals(n, k, 2);
    const Int8Matrix packed(w.data, k, n, k, kernel);
    set_threads(1);
    const std::vector<float> expected = product(x, w, kernel);
    std::vector<float> y(expected.size());
    for (const int t : {1, 2, 3, 8}) {
      set_threads(t);
      EXPECT_EQ(product(x, w, kernel), expected) << t << " threads";
      for (const int64_t rows : {1, 2, 5, 8, 30}) {  // the same rows in smaller products
        std::fill(y.begin(), y.end(), 0.0f);
        for (int64_t i = 0; i < m; i += rows)
          int8_gemm(std::min(rows, m - i), &x.at(i, 0), k, packed, y.data() + i * n, n);
        EXPECT_EQ(y, expected) << t << " threads, " << rows << " rows at a time";
      }
    }
  });
}

TEST_F(Int8Gemm, SeveralCallersAtOnce) {
  const Matrix x = reals(40, 200, 1), w = reals(300, 200, 2);
  const std::vector<float> expected = product(x, w, int8_kernel());
  std::vector<std::thread> callers;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t) {
    callers.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) wrong[t] += product(x, w, int8_kernel()) != expected;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST_F(Int8Gemm, RowsThatAreNotFiniteBecomeNanAndTouchNoOthers) {
  on_every_kernel([](const Int8Kernel& kernel) {
    const Matrix x = reals(9, 33, 1), w = reals(20, 33, 2);
    std::vector<float> expected = product(x, w, kernel);
    x.at(2, 32) = std::numeric_limits<float>::quiet_NaN();
    x.at(5, 0) = -std::numeric_limits<float>::infinity();
    const std::vector<float> y = product(x, w, kernel);
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t row = i / 20;
      if (row == 2 || row == 5) {
        EXPECT_TRUE(std::isnan(y[i])) << i;
      } else {
        EXPECT_EQ(y[i], expected[i]) << i;
      }
    }
  });
}

TEST_F(Int8Gemm, RefusesWeightsThatAreNotFinite) {
  on_every_kernel([](const Int8Kernel& kernel) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      const Matrix w = reals(60, 20, 1);
      w.at(51, 3) = bad;
      EXPECT_ERROR(Int8Matrix(w.data, 20, 60, 20, kernel),
                   "expected finite weights, got NaN or an infinity in row 51");
    }
  });
}

TEST_F(Int8Gemm, WeightsTakeAByteEach) {
  const Matrix w = reals(96, 64, 1);
  on_every_kernel([&](const Int8Kernel& kernel) {
    EXPECT_EQ(Int8Matrix(w.data, 64, 96, 64, kernel).bytes(), 96 * (64 + 8));
  });
}

// ── rows ────────────────────────────────────────────────────────────────────────────────────────

struct Quantized {
  QuantizedRow row;
  std::vector<int> q;
};

Quantized quantized(const std::vector<float>& x) {
  std::vector<uint8_t> q(x.size());
  const QuantizedRow row = quantize_row(x.data(), static_cast<int64_t>(x.size()), q.data());
  return {row, {q.begin(), q.end()}};
}

TEST(QuantizeRow, RoundsToTheNearestOf255Steps) {
  const Quantized a = quantized({254, -256, 1, 3, -1.1f, 0, 2.9f});
  EXPECT_EQ(a.row.scale, 2);
  EXPECT_EQ(a.row.zero, 128);
  EXPECT_EQ(a.q, (std::vector<int>{255, 0, 128, 130, 127, 128, 129}));  // halves to even
  const Quantized halves = quantized({127.5f, -127.5f});
  EXPECT_EQ(halves.row.zero, 128);
  EXPECT_EQ(halves.q, (std::vector<int>{255, 0}));
  const Quantized largest = quantized({3.4e38f, -3.4e38f, 1.7e38f});
  EXPECT_EQ(largest.q, (std::vector<int>{255, 0, 192}));
  EXPECT_NEAR(largest.row.scale * 127.5f, 3.4e38f, 1e32f);
}

TEST(QuantizeRow, UsesAllStepsOnOneSide) {
  const Quantized above = quantized({510, 2, 0}), below = quantized({-510, -2, 0});
  EXPECT_EQ(above.row.scale, 2);
  EXPECT_EQ(above.row.zero, 0);
  EXPECT_EQ(above.q, (std::vector<int>{255, 1, 0}));
  EXPECT_EQ(below.row.zero, 255);
  EXPECT_EQ(below.q, (std::vector<int>{0, 254, 255}));
}

TEST(QuantizeRow, ZerosStayZeros) {
  for (const std::vector<float>& x :
       {std::vector<float>{}, std::vector<float>{0, -0.0f}, std::vector<float>{1e-40f, 1e-31f}}) {
    const Quantized a = quantized(x);
    EXPECT_EQ(a.row.scale, 0);
    EXPECT_EQ(a.row.zero, 0);
    EXPECT_EQ(a.q, std::vector<int>(x.size()));
  }
  EXPECT_EQ(quantized({2e-30f}).q, std::vector<int>{255});  // just above
}

TEST(QuantizeRow, NanAndInfinityGiveAScaleOfNan) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(),
                          -std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> x(37, 1.0f);
    x[30] = bad;
    const Quantized a = quantized(x);
    EXPECT_TRUE(std::isnan(a.row.scale));
    EXPECT_EQ(a.q, std::vector<int>(37));
    std::vector<int8_t> w(x.size());
    EXPECT_TRUE(std::isnan(quantize_weights(x.data(), 37, w.data()).scale));
  }
}

TEST(QuantizeWeights, AreSymmetric) {
  const std::vector<float> w = {-254, 1, 3, -1.1f, 0};
  std::vector<int8_t> q(w.size());
  const QuantizedWeights row = quantize_weights(w.data(), 5, q.data());
  EXPECT_EQ(row.scale, 2);
  EXPECT_EQ(row.sum, -127 + 0 + 2 - 1);
  EXPECT_EQ(q, (std::vector<int8_t>{-127, 0, 2, -1, 0}));
}

}  // namespace
}  // namespace ink
