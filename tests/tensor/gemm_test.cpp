// Products: every element is one chain of multiply-adds in order of k, or 16 of them in a narrow
// product, bit for bit, whatever the shape, layout, threads, instruction set or tile.
#include "tensor/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/gemm_kernel.h"
#include "tensor/panels.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"
#include "tensor/simd.h"
#include "tensor/vector_math.h"
#include "tests/expect_error.h"
#include "tests/tensor/guarded.h"

namespace ink {
namespace {

constexpr float kSentinel = 12345.0f;

// A matrix in user memory that ends at its last element; rows are `gap` elements longer than they
// need to be.
template <class T>
struct Matrix {
  int64_t rows, columns, ld;
  GuardedArray<T> data;

  Matrix(int64_t r, int64_t c, int64_t gap)
      : rows(r), columns(c), ld(c + gap), data(r == 0 ? 0 : (r - 1) * (c + gap) + c) {
    std::fill_n(data.data(), data.size(), static_cast<T>(kSentinel));
  }
  Matrix(int64_t r, int64_t c, int64_t gap, uint64_t seed) : Matrix(r, c, gap) {
    const Random random(seed);
    for (int64_t i = 0; i < r; ++i) {
      for (int64_t j = 0; j < c; ++j) {
        at(i, j) = static_cast<T>(random.uniform(static_cast<uint64_t>(i * c + j)) * 2 - 1);
      }
    }
  }
  T& at(int64_t i, int64_t j) const { return data[i * ld + j]; }
  bool gaps_untouched() const {
    for (int64_t i = 0; i + 1 < rows; ++i) {
      for (int64_t j = columns; j < ld; ++j) {
        if (at(i, j) != static_cast<T>(kSentinel)) return false;
      }
    }
    return true;
  }
};

bool fused() { return simd::level() != simd::Level::portable; }

// start + Σ a[m][i]·b[i][n] over i = first, first + step, … < k
float chain(const Matrix<float>& a, bool transpose_a, const Matrix<float>& b, bool transpose_b,
            int64_t m, int64_t n, int64_t k, float start, int64_t first = 0, int64_t step = 1) {
  float x = start;
  for (int64_t i = first; i < k; i += step) {
    const float p = transpose_a ? a.at(i, m) : a.at(m, i),
                q = transpose_b ? b.at(n, i) : b.at(i, n);
    x = fused() ? std::fma(p, q, x) : x + p * q;
  }
  return x;
}

// start + Σ_k a[m][k]·b[k][n], as the header defines it; `columns` is the N of the product.
float element(const Matrix<float>& a, bool transpose_a, const Matrix<float>& b, bool transpose_b,
              int64_t m, int64_t n, int64_t k, float start, int64_t columns) {
  if (columns > 4 || transpose_a) return chain(a, transpose_a, b, transpose_b, m, n, k, start);
  float x[16];
  for (int64_t l = 0; l < 16; ++l) x[l] = chain(a, false, b, transpose_b, m, n, k, 0, l, 16);
  for (int64_t width = 8; width > 0; width /= 2) {
    for (int64_t l = 0; l < width; ++l) x[l] += x[l + width];
  }
  return x[0] + start;
}

class GemmTest : public ::testing::Test {
 protected:
  ~GemmTest() override {
    simd::set_level(level_);
    set_threads(threads_);
  }
  template <class F>
  void at_every_level(const F& f) {
    for (simd::Level l : {simd::Level::portable, simd::Level::avx2, simd::Level::avx512}) {
      if (l > simd::best()) continue;
      simd::set_level(l);
      SCOPED_TRACE(simd::name_of(l));
      f();
    }
  }
  simd::Level level_ = simd::level();
  int threads_ = threads();
};

struct Extents {
  int64_t m, n, k;
};
const Extents kShapes[] = {{1, 1, 1},
                           {1, 2, 26},
                           {2, 7, 3},
                           {3, 21, 312},
                           {5, 15, 0},
                           {6, 16, 8},
                           {7, 17, 9},
                           {8, 48, 64},
                           {9, 49, 1},
                           {12, 33, 385},
                           {13, 96, 31},
                           {13, 100, 800},
                           {31, 5, 1600},
                           {97, 40, 50},
                           {200, 3, 17},
                           {4, 1003, 40},
                           {0, 5, 3},
                           {5, 0, 3},
                           // narrow
                           {9, 1, 768},
                           {30, 2, 312},
                           {7, 3, 16},
                           {11, 4, 31},
                           {3, 2, 0},
                           {500, 2, 1100}};

TEST_F(GemmTest, EveryElementIsItsChains) {
  set_threads(2);
  at_every_level([] {
    uint64_t seed = 1;
    for (const auto& [m, n, k] : kShapes) {
      for (int variant = 0; variant < 8; ++variant) {
        const bool ta = variant & 1, tb = variant & 2, accumulate = variant & 4;
        const Matrix<float> a(ta ? k : m, ta ? m : k, variant % 3, ++seed);
        const Matrix<float> b(tb ? n : k, tb ? k : n, variant % 2, ++seed);
        const Matrix<float> c(m, n, 3, ++seed);
        Matrix<float> expected(m, n, 0);
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            expected.at(i, j) = element(a, ta, b, tb, i, j, k, accumulate ? c.at(i, j) : 0, n);
          }
        }
        gemm(ta, tb, m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, c.data.data(), c.ld,
             Epilogue<float>{.accumulate = accumulate});
        int64_t wrong = 0;
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) wrong += c.at(i, j) != expected.at(i, j);
        }
        EXPECT_EQ(wrong, 0) << m << "x" << n << "x" << k << " variant " << variant;
        EXPECT_TRUE(c.gaps_untouched()) << m << "x" << n << "x" << k << " variant " << variant;
      }
    }
  });
}

