// The tensor itself: making, viewing, copying, converting, printing, and its error messages.
#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <sstream>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

std::string printed(const Tensor& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}

Tensor counted(Shape shape, Dtype dtype = Dtype::f32) {  // 0, 1, 2, …
  const Tensor line = arange(shape.size(), dtype);
  return view(line, shape, row_major(shape), 0);
}

// ── shapes ──────────────────────────────────────────────────────────────────────────────────────

TEST(Shape, CountsAndIndexesFromBothEnds) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.size(), 24);
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ((Shape{3, 0}).size(), 0);
  EXPECT_EQ(s[-1], 4);
  EXPECT_EQ(s[0], 2);
  EXPECT_EQ(row_major(s), (Strides{12, 4, 1}));
  EXPECT_ERROR(s[3], "shape: axis 3 of (2, 3, 4)");
  EXPECT_ERROR(s[-4], "shape: axis -4 of (2, 3, 4)");
}

TEST(Shape, RefusesWhatCannotBe) {
  EXPECT_ERROR((Shape{1, 1, 1, 1, 1, 1}), "shape: expected at most 5 axes, got 6");
  EXPECT_ERROR((Shape{-1}).size(), "extents should not be negative, got (-1)");
  EXPECT_ERROR((Shape{int64_t{1} << 40, int64_t{1} << 40}).size(), "too many elements to count");
  constexpr int64_t kMany = int64_t{1} << 40;
  EXPECT_ERROR((Shape{0, kMany, kMany}).size(), "too many elements to count");
  EXPECT_ERROR((Shape{kMany, kMany, 0}).size(), "too many elements to count");
  EXPECT_ERROR(row_major({0, kMany, kMany}), "too many elements to count");
  EXPECT_ERROR(Tensor({int64_t{1} << 62}), "does not fit in memory");
  Shape full{1, 2, 3, 4, 5};
  EXPECT_ERROR(full.append(6), "shape: expected at most 5 axes, got one more than");
}

TEST(Shape, BroadcastsByNumPysRule) {
  EXPECT_EQ(broadcast("op", {2, 1, 4}, {3, 1}), (Shape{2, 3, 4}));
  EXPECT_EQ(broadcast("op", {}, {5}), (Shape{5}));
  EXPECT_EQ(broadcast("op", {0, 1}, {7}), (Shape{0, 7}));
  EXPECT_ERROR(broadcast("op", {2, 3}, {2, 4}),
               "op: shapes (2, 3) and (2, 4) do not broadcast (axis -1)");
  EXPECT_EQ(axis_of("op", -1, 3), 2);
  EXPECT_ERROR(axis_of("op", 3, 3), "op: axis 3 is out of range for rank 3");
}

// ── making ──────────────────────────────────────────────────────────────────────────────────────

