// Shape ops: views share memory, values land where they should, and wrong shapes are named.
#include <gtest/gtest.h>

#include <limits>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

bool share(const Tensor& a, const Tensor& b) { return a.storage().get() == b.storage().get(); }

Tensor counted(Shape shape) {  // 0, 1, 2, …
  return reshape(arange(shape.size(), Dtype::f64), shape);
}

TEST(Reshape, IsAViewOfContiguousMemory) {
  const Tensor x = counted({4, 6}), y = reshape(x, {2, -1, 3});
  EXPECT_EQ(y.shape(), (Shape{2, 4, 3}));
  EXPECT_TRUE(share(x, y));
  EXPECT_EQ(to_vector<double>(y), to_vector<double>(x));
  EXPECT_EQ(reshape(slice(x, 0, 1, 3), {12}).offset(), 6);
}

TEST(Reshape, CopiesOtherLayouts) {
  const Tensor x = transpose(counted({2, 3}), 0, 1), y = reshape(x, {6});
  EXPECT_FALSE(share(x, y));
  EXPECT_EQ(to_vector<double>(y), (std::vector<double>{0, 3, 1, 4, 2, 5}));
}

TEST(Reshape, NamesWhatDoesNotFill) {
  EXPECT_ERROR(reshape(zeros({2, 3}), {4}), "reshape: the 6 elements of (2, 3) do not fill (4)");
  EXPECT_ERROR(reshape(zeros({2, 3}), {4, -1}), "do not fill (4, -1)");
  EXPECT_ERROR(reshape(zeros({2, 3}), {0, -1}), "do not fill (0, -1)");
  EXPECT_ERROR(reshape(zeros({2, 3}), {-1, -1}), "reshape: expected extents from 0 on and at most");
  EXPECT_ERROR(reshape(zeros({2, 3}), {-2, 3}), "reshape: expected extents from 0 on and at most");
  EXPECT_EQ(reshape(zeros({0, 3}), {-1, 3}).shape(), (Shape{0, 3}));
}

TEST(Transpose, IsAView) {
  const Tensor x = counted({2, 3, 4}), y = transpose(x, 0, -1);
  EXPECT_EQ(y.shape(), (Shape{4, 3, 2}));
  EXPECT_TRUE(share(x, y));
  EXPECT_EQ(y.strides(), (Strides{1, 4, 12}));
  EXPECT_EQ(to_vector<double>(slice(y, 0, 1, 2)), (std::vector<double>{1, 13, 5, 17, 9, 21}));
  EXPECT_ERROR(transpose(x, 0, 3), "transpose: axis 3 is out of range for rank 3");
}

TEST(Slice, IsAView) {
  const Tensor x = counted({5, 4}), y = slice(x, 0, 1, 5, 2), z = slice(x, -1, 2, 4);
  EXPECT_TRUE(share(x, y));
  EXPECT_TRUE(share(x, z));
  EXPECT_EQ(to_vector<double>(y), (std::vector<double>{4, 5, 6, 7, 12, 13, 14, 15}));
  EXPECT_EQ(to_vector<double>(z), (std::vector<double>{2, 3, 6, 7, 10, 11, 14, 15, 18, 19}));
  EXPECT_EQ(slice(x, 0, 0, 5, 3).dim(0), 2);  // rows 0 and 3
  EXPECT_EQ(slice(x, 0, 5, 5).size(), 0);
  const int64_t huge = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(to_vector<double>(slice(x, 0, 1, 5, huge)), (std::vector<double>{4, 5, 6, 7}));
  EXPECT_EQ(slice(x, 0, 5, 5, huge).size(), 0);
}

TEST(Slice, NamesTheRange) {
  const Tensor x = zeros({5, 4});
  EXPECT_ERROR(slice(x, 0, 2, 6),
               "slice: expected 0 ≤ begin ≤ end ≤ 5 and step ≥ 1 along axis 0 of (5, 4), got "
               "begin 2, end 6, step 1");
  EXPECT_ERROR(slice(x, 0, 3, 2), "begin 3, end 2");
  EXPECT_ERROR(slice(x, 0, -1, 2), "begin -1");
  EXPECT_ERROR(slice(x, 0, 0, 2, 0), "step 0");
  EXPECT_ERROR(slice(x, 2, 0, 2), "slice: axis 2 is out of range");
}

TEST(Expand, StretchesWithoutCopying) {
  const Tensor x = counted({2, 1}), y = expand(x, {3, 2, 2});
  EXPECT_TRUE(share(x, y));
  EXPECT_EQ(y.strides(), (Strides{0, 1, 0}));
  EXPECT_EQ(to_vector<double>(y), (std::vector<double>{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_ERROR(expand(x, {3, 2}), "expand: shapes (2, 1) and (3, 2) do not broadcast");
  EXPECT_ERROR(expand(zeros({2, 3}), {3}), "expand: (2, 3) does not stretch to (3)");
  EXPECT_ERROR(expand(zeros({2, 3}), {1, 3}), "expand: (2, 3) does not stretch to (1, 3)");
}

TEST(Concat, JoinsAlongAnyAxis) {
  const Tensor a = counted({2, 2}), b = scale(counted({2, 1}), -1);
  EXPECT_EQ(to_vector<double>(concat({a, b}, 1)), (std::vector<double>{0, 1, 0, 2, 3, -1}));
  EXPECT_EQ(to_vector<double>(concat({a, transpose(a, 0, 1)}, 0)),
            (std::vector<double>{0, 1, 2, 3, 0, 2, 1, 3}));
  EXPECT_EQ(concat({zeros({0, 3}), zeros({2, 3})}, 0).shape(), (Shape{2, 3}));
  EXPECT_FALSE(share(concat({a}, 0), a));
}

TEST(Concat, NamesThePartThatDoesNotJoin) {
  EXPECT_ERROR(concat({}, 0), "concat: expected at least one tensor");
  EXPECT_ERROR(concat({zeros({2, 3}), zeros({2, 4})}, 0),
               "concat: f32 (2, 4) does not join f32 (2, 3) along axis 0");
  EXPECT_ERROR(concat({zeros({2, 3}), zeros({2})}, 0), "concat: f32 (2) does not join");
  EXPECT_ERROR(concat({zeros({2}), zeros({2}, Dtype::f64)}, 0), "concat: f64 (2) does not join");
}

TEST(Cast, RoundsAndKeepsWhatAlreadyFits) {
  const Tensor x = from<double>({0.1, 1e300});
  const std::vector<float> y = to_vector<float>(cast(x, Dtype::f32));
  EXPECT_EQ(y[0], 0.1F);
  EXPECT_EQ(y[1], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(share(cast(x, Dtype::f64), x));
  EXPECT_ERROR(cast(x, Dtype::f16), "cast: expected f32 or f64, got f16");
  EXPECT_ERROR(cast(arange(2), Dtype::f32), "cast: expected f32 or f64, got i32");
}

}  // namespace
}  // namespace ink
