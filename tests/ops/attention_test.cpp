// attention: values, packed batches, dropout, strided inputs, errors. The kernel has its own test.
#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

Tensor offsets_of(const std::vector<int32_t>& offsets) { return from(offsets); }

// One head of one sequence, in long double.
std::vector<double> naive(const std::vector<double>& q, const std::vector<double>& k,
                          const std::vector<double>& v, size_t T, size_t D, double scale) {
  std::vector<double> out(T * D);
  for (size_t i = 0; i < T; ++i) {
    std::vector<long double> p(T);
    long double sum = 0;
    for (size_t j = 0; j < T; ++j) {
      long double score = 0;
      for (size_t c = 0; c < D; ++c) score += static_cast<long double>(q[i * D + c]) * k[j * D + c];
      p[j] = std::exp(score * scale);
      sum += p[j];
    }
    for (size_t c = 0; c < D; ++c) {
      long double y = 0;
      for (size_t j = 0; j < T; ++j) y += p[j] / sum * v[j * D + c];
      out[i * D + c] = static_cast<double>(y);
    }
  }
  return out;
}

TEST(Attention, EqualsTheFormula) {
  for (const int64_t T : {1, 2, 47, 48, 49, 130}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor q = randn({T, 8}, 1, dtype), k = randn({T, 8}, 2, dtype),
                   v = randn({T, 8}, 3, dtype);
      const Tensor y = attention(q, k, v, offsets_of({0, static_cast<int32_t>(T)}), {});
      expect_close(
          y,
          naive(numbers(q), numbers(k), numbers(v), static_cast<size_t>(T), 8, 1 / std::sqrt(8.0)),
          dtype == Dtype::f32 ? 2e-6 : 1e-13);
    }
  }
}

// Head h reads and writes the columns [h·D, (h + 1)·D) only.
TEST(Attention, HeadsAreColumns) {
  const Tensor q = randn({9, 12}, 1), k = randn({9, 12}, 2), v = randn({9, 12}, 3),
               offsets = offsets_of({0, 4, 9});
  const Tensor y = attention(q, k, v, offsets, {.heads = 3});
  for (int64_t h = 0; h < 3; ++h) {
    const auto head = [&](const Tensor& x) { return clone(slice(x, 1, 4 * h, 4 * h + 4)); };
    EXPECT_TRUE(equal_bits(attention(head(q), head(k), head(v), offsets, {.heads = 1}), head(y)))
        << h;
  }
}

// A sentence's result is the same bits in whatever batch it stands.
TEST(Attention, ASequenceDoesNotDependOnItsNeighbours) {
  const std::vector<int32_t> offsets = {0, 3, 3, 130, 131, 180};
  const Tensor q = randn({180, 32}, 1, Dtype::f32), k = randn({180, 32}, 2, Dtype::f32),
               v = randn({180, 32}, 3, Dtype::f32);
  const AttentionOptions options{.heads = 4};
  const auto call = [&](std::span<const Tensor> in) {
    return attention(in[0], in[1], in[2], in[3], options);
  };
  const std::vector<Tensor> batch = {q, k, v, offsets_of(offsets)};
  const Tensor all = call(batch);
  const std::vector<Tensor> gradients = gradients_of(call, batch);
  for (size_t b = 0; b + 1 < offsets.size(); ++b) {
    const int32_t begin = offsets[b], end = offsets[b + 1];
    const std::vector<Tensor> alone = {rows(q, begin, end), rows(k, begin, end),
                                       rows(v, begin, end), offsets_of({0, end - begin})};
    EXPECT_TRUE(equal_bits(call(alone), rows(all, begin, end))) << "sequence " << b;
    const std::vector<Tensor> g = gradients_of(call, alone);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(equal_bits(g[i], rows(gradients[i], begin, end)))
          << "sequence " << b << ", gradient " << i;
    }
  }
}

// q, k, v as columns of one product: read in place, with the bits of separate tensors.
TEST(Attention, ReadsSlicesOfOneTensor) {
  const Tensor qkv = randn({20, 24}, 1, Dtype::f32), offsets = offsets_of({0, 7, 20});
  const auto part = [&](int64_t i) { return slice(qkv, 1, 8 * i, 8 * i + 8); };
  EXPECT_TRUE(
      equal_bits(attention(part(0), part(1), part(2), offsets, {.heads = 2}),
                 attention(clone(part(0)), clone(part(1)), clone(part(2)), offsets, {.heads = 2})));
}

TEST(Attention, TakesScoresThatOverflowExp) {
  const Tensor q = scale(randn({6, 4}, 1, Dtype::f32), 300), v = randn({6, 4}, 3, Dtype::f32);
  const std::vector<double> y = numbers(attention(q, q, v, offsets_of({0, 6}), {}));
  for (const double value : y) EXPECT_TRUE(std::isfinite(value));
}

// With v = 1 every output is the sum of kept probabilities / (1 − p): 1 on average.
TEST(Attention, DropoutKeepsTheMeanAndIsAFunctionOfItsStream) {
  const Random random(3), other(4);
  const int32_t N = 2000;
  std::vector<int32_t> offsets;
  for (int32_t b = 0; b <= N; b += 20) offsets.push_back(b);
  const Tensor q = randn({N, 4}, 1, Dtype::f32), k = randn({N, 4}, 2, Dtype::f32),
               v = full({N, 4}, 1);
  const auto run = [&](const Random& r) {
    return attention(q, k, v, offsets_of(offsets), {.heads = 2, .dropout = 0.25, .random = &r});
  };
  const Tensor y = run(random);
  EXPECT_NEAR(mean(y).item(), 1, 0.01);
  EXPECT_TRUE(equal_bits(run(random), y));
  EXPECT_FALSE(equal_bits(run(other), y));
}

TEST(Attention, ErrorsSayWhatIsWrong) {
  const Tensor x = zeros({5, 6});
  const auto call = [&](const Tensor& k, const std::vector<int32_t>& offsets,
                        const AttentionOptions& options) {
    return attention(x, k, x, offsets_of(offsets), options);
  };
  EXPECT_ERROR(call(zeros({4, 6}), {0, 5}, {}),
               "attention: k should be f32 (5, 6), got f32 (4, 6)");
  EXPECT_ERROR(call(x, {0, 5}, {.heads = 4}), "attention: 6 channels do not divide into 4 heads");
  EXPECT_ERROR(call(x, {0, 5}, {.heads = 0}), "attention: 6 channels do not divide into 0 heads");
  EXPECT_ERROR(call(x, {0, 4}, {}),
               "attention: offsets should go from 0 to the 5 rows of q, got 0 to 4");
  EXPECT_ERROR(call(x, {1, 5}, {}),
               "attention: offsets should go from 0 to the 5 rows of q, got 1 to 5");
  EXPECT_ERROR(call(x, {0, 4, 3, 5}, {}),
               "attention: offsets should not decrease, got 4 before 3 at 1");
  EXPECT_ERROR(call(x, {}, {}), "attention: offsets should hold at least the number 0");
  EXPECT_ERROR(call(x, {0, 5}, {.dropout = 0.1}),
               "attention: dropout needs a source of random numbers");
  const Random random(1);
  EXPECT_ERROR(call(x, {0, 5}, {.dropout = 1, .random = &random}),
               "attention: dropout should be in [0, 1), got 1");
  EXPECT_ERROR(attention(x, x, x, zeros({2}), {}),
               "attention: offsets should be i32 (2), got f32 (2)");
}

}  // namespace
}  // namespace ink
