// add, subtract, multiply, divide, scale, shift: every broadcast against a plain loop over indices.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

// The element of x that NumPy's rule pairs with element `flat` of a result of `shape`.
float paired(const Tensor& x, const Shape& shape, int64_t flat) {
  int64_t offset = 0;
  for (int axis = shape.rank(); axis-- > 0; flat /= shape[axis]) {
    const int own = axis - (shape.rank() - x.rank());
    if (own >= 0 && x.dim(own) > 1) offset += flat % shape[axis] * x.strides()[own];
  }
  return x.data<float>()[offset];
}

struct Pair {
  Shape a, b, result;
};

const Pair kPairs[] = {{{}, {}, {}},
                       {{7}, {}, {7}},
                       {{}, {2, 3}, {2, 3}},
                       {{5, 7}, {5, 7}, {5, 7}},
                       {{5, 7}, {7}, {5, 7}},
                       {{5, 7}, {5, 1}, {5, 7}},
                       {{5, 1}, {1, 7}, {5, 7}},
                       {{2, 1, 4}, {3, 1}, {2, 3, 4}},
                       {{2, 3, 4, 5}, {2, 1, 1, 5}, {2, 3, 4, 5}},
                       {{2, 1, 2, 1, 3}, {1, 4, 1, 5, 1}, {2, 4, 2, 5, 3}},
                       {{300, 401}, {401}, {300, 401}},  // several chunks, cut inside rows
                       {{0, 4}, {4}, {0, 4}},
                       {{1, 4}, {0, 1}, {0, 4}}};

TEST(Arithmetic, BroadcastsLikeNumPy) {
  for (const Pair& p : kPairs) {
    const Tensor a = randn(p.a, 1, Dtype::f32), b = rand_uniform(p.b, 2, 1, 2, Dtype::f32);
    const Tensor results[] = {add(a, b), subtract(a, b), multiply(a, b), divide(a, b)};
    for (const Tensor& y : results) ASSERT_EQ(y.shape(), p.result);
    for (int64_t i = 0; i < p.result.size(); ++i) {
      const float u = paired(a, p.result, i), v = paired(b, p.result, i);
      ASSERT_EQ(results[0].data<float>()[i], u + v) << p.a << p.b << " at " << i;
      ASSERT_EQ(results[1].data<float>()[i], u - v) << p.a << p.b << " at " << i;
      ASSERT_EQ(results[2].data<float>()[i], u * v) << p.a << p.b << " at " << i;
      ASSERT_EQ(results[3].data<float>()[i], u / v) << p.a << p.b << " at " << i;
    }
  }
}

TEST(Arithmetic, ReadsStridedOperands) {
  const Tensor a = randn({6, 9}, 1), b = randn({9, 6}, 2);
  const Tensor expected = add(a, contiguous(transpose(b, 0, 1)));
  EXPECT_TRUE(equal_bits(add(a, transpose(b, 0, 1)), expected));
  EXPECT_TRUE(equal_bits(add(transpose(b, 0, 1), a), expected));
  const Tensor row = slice(a, 1, 1, 8, 3);  // (6, 3), stride 3
  EXPECT_TRUE(equal_bits(multiply(row, slice(row, 0, 2, 3)),
                         multiply(contiguous(row), contiguous(slice(row, 0, 2, 3)))));
  const Tensor wide = expand(slice(a, 1, 0, 1), {6, 9});  // stride 0 on both sides
  EXPECT_TRUE(equal_bits(add(wide, wide), scale(contiguous(wide), 2)));
}

TEST(Arithmetic, ScalesAndShifts) {
  const Tensor x = from<double>({1.0, -2.0, 0.5});
  EXPECT_EQ(to_vector<double>(scale(x, -3)), (std::vector<double>{-3, 6, -1.5}));
  EXPECT_EQ(to_vector<double>(shift(x, 0.25)), (std::vector<double>{1.25, -1.75, 0.75}));
}

TEST(Arithmetic, FollowsTheRulesOfFloatingPoint) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> y =
      to_vector<double>(divide(from<double>({1.0, -1.0, 0.0}), from<double>({0.0, 0.0, 0.0})));
  EXPECT_EQ(y[0], infinity);
  EXPECT_EQ(y[1], -infinity);
  EXPECT_TRUE(std::isnan(y[2]));
}

TEST(Arithmetic, NamesTheOpAndWhatDoesNotFit) {
  EXPECT_ERROR(add(zeros({2, 3}), zeros({2})),
               "add: shapes (2, 3) and (2) do not broadcast (axis -1)");
  EXPECT_ERROR(multiply(zeros({2}), zeros({2}, Dtype::f64)),
               "multiply: expected operands of one type, got f32 and f64");
  EXPECT_ERROR(divide(arange(2), arange(2)), "divide: expected f32 or f64, got i32");
  EXPECT_ERROR(subtract(Tensor(), zeros({2})), "subtract: expected two tensors");
  EXPECT_ERROR(scale(arange(3), 2), "scale: expected f32 or f64, got i32");
}

}  // namespace
}  // namespace ink