// The chain is also near the true product.
TEST_F(GemmTest, AgreesWithDouble) {
  at_every_level([] {
    const int64_t m = 70, n = 130, k = 900;
    const Matrix<float> a(m, k, 0, 5), b(n, k, 0, 6), c(m, n, 0);
    gemm(false, true, m, n, k, a.data.data(), k, b.data.data(), k, c.data.data(), n);
    double worst = 0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double x = 0;
        for (int64_t l = 0; l < k; ++l) x += static_cast<double>(a.at(i, l)) * b.at(j, l);
        worst = std::max(worst, std::fabs(x - c.at(i, j)));
      }
    }
    EXPECT_LT(worst, 5e-5);
    EXPECT_GT(worst, 0);
  });
}

// All tiles, AVX-512's included even where only AVX2 exists: any rows and columns, A by rows
// or by columns.
TEST_F(GemmTest, EveryTileGivesTheChain) {
  struct Choice {
    const GemmKernel* kernel;
    simd::Level level;
  };
  std::vector<Choice> choices = {{&portable_kernel(), simd::Level::portable}};
  if (simd::best() >= simd::Level::avx2) {
    choices.push_back({&avx2_kernel(), simd::Level::avx2});
    choices.push_back({&avx512_kernel_in_avx2(), simd::Level::avx2});
  }
  if (simd::best() >= simd::Level::avx512)
    choices.push_back({&avx512_kernel(), simd::Level::avx512});
  for (const auto& [kernel, level] : choices) {
    simd::set_level(level);
    const int64_t width = kernel->panel_width;
    for (int64_t rows = 1; rows <= kernel->rows; ++rows) {
      for (int64_t columns = 1; columns <= width; ++columns) {
        for (int64_t depth : {0, 1, 37}) {
          for (bool by_columns : {false, true}) {
            const int64_t stored = stored_columns(columns, 0, width, kernel->vector_width);
            const Matrix<float> a(by_columns ? depth : rows, by_columns ? rows : depth, 0, 1);
            const Matrix<float> b(depth, columns, 0, 2), c(rows, columns, 2, 3);
            std::vector<float> panel(static_cast<size_t>(depth * stored));
            pack_panels(b.data.data(), b.ld, false, 0, depth, 0, columns, width,
                        kernel->vector_width, panel.data());
            Matrix<float> expected(rows, columns, 0);
            const bool continues = (rows + columns) % 2 == 0;
            for (int64_t i = 0; i < rows; ++i) {
              for (int64_t j = 0; j < columns; ++j) {
                expected.at(i, j) =
                    chain(a, by_columns, b, false, i, j, depth, continues ? c.at(i, j) : 0);
              }
            }
            TileCall t;
            t.a = a.data.data();
            t.lda = a.ld;
            t.a_by_columns = by_columns;
            t.b = panel.data();
            t.depth = depth;
            t.c = c.data.data();
            t.ldc = c.ld;
            t.columns = columns;
            t.continues = continues;
            kernel->tile(rows, columns)(t);
            int64_t wrong = 0;
            for (int64_t i = 0; i < rows; ++i) {
              for (int64_t j = 0; j < columns; ++j) wrong += c.at(i, j) != expected.at(i, j);
            }
            ASSERT_EQ(wrong, 0) << width << ": " << rows << "x" << columns << "x" << depth;
            ASSERT_TRUE(c.gaps_untouched())
                << width << ": " << rows << "x" << columns << "x" << depth;
          }
        }
      }
    }
  }
}

