// Attention against plain loops in double: any head size, ragged lengths, several blocks of
// keys, dropout, strides.
#include "tensor/attention_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink {
namespace {

constexpr double kUntouched = 777;

// Inputs and results of one call; rows are `gap` elements longer than H·D.
template <class T>
struct Problem {
  std::vector<int32_t> offsets;
  int64_t heads, head_size, rows, ld;
  double dropout = 0, scale;
  std::vector<T> q, k, v, dout, out, log_sum, dq, dk, dv;

  Problem(std::vector<int32_t> o, int64_t h, int64_t d, int64_t gap = 0, int64_t extra_rows = 0)
      : offsets(std::move(o)),
        heads(h),
        head_size(d),
        rows(offsets.back() + extra_rows),
        ld(h * d + gap),
        scale(1 / std::sqrt(static_cast<double>(d))) {
    const auto size = static_cast<size_t>(rows * ld);
    uint64_t stream = 0;
    for (auto* x : {&q, &k, &v, &dout}) {
      const Random random = Random(9).split(stream++);
      x->resize(size);
      for (size_t i = 0; i < size; ++i)
        (*x)[i] = static_cast<T>(static_cast<float>(random.normal(i)));
    }
    for (auto* x : {&out, &dq, &dk, &dv}) x->assign(size, static_cast<T>(kUntouched));
    log_sum.assign(static_cast<size_t>(rows * heads), static_cast<T>(kUntouched));
  }

  AttentionInput<T> input() const {
    return {.q = {q.data(), ld},
            .k = {k.data(), ld},
            .v = {v.data(), ld},
            .offsets = offsets,
            .heads = heads,
            .head_size = head_size,
            .scale = scale,
            .dropout = dropout,
            .random = Random(31)};
  }
  void run() {
    attention_forward<T>(input(), {out.data(), ld}, log_sum.data());
    attention_backward<T>(input(), {out.data(), ld}, log_sum.data(), {dout.data(), ld},
                          {dq.data(), ld}, {dk.data(), ld}, {dv.data(), ld});
  }
};

// The same by the definition, in double; results of rows outside the sequences stay untouched.
template <class T>
Problem<double> by_definition(const Problem<T>& p) {
  Problem<double> e(p.offsets, p.heads, p.head_size, p.ld - p.heads * p.head_size,
                    p.rows - p.offsets.back());
  const int64_t H = p.heads, D = p.head_size;
  const DropoutRule rule(p.dropout);
  for (size_t b = 0; b + 1 < p.offsets.size(); ++b) {
    const int64_t first = p.offsets[b], length = p.offsets[b + 1] - first;
    for (int64_t h = 0; h < H; ++h) {
      const auto at = [&](int64_t row, int64_t c) {
        return static_cast<size_t>((first + row) * p.ld + h * D + c);
      };
      for (int64_t j = 0; j < length; ++j) {
        for (int64_t c = 0; c < D; ++c)
          e.out[at(j, c)] = e.dq[at(j, c)] = e.dk[at(j, c)] = e.dv[at(j, c)] = 0;
      }
      for (int64_t i = 0; i < length; ++i) {
        std::vector<double> s, m, dp;
        double total = 0, mean = 0;
        for (int64_t j = 0; j < length; ++j) {
          double dot = 0, product = 0;
          for (int64_t c = 0; c < D; ++c) {
            dot += e.q[at(i, c)] * e.k[at(j, c)];
            product += e.dout[at(i, c)] * e.v[at(j, c)];
          }
          const auto block = static_cast<uint64_t>((first + i) * H + h) << 24;
          const bool dropped =
              Random(31).half(8 * block + static_cast<uint64_t>(j)) < rule.threshold;
          s.push_back(std::exp(dot * p.scale));
          m.push_back(dropped ? 0 : rule.kept);
          dp.push_back(product * m.back());
          total += s.back();
        }
        e.log_sum[static_cast<size_t>((first + i) * H + h)] = std::log(total);
        for (size_t j = 0; j < s.size(); ++j) mean += s[j] / total * dp[j];
        for (int64_t j = 0; j < length; ++j) {
          const auto n = static_cast<size_t>(j);
          const double y = s[n] / total, ds = y * (dp[n] - mean) * p.scale;
          for (int64_t c = 0; c < D; ++c) {
            e.out[at(i, c)] += y * m[n] * e.v[at(j, c)];
            e.dv[at(j, c)] += y * m[n] * e.dout[at(i, c)];
            e.dq[at(i, c)] += ds * e.k[at(j, c)];
            e.dk[at(j, c)] += ds * e.q[at(i, c)];
          }
        }
      }
    }
  }
  return e;
}

template <class T>
void expect_near(const std::vector<T>& x, const std::vector<double>& y, double tolerance,
                 const char* what) {
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(x[i]) - y[i]));
  EXPECT_LE(worst, tolerance) << what;
}

