// matmul against a triple loop: transposed operands, batches that broadcast, strided views.
#include <gtest/gtest.h>

#include <cmath>

#include "tensor/allocator.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

// One matrix (M, K) × (K, N), both contiguous.
std::vector<double> plain_product(const Tensor& a, const Tensor& b) {
  const int64_t M = a.dim(0), K = a.dim(1), N = b.dim(1);
  std::vector<double> c;
  for (int64_t m = 0; m < M; ++m) {
    for (int64_t n = 0; n < N; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < K; ++k)
        sum += a.data<double>()[m * K + k] * b.data<double>()[k * N + n];
      c.push_back(sum);
    }
  }
  return c;
}

void expect_near(const Tensor& got, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> values = to_vector<double>(converted(got, Dtype::f64));
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], tolerance) << i;
}

TEST(Matmul, EqualsATripleLoopHoweverOperandsLie) {
  for (const Shape& s : {Shape{1, 1, 1}, Shape{3, 5, 7}, Shape{1, 9, 4}, Shape{17, 33, 1},
                         Shape{70, 65, 50}, Shape{2, 0, 3}}) {
    const int64_t M = s[0], K = s[1], N = s[2];
    const Tensor a = randn({M, K}, 1), b = randn({K, N}, 2);
    const Tensor at = contiguous(transpose(a, 0, 1)), bt = contiguous(transpose(b, 0, 1));
    const std::vector<double> expected = plain_product(a, b);
    for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
      const double tolerance = dtype == Dtype::f64 ? 1e-12 : 1e-4;
      const auto in = [dtype](const Tensor& x) { return converted(x, dtype); };
      expect_near(matmul(in(a), in(b)), expected, tolerance);
      expect_near(matmul(in(at), in(b), true), expected, tolerance);
      expect_near(matmul(in(a), in(bt), false, true), expected, tolerance);
      expect_near(matmul(in(at), in(bt), true, true), expected, tolerance);
      expect_near(matmul(transpose(in(at), 0, 1), transpose(in(bt), 0, 1)), expected, tolerance);
      expect_near(matmul(transpose(in(a), 0, 1), in(b), true), expected, tolerance);
    }
  }
}

TEST(Matmul, ReadsRowsAndColumnsOfWiderMatrices) {
  const Tensor a = randn({9, 20}, 1), b = randn({30, 8}, 2);
  const Tensor rows = slice(slice(a, 1, 3, 14), 0, 2, 7),
               few = slice(slice(b, 0, 5, 16), 1, 1, 8, 2);
  EXPECT_TRUE(equal_bits(matmul(rows, few), matmul(contiguous(rows), contiguous(few))));
  const Tensor column = expand(randn({11, 1}, 3), {11, 4});  // stride 0
  EXPECT_TRUE(equal_bits(matmul(rows, column), matmul(rows, contiguous(column))));
}

TEST(Matmul, NeverWritesATransposeOut) {
  const Tensor a = full({2048, 2048}, 1), b = full({2048, 8}, 1);
  const auto peak_of = [&](const Tensor& left) {
    reset_peak();
    const size_t before = pool_statistics().in_use;
    matmul(left, b);
    return pool_statistics().peak - before;
  };
  EXPECT_LT(peak_of(transpose(a, 0, 1)), peak_of(a) + a.bytes() / 2);
}

TEST(Matmul, BroadcastsBatches) {
  const Tensor a = randn({2, 1, 4, 5}, 1), b = randn({3, 5, 2}, 2), c = matmul(a, b);
  ASSERT_EQ(c.shape(), (Shape{2, 3, 4, 2}));
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 3; ++j) {
      const Tensor left = reshape(slice(a, 0, i, i + 1), {4, 5});
      const Tensor right = reshape(slice(b, 0, j, j + 1), {5, 2});
      expect_near(slice(slice(c, 0, i, i + 1), 1, j, j + 1), plain_product(left, right), 1e-12);
    }
  }
}

TEST(Matmul, ABatchTimesAMatrixIsOneProduct) {
  const Tensor a = randn({3, 4, 5}, 1, Dtype::f32), b = randn({5, 6}, 2, Dtype::f32);
  const Tensor c = matmul(a, b);
  ASSERT_EQ(c.shape(), (Shape{3, 4, 6}));
  EXPECT_TRUE(equal_bits(reshape(c, {12, 6}), matmul(reshape(a, {12, 5}), b)));
  const Tensor heads = transpose(randn({4, 3, 5}, 3, Dtype::f32), 0, 1);
  EXPECT_TRUE(equal_bits(matmul(heads, b), matmul(contiguous(heads), b)));
}

TEST(Matmul, NoTermsGiveZerosAndNoRowsGiveNothing) {
  EXPECT_EQ(to_vector<float>(matmul(zeros({2, 0}), zeros({0, 2}))), (std::vector<float>(4, 0)));
  EXPECT_EQ(matmul(zeros({0, 3}), zeros({3, 4})).shape(), (Shape{0, 4}));
  EXPECT_EQ(matmul(zeros({0, 2, 3}), zeros({3, 4})).shape(), (Shape{0, 2, 4}));
}

TEST(Matmul, NamesTheShapesThatDoNotFit) {
  EXPECT_ERROR(matmul(zeros({2, 3}), zeros({2, 3})),
               "matmul: (2, 3) times (2, 3): the inner extents should be equal");
  EXPECT_ERROR(matmul(zeros({2, 3}), zeros({3, 2}), false, true), "(2, 3) times (3, 2) transposed");
  EXPECT_ERROR(matmul(zeros({3}), zeros({3, 2})), "matmul: expected matrices, got shapes (3)");
  EXPECT_ERROR(matmul(zeros({2, 3}), zeros({3, 2}, Dtype::f64)),
               "matmul: expected operands of one type, got f32 and f64");
  EXPECT_ERROR(matmul(zeros({2, 2, 3}), zeros({3, 3, 2})),
               "matmul: shapes (2) and (3) do not broadcast");
}

}  // namespace
}  // namespace ink