TEST_F(GemmTest, EpilogueEqualsTheStepsOneByOne) {
  at_every_level([] {
    for (Activation f : {Activation::none, Activation::relu, Activation::gelu,
                         Activation::gelu_tanh, Activation::tanh, Activation::sigmoid}) {
      for (const Extents& size : {Extents{7, 21, 400}, Extents{12, 48, 5}, Extents{3, 100, 0},
                                  Extents{7, 2, 400}, Extents{5, 3, 7}}) {
        const int64_t m = size.m, n = size.n, k = size.k;
        for (int parts = 0; parts < 16; ++parts) {
          const Matrix<float> a(m, k, 0, 1), b(n, k, 0, 2), bias(1, n, 0, 3), residual(m, n, 1, 4);
          const Matrix<float> c(m, n, 2, 5), before(m, n, 4);
          Matrix<float> x(m, n, 0, 5), x_before(m, n, 0);
          const bool accumulate = parts & 8;
          gemm(false, true, m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, x.data.data(), x.ld,
               Epilogue<float>{.accumulate = accumulate});
          vmath::with(f, [&](auto activation) {
            for (int64_t i = 0; i < m; ++i) {
              for (int64_t j = 0; j < n; ++j) {
                float& v = x.at(i, j);
                if (parts & 1) v += bias.at(0, j);
                x_before.at(i, j) = v;
                v = activation(v);
                if (parts & 2) v += residual.at(i, j);
              }
            }
          });
          const Epilogue<float> e{.accumulate = accumulate,
                                  .bias = parts & 1 ? bias.data.data() : nullptr,
                                  .before = parts & 4 ? before.data.data() : nullptr,
                                  .ld_before = before.ld,
                                  .activation = f,
                                  .residual = parts & 2 ? residual.data.data() : nullptr,
                                  .ld_residual = residual.ld};
          gemm(false, true, m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, c.data.data(), c.ld,
               e);
          int64_t wrong = 0;
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              wrong += c.at(i, j) != x.at(i, j);
              if (parts & 4) wrong += before.at(i, j) != x_before.at(i, j);
            }
          }
          EXPECT_EQ(wrong, 0) << name_of(f) << " " << m << "x" << n << "x" << k << " parts "
                              << parts;
          EXPECT_TRUE(c.gaps_untouched() && before.gaps_untouched());
        }
      }
    }
  });
}

TEST_F(GemmTest, PackedWeightsThreadsAndNeighboursDoNotMatter) {
  at_every_level([] {
    for (const auto& [m, n, k] : {Extents{61, 290, 800}, Extents{61, 50, 33}, Extents{610, 1, 800},
                                  Extents{610, 2, 800}, Extents{61, 3, 33}, Extents{610, 4, 790}}) {
      const Matrix<float> a(m, k, 0, 1), b(n, k, 0, 2);
      const PackedMatrix packed(b.data.data(), b.ld, true, n, k);
      std::vector<float> expected(static_cast<size_t>(m * n)), c(expected.size());
      set_threads(1);
      gemm(false, true, m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, expected.data(), n);
      for (int t : {1, 2, 3, 8}) {
        set_threads(t);
        std::fill(c.begin(), c.end(), kSentinel);
        gemm(false, m, a.data.data(), a.ld, packed, c.data(), n);
        EXPECT_EQ(c, expected) << t << " threads, packed, " << n << " columns";
        std::fill(c.begin(), c.end(), kSentinel);
        gemm(false, true, m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, c.data(), n);
        EXPECT_EQ(c, expected) << t << " threads, " << n << " columns";
        for (int64_t rows : {1, 2, 5, 8, 30}) {  // the same rows in smaller products
          std::fill(c.begin(), c.end(), kSentinel);
          for (int64_t i = 0; i < m; i += rows) {
            gemm(false, std::min(rows, m - i), a.data.data() + i * a.ld, a.ld, packed,
                 c.data() + i * n, n);
          }
          EXPECT_EQ(c, expected) << t << " threads, " << rows << " rows at a time";
        }
      }
    }
  });
}

// Packed for narrow products, it also serves an A that lies by columns.
TEST_F(GemmTest, PackedWeightsMeetATransposed) {
  at_every_level([] {
    const int64_t m = 37, k = 90;
    for (const int64_t n : {2, 30}) {
      const Matrix<float> a(k, m, 0, 1), b(k, n, 0, 2);
      const PackedMatrix packed(b.data.data(), n, false, n, k);
      std::vector<float> x(static_cast<size_t>(m * n)), y(x.size());
      gemm(true, false, m, n, k, a.data.data(), m, b.data.data(), n, x.data(), n);
      gemm(true, m, a.data.data(), m, packed, y.data(), n);
      EXPECT_EQ(x, y) << n << " columns";
    }
  });
}

