// Gradient sums, scaling and norms: their values, and when they may write in place.
#include "tensor/update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "tensor/op.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

TEST(AddGradient, TakesTheFirstOver) {
  Tensor into, g = randn({3}, 1);
  const void* memory = g.storage().get();
  add_gradient(into, std::move(g));
  EXPECT_EQ(into.storage().get(), memory);
}

TEST(AddGradient, WritesInPlaceOnlyWhenAlone) {
  Tensor into = full({3}, 1);
  const void* memory = into.storage().get();
  add_gradient(into, full({3}, 2));
  EXPECT_EQ(into.storage().get(), memory);
  EXPECT_EQ(to_vector<float>(into), (std::vector<float>{3, 3, 3}));

  const Tensor shared = into;  // somebody else reads it
  add_gradient(into, full({3}, 2));
  EXPECT_EQ(to_vector<float>(shared), (std::vector<float>{3, 3, 3}));
  EXPECT_EQ(to_vector<float>(into), (std::vector<float>{5, 5, 5}));
}

TEST(AddGradient, TakesStridesAndBorrowedMemory) {
  Tensor into = view(full({4}, 1), {2, 2}, {0, 1}, 0);  // stretched: not one element each
  add_gradient(into, view(arange(4, Dtype::f32), {2, 2}, {1, 2}, 0));
  EXPECT_EQ(to_vector<float>(into), (std::vector<float>{1, 3, 2, 4}));

  const std::vector<float> foreign = {1, 2};
  const auto owner = std::make_shared<int>();
  Tensor mapped(StorageRef(Storage::borrow(foreign.data(), 8, owner)), {2}, {1}, 0, Dtype::f32);
  add_gradient(mapped, full({2}, 1));
  EXPECT_EQ(foreign, (std::vector<float>{1, 2}));
  EXPECT_EQ(to_vector<float>(mapped), (std::vector<float>{2, 3}));
}

TEST(AddGradient, ErrorsSayWhatWasExpected) {
  Tensor into = full({3}, 1);
  EXPECT_ERROR(add_gradient(into, full({2}, 1)),
               "add_gradient: the gradient should be f32 (3), got f32 (2)");
  EXPECT_ERROR(add_gradient(into, Tensor()), "add_gradient: the gradient is an undefined tensor");
}

TEST(SquaredNorm, IsExactWhereF32WouldNotBe) {
  EXPECT_EQ(squared_norm(full({1 << 20}, 0.5)), (1 << 20) * 0.25);
  EXPECT_NEAR(squared_norm(full({2}, 1e30)), 2e60, 1e54);  // beyond f32
  const Tensor x = randn({1000, 100}, 1, Dtype::f32);
  long double expected = 0;
  for (const float v : to_vector<float>(x)) expected += static_cast<long double>(v) * v;
  EXPECT_NEAR(squared_norm(x), static_cast<double>(expected), 1e-7);
  EXPECT_EQ(squared_norm(zeros({0})), 0);
}

TEST(SquaredNorm, ThreadsDoNotMatter) {
  const Tensor x = randn({300, 1001}, 1, Dtype::f32);
  const int before = threads();
  set_threads(1);
  const double alone = squared_norm(x);
  for (const int n : {2, 3, 8}) {
    set_threads(n);
    EXPECT_EQ(squared_norm(x), alone) << n;
  }
  set_threads(before);
}

TEST(AllFinite, FindsOneBadElementAnywhere) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double bad : {static_cast<double>(NAN), infinity, -infinity}) {
      for (const int64_t at : {0, 31, 32, 20000, 39999}) {
        Tensor x = full({40000}, 3e38, dtype);
        EXPECT_TRUE(all_finite(x));
        if (dtype == Dtype::f32) {
          x.data<float>()[at] = static_cast<float>(bad);
        } else {
          x.data<double>()[at] = bad;
        }
        EXPECT_FALSE(all_finite(x)) << bad << " at " << at;
      }
    }
  }
  EXPECT_TRUE(all_finite(zeros({0})));
}

TEST(ScaleInPlace, AnnouncesItsWrite) {
  Tensor x = full({4}, 1.5);
  const uint64_t version = x.storage()->version();
  scale_in_place(x, 2);
  EXPECT_NE(x.storage()->version(), version);
  EXPECT_EQ(to_vector<float>(x), std::vector<float>(4, 3));
  Tensor strided = view(zeros({8}), {4}, {2}, 0);
  EXPECT_ERROR(scale_in_place(strided, 2), "scale_in_place: x should be contiguous");
}

}  // namespace
}  // namespace ink