template <class T>
void expect_definition(Problem<T> p, double tolerance) {
  p.run();
  const Problem<double> e = by_definition(p);
  expect_near(p.out, e.out, tolerance, "out");
  expect_near(p.log_sum, e.log_sum, tolerance, "log_sum");
  expect_near(p.dq, e.dq, tolerance, "dq");
  expect_near(p.dk, e.dk, tolerance, "dk");
  expect_near(p.dv, e.dv, tolerance, "dv");
}

class AttentionKernelTest : public ::testing::Test {
 protected:
  ~AttentionKernelTest() override {
    simd::set_level(level_);
    set_threads(threads_);
  }
  simd::Level level_ = simd::level();
  int threads_ = threads();
};

TEST_F(AttentionKernelTest, EqualsItsDefinition) {
  for (simd::Level l : {simd::Level::portable, simd::Level::avx2, simd::Level::avx512}) {
    if (l > simd::best()) continue;
    simd::set_level(l);
    for (int64_t d : {1, 26, 64, 128}) {
      for (double dropout : {0.0, 0.3}) {
        SCOPED_TRACE(testing::Message()
                     << simd::name_of(l) << " head size " << d << " dropout " << dropout);
        Problem<float> f({0, 1, 1, 10, 47, 150}, 2, d, 5);
        f.dropout = dropout;
        expect_definition(f, 5e-6);
        Problem<double> g({2, 3, 36}, 3, d, 1, 4);  // rows before and after belong to nobody
        g.dropout = dropout;
        expect_definition(g, 1e-13);
      }
    }
  }
}

TEST_F(AttentionKernelTest, SeveralBlocksOfKeys) {
  for (double dropout : {0.0, 0.1}) {
    Problem<float> f({0, 5, 650}, 1, 12);
    f.dropout = dropout;
    expect_definition(f, 5e-6);
    Problem<double> g({0, 520}, 1, 4);
    g.dropout = dropout;
    expect_definition(g, 1e-12);
  }
}

// Scores in the hundreds: exp of them is no f32 number, the probabilities are.
TEST_F(AttentionKernelTest, LargeScores) {
  Problem<float> p({0, 700}, 1, 8);
  p.scale = 40;
  p.run();
  for (float x : p.out) EXPECT_TRUE(std::isfinite(x));
  for (float x : p.dq) EXPECT_TRUE(std::isfinite(x));
  const Problem<double> e = [&] {
    Problem<double> d({0, 700}, 1, 8);
    d.scale = 40;
    d.run();
    return d;
  }();
  expect_near(p.out, e.out, 2e-3, "out");
}

TEST_F(AttentionKernelTest, TheSameBitsForAnyThreadsAndNeighbours) {
  const std::vector<int32_t> offsets = {0, 3, 40, 690, 706};
  Problem<float> expected(offsets, 2, 32);
  set_threads(1);
  expected.run();
  for (int t : {2, 3, 8}) {
    set_threads(t);
    Problem<float> p(offsets, 2, 32);
    p.run();
    EXPECT_EQ(p.out, expected.out);
    EXPECT_EQ(p.log_sum, expected.log_sum);
    EXPECT_EQ(p.dq, expected.dq);
    EXPECT_EQ(p.dk, expected.dk);
    EXPECT_EQ(p.dv, expected.dv);
    for (size_t b = 0; b + 1 < offsets.size(); ++b) {  // each sequence alone, in the same memory
      Problem<float> alone(offsets, 2, 32);
      alone.offsets = {offsets[b], offsets[b + 1]};
      alone.run();
      const auto begin = static_cast<size_t>(offsets[b] * alone.ld),
                 end = static_cast<size_t>(offsets[b + 1] * alone.ld);
      for (const auto& [x, y] :
           {std::pair{&alone.out, &expected.out}, std::pair{&alone.dq, &expected.dq},
            std::pair{&alone.dk, &expected.dk}, std::pair{&alone.dv, &expected.dv}}) {
        for (size_t i = 0; i < x->size(); ++i) {
          ASSERT_EQ((*x)[i], i >= begin && i < end ? (*y)[i] : static_cast<float>(kUntouched))
              << "sequence " << b;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ink