TEST_F(GemmTest, Avx512AndAvx2GiveTheSameBits) {
  if (simd::best() < simd::Level::avx512) GTEST_SKIP() << "this processor has no AVX-512";
  const int64_t m = 50, k = 500;
  for (const int64_t n : {1, 2, 3, 4, 99}) {
    const Matrix<float> a(m, k, 0, 1), b(k, n, 0, 2);
    std::vector<float> x(static_cast<size_t>(m * n)), y(x.size());
    simd::set_level(simd::Level::avx2);
    gemm(false, false, m, n, k, a.data.data(), k, b.data.data(), n, x.data(), n);
    simd::set_level(simd::Level::avx512);
    gemm(false, false, m, n, k, a.data.data(), k, b.data.data(), n, y.data(), n);
    EXPECT_EQ(x, y) << n << " columns";
  }
}

TEST_F(GemmTest, SeveralCallersAtOnce) {
  const int64_t m = 40, n = 300, k = 200;
  const Matrix<float> a(m, k, 0, 1), b(n, k, 0, 2);
  std::vector<float> expected(static_cast<size_t>(m * n));
  gemm(false, true, m, n, k, a.data.data(), k, b.data.data(), k, expected.data(), n);
  std::vector<std::thread> callers;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t) {
    callers.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        std::vector<float> c(expected.size());
        gemm(false, true, m, n, k, a.data.data(), k, b.data.data(), k, c.data(), n);
        wrong[t] += c != expected;
      }
    });
  }
  for (auto& c : callers) c.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST_F(GemmTest, ASecondProductOfTheSameSizeAsksTheSystemForNothing) {
  set_threads(1);
  const int64_t m = 200, n = 900, k = 400;
  const Matrix<float> a(k, m, 0, 1), b(n, k, 0, 2), c(m, n, 0);
  const auto run = [&] {
    gemm(true, true, m, n, k, a.data.data(), m, b.data.data(), k, c.data.data(), n);
  };
  run();
  const uint64_t before = pool_statistics().system_allocations;
  run();
  EXPECT_EQ(pool_statistics().system_allocations, before);
}

TEST_F(GemmTest, PanelsOfAnyWidthStayWithinThemselves) {
  constexpr float kGuard = 12345;
  for (int64_t width = 1; width <= 9; ++width) {
    for (int64_t depth = 0; depth <= 12; ++depth) {
      const Matrix<float> b(depth, width, 3, 1);
      std::vector<float> panel(static_cast<size_t>(depth * width) + 8, kGuard);
      pack_panels(b.data.data(), b.ld, false, 0, depth, 0, width, width, 1, panel.data());
      for (int64_t i = 0; i < depth * width; ++i)
        ASSERT_EQ(panel[static_cast<size_t>(i)], b.at(i / width, i % width));
      for (size_t i = static_cast<size_t>(depth * width); i < panel.size(); ++i)
        ASSERT_EQ(panel[i], kGuard) << "width " << width << ", depth " << depth;
    }
  }
}

TEST_F(GemmTest, DoubleAndOpenBlas) {
  for (const auto& [m, n, k] : kShapes) {
    for (int variant = 0; variant < 8; ++variant) {
      const bool ta = variant & 1, tb = variant & 2, accumulate = variant & 4;
      const Matrix<double> a(ta ? k : m, ta ? m : k, 1, 1), b(tb ? n : k, tb ? k : n, 2, 2),
          bias(1, n, 0, 3);
      const Matrix<double> residual(m, n, 0, 4), c(m, n, 3, 5), before(m, n, 0);
      Matrix<double> old(m, n, 0, 5);
      const Epilogue<double> e{.accumulate = accumulate,
                               .bias = bias.data.data(),
                               .before = before.data.data(),
                               .ld_before = before.ld,
                               .activation = Activation::tanh,
                               .residual = residual.data.data(),
                               .ld_residual = residual.ld};
      gemm(ta, tb, m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, c.data.data(), c.ld, e);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double x = accumulate ? old.at(i, j) : 0;
          for (int64_t l = 0; l < k; ++l)
            x += (ta ? a.at(l, i) : a.at(i, l)) * (tb ? b.at(j, l) : b.at(l, j));
          x += bias.at(0, j);
          ASSERT_NEAR(before.at(i, j), x, 1e-12);
          ASSERT_NEAR(c.at(i, j), std::tanh(x) + residual.at(i, j), 1e-12);
        }
      }
      EXPECT_TRUE(c.gaps_untouched());
    }
  }
}

TEST_F(GemmTest, BadExtentsAreErrors) {
  float x = 0;
  EXPECT_ERROR(gemm(false, false, -1, 1, 1, &x, 1, &x, 1, &x, 1),
               "expected extents of at least 0, got M -1");
  EXPECT_ERROR(gemm_kernel_of(7), "no kernel has panels of 7 columns");
}

}  // namespace
}  // namespace ink