TEST(Tensor, IsMadeFromValues) {
  EXPECT_EQ(to_vector<float>(full({2, 2}, 1.5)), (std::vector<float>(4, 1.5F)));
  EXPECT_EQ(to_vector<int32_t>(arange(4)), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(to_vector<double>(zeros({3}, Dtype::f64)), (std::vector<double>(3, 0)));
  EXPECT_EQ(from<double>({1, 2}).shape(), (Shape{2}));
  const std::vector<float> values{1, 2, 3};
  EXPECT_ERROR(from(std::span<const float>(values), {2}), "from: 3 values for shape (2)");
  const Tensor none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(zeros({0}));
}

TEST(Tensor, IsReadOnlyAsItsOwnType) {
  const Tensor x = zeros({2});
  EXPECT_ERROR(x.data<double>(), "tensor: read as f64, but it is f32");
  EXPECT_ERROR(Tensor().data<float>(), "tensor: read as f32, but it is undefined");
  EXPECT_ERROR(to_vector<int32_t>(x), "read as i32");
  EXPECT_EQ(full({1, 1}, 2.5, Dtype::f64).item(), 2.5);
  EXPECT_EQ(full({}, 3, Dtype::bf16).item(), 3);
  EXPECT_ERROR(x.item(), "item: expected a tensor of one element, got shape (2)");
}

// ── views ───────────────────────────────────────────────────────────────────────────────────────

TEST(View, SharesMemoryAndSeesWrites) {
  Tensor x = counted({3, 4});
  const Tensor y = view(x, {2, 2}, {4, 2}, 5);
  EXPECT_EQ(y.storage().get(), x.storage().get());
  EXPECT_EQ(to_vector<float>(y), (std::vector<float>{5, 7, 9, 11}));
  x.data<float>()[7] = -1;
  EXPECT_EQ(to_vector<float>(y)[1], -1);
}

TEST(View, StaysInsideItsStorage) {
  const Tensor x = counted({3, 4});
  EXPECT_ERROR(view(x, {3, 4}, {4, 1}, 1), "leaves its storage of 12 elements");
  EXPECT_ERROR(view(x, {2}, {1}, -1), "leaves its storage of 12 elements");
  EXPECT_ERROR(view(x, {2}, {-1}, 0), "leaves its storage");
  EXPECT_ERROR(view(x, {2, 2}, {1}, 0), "tensor: strides (1) for shape (2, 2)");
  EXPECT_EQ(to_vector<float>(view(x, {2}, {-1}, 1)), (std::vector<float>{1, 0}));
  EXPECT_EQ(view(x, {0, 9}, {100, 100}, 0).size(), 0);  // nothing is reached
  const int64_t far = int64_t{1} << 62;
  EXPECT_ERROR(view(x, {9}, {far}, 0), "leaves its storage");  // 8 · far is 0 when it wraps around
  EXPECT_ERROR(view(x, {2, 2}, {far, far}, 0), "leaves its storage");
  EXPECT_ERROR(view(x, {1}, {1}, INT64_MAX), "leaves its storage");
}

TEST(View, AnUndefinedTensorIsAnErrorEverywhere) {
  const Tensor none;
  Tensor target;
  EXPECT_ERROR(view(none, {3}, {0}, 0), "view: expected a tensor to view as (3), got an undefined");
  EXPECT_ERROR(clone(none), "clone: expected a tensor, got an undefined one");
  EXPECT_ERROR(copy_into(target, none), "copy_into: expected two tensors");
  EXPECT_ERROR(copy_into(target, full({}, 1)), "copy_into: expected two tensors");
  EXPECT_ERROR(expand(none, {3}), "got an undefined one");
  EXPECT_ERROR(exp(none), "exp: expected a tensor, got an undefined one");
  EXPECT_ERROR(sum(none), "sum: expected a tensor, got an undefined one");
}

TEST(View, KnowsWhetherItIsContiguous) {
  const Tensor x = counted({3, 4});
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_TRUE(view(x, {2, 4}, {4, 1}, 4).is_contiguous());
  EXPECT_FALSE(view(x, {4, 3}, {1, 4}, 0).is_contiguous());
  EXPECT_TRUE(view(x, {1, 4}, {99, 1}, 0).is_contiguous());  // an axis of 1 is never crossed
  EXPECT_FALSE(view(x, {2}, {0}, 0).is_contiguous());
}

// ── copies ──────────────────────────────────────────────────────────────────────────────────────

TEST(Copy, ContiguousCopiesOnlyWhenItMust) {
  const Tensor x = counted({3, 4});
  EXPECT_EQ(contiguous(x).storage().get(), x.storage().get());
  const Tensor y = contiguous(view(x, {4, 3}, {1, 4}, 0));
  EXPECT_NE(y.storage().get(), x.storage().get());
  EXPECT_EQ(to_vector<float>(y), (std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
}

TEST(Copy, EveryTypeAndRankIsCopied) {
  for (const Dtype d : {Dtype::f32, Dtype::f64, Dtype::f16, Dtype::bf16, Dtype::i64, Dtype::i32,
                        Dtype::i8, Dtype::u8}) {
    const Tensor x = counted({2, 1, 3, 2, 2}, d);
    const Tensor turned = view(x, {2, 2, 3, 1, 2}, {1, 2, 4, 12, 12}, 0);  // axes reversed
    const std::vector<double> y = to_vector<double>(converted(clone(turned), Dtype::f64));
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t e = i % 2, c = i / 2 % 3, b = i / 6 % 2, a = i / 12;
      ASSERT_EQ(y[i], static_cast<double>(a + 2 * b + 4 * c + 12 * e)) << name_of(d);
    }
  }
}

// Wide enough that the copy is cut into chunks and tiles.
TEST(Copy, LargeTransposesKeepTheirValues) {
  const int64_t R = 391, C = 517;
  const Tensor x = counted({R, C}), y = contiguous(view(x, {C, R}, {1, C}, 0));
  for (int64_t c = 0; c < C; ++c) {
    for (int64_t r = 0; r < R; ++r) {
      ASSERT_EQ(y.data<float>()[c * R + r], static_cast<float>(r * C + c));
    }
  }
}

TEST(Copy, CloneNeverShares) {
  Tensor x = counted({2, 2});
  x.grad_id = {1, 2};
  const Tensor y = clone(x);
  EXPECT_NE(y.storage().get(), x.storage().get());
  EXPECT_TRUE(equal_bits(x, y));
  EXPECT_EQ(y.grad_id.tape, 0U);
}

TEST(Copy, CopyIntoWritesAndTouches) {
  Tensor target = zeros({2, 3});
  const uint64_t version = target.storage()->version();
  copy_into(target, view(counted({3, 2}), {2, 3}, {1, 2}, 0));
  EXPECT_EQ(to_vector<float>(target), (std::vector<float>{0, 2, 4, 1, 3, 5}));
  EXPECT_GT(target.storage()->version(), version);
  EXPECT_ERROR(copy_into(target, zeros({3, 2})), "copy_into: expected (2, 3) f32, got (3, 2) f32");
  EXPECT_ERROR(copy_into(target, zeros({2, 3}, Dtype::f64)), "got (2, 3) f64");
  Tensor column = view(target, {2}, {3}, 0);
  EXPECT_ERROR(copy_into(column, zeros({2})), "copy_into: the target should own contiguous memory");
}

TEST(Copy, EqualBitsComparesShapeTypeAndBytes) {
  const Tensor x = counted({2, 2});
  EXPECT_TRUE(equal_bits(x, clone(x)));
  EXPECT_FALSE(equal_bits(x, counted({4})));
  EXPECT_FALSE(equal_bits(x, counted({2, 2}, Dtype::f64)));
  EXPECT_FALSE(equal_bits(full({1}, 0.0), full({1}, -0.0)));
  const Tensor nan = full({1}, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(equal_bits(nan, clone(nan)));
}

TEST(Convert, BetweenEveryPairOfTypes) {
  const Dtype types[] = {Dtype::f32, Dtype::f64, Dtype::f16, Dtype::bf16,
                         Dtype::i64, Dtype::i32, Dtype::i8,  Dtype::u8};
  for (const Dtype from_type : types) {
    for (const Dtype to_type : types) {
      const Tensor y = converted(counted({101}, from_type), to_type);
      ASSERT_EQ(y.dtype(), to_type);
      ASSERT_EQ(to_vector<double>(converted(y, Dtype::f64)),
                to_vector<double>(counted({101}, Dtype::f64)));
    }
  }
}

TEST(Convert, KeepsLargeIntegersExactly) {
  const std::vector<int64_t> values{(int64_t{1} << 53) + 1, -7};
  EXPECT_EQ(to_vector<int64_t>(converted(from<int64_t>(values), Dtype::i64)), values);
  EXPECT_EQ(to_vector<int32_t>(converted(from<int64_t>({INT32_MAX, INT32_MIN}), Dtype::i32)),
            (std::vector<int32_t>{INT32_MAX, INT32_MIN}));
}

TEST(Convert, WhatAnIntegerTypeCannotHoldIsAnError) {
  const auto to = [](double value, Dtype dtype) {
    return converted(full({1}, value, Dtype::f64), dtype).item();
  };
  EXPECT_ERROR(to(std::numeric_limits<double>::quiet_NaN(), Dtype::i32),
               "nan does not fit into i3");
  EXPECT_ERROR(to(1e20, Dtype::i64), "tensor: 1e+20 does not fit into i64");
  EXPECT_ERROR(to(0x1p63, Dtype::i64), "does not fit into i64");
  EXPECT_ERROR(to(-1, Dtype::u8), "-1 does not fit into u8");
  EXPECT_ERROR(to(128, Dtype::i8), "128 does not fit into i8");
  EXPECT_ERROR(full({2}, 300, Dtype::u8), "300 does not fit into u8");
  EXPECT_ERROR(converted(from<int64_t>({int64_t{1} << 32}), Dtype::i32), "4294967296 does not fit");
  EXPECT_ERROR(converted(from<int32_t>({-1}), Dtype::u8), "-1 does not fit into u8");
  EXPECT_EQ(to(-0x1p63, Dtype::i64), -0x1p63);
  EXPECT_EQ(to(-128.9, Dtype::i8), -128);  // the fraction is cut off
  EXPECT_EQ(to(255.9, Dtype::u8), 255);
  EXPECT_EQ(to(-0.9, Dtype::u8), 0);
  EXPECT_EQ(to(2147483647.5, Dtype::i32), 2147483647);
}

// ── borrowed memory ─────────────────────────────────────────────────────────────────────────────

TEST(Storage, BorrowedMemoryIsKeptAliveAndNeverWritten) {
  auto values = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3});
  const std::weak_ptr<std::vector<float>> alive = values;
  Tensor x(StorageRef(Storage::borrow(values->data(), 12, values)), {3}, {1}, 0, Dtype::f32);
  values.reset();
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(to_vector<float>(x), (std::vector<float>{1, 2, 3}));
  EXPECT_ERROR(copy_into(x, zeros({3})), "copy_into: the target should own contiguous memory");
  x = Tensor();
  EXPECT_TRUE(alive.expired());
}

TEST(Storage, AVersionNamesStorageAndContent) {
  Tensor a = zeros({4});
  const Tensor b = zeros({4});
  EXPECT_NE(a.storage()->version(), b.storage()->version());
  a.touch();
  EXPECT_NE(a.storage()->version(), b.storage()->version());
  const uint64_t before = a.storage()->version();
  a = Tensor();
  a = zeros({4});  // very likely the same memory
  EXPECT_NE(a.storage()->version(), before);
}

TEST(Storage, IsFreedWithItsLastTensor) {
  const size_t before = pool_statistics().in_use;
  {
    Tensor x({1000});
    const Tensor y = x, z = view(x, {10}, {1}, 5);
    EXPECT_EQ(x.storage()->use_count(), 3);
    x = Tensor();
    EXPECT_GT(pool_statistics().in_use, before);
  }
  EXPECT_EQ(pool_statistics().in_use, before);
}

// ── printing ────────────────────────────────────────────────────────────────────────────────────

TEST(Print, ShowsValuesShapeAndType) {
  EXPECT_EQ(printed(from<double>({1, -2.5, 1e-10})), "[1, -2.5, 1e-10]  (3) f64");
  EXPECT_EQ(printed(full({}, 3)), "3  () f32");
  EXPECT_EQ(printed(counted({2, 3}, Dtype::i32)), "[[0, 1, 2],\n [3, 4, 5]]  (2, 3) i32");
  EXPECT_EQ(printed(from<int32_t>({21127, -2147483647})), "[21127, -2147483647]  (2) i32");
  EXPECT_EQ(printed(from<int64_t>({(int64_t{1} << 53) + 1})), "[9007199254740993]  (1) i64");
  EXPECT_EQ(printed(full({2}, 200, Dtype::u8)), "[200, 200]  (2) u8");
  EXPECT_EQ(printed(zeros({0, 2})), "[]  (0, 2) f32");
  EXPECT_EQ(printed(Tensor()), "undefined tensor");
}

TEST(Print, ElidesLongAxes) {
  EXPECT_EQ(printed(arange(7)), "[0, 1, 2, 3, 4, 5, 6]  (7) i32");
  EXPECT_EQ(printed(arange(1000)), "[0, 1, 2, …, 997, 998, 999]  (1000) i32");
  EXPECT_EQ(printed(counted({9, 1}, Dtype::i32)),
            "[[0],\n [1],\n [2],\n …,\n [6],\n [7],\n [8]]  (9, 1) i32");
  const std::string table = printed(counted({50, 60}));
  EXPECT_LT(table.size(), 400U);
  EXPECT_NE(table.find("2999]]  (50, 60) f32"), std::string::npos) << table;
}

TEST(Print, LeavesTheStreamAsItWas) {
  std::ostringstream out;
  out << full({}, 1.0 / 3) << ' ' << 1.0 / 3;
  EXPECT_EQ(out.str(), "0.3333  () f32 0.333333");
}

}  // namespace
}  // namespace ink
