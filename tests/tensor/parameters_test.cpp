// Parameters: stable addresses, order, names, tying.
#include "tensor/parameters.h"

#include <gtest/gtest.h>

#include "tests/expect_error.h"

namespace ink {
namespace {

TEST(Parameters, KeepsOrderAndAddresses) {
  Parameters all;
  std::vector<Parameter*> at;
  for (int i = 0; i < 300; ++i) at.push_back(&all.add("p" + std::to_string(i), zeros(Shape{2, 3})));
  Parameters moved = std::move(all);
  size_t i = 0;
  for (Parameter& p : moved) {
    EXPECT_EQ(&p, at[i]);
    EXPECT_EQ(moved.find("p" + std::to_string(i)), at[i]);
    ++i;
  }
  EXPECT_EQ(moved.size(), 300u);
  EXPECT_EQ(moved.elements(), 1800);
  EXPECT_EQ(moved.bytes(), 7200u);
}

TEST(Parameters, RefusesWhatWouldBeAmbiguous) {
  Parameters all;
  all.add("a", zeros(Shape{2}));
  EXPECT_ERROR(all.add("a", zeros(Shape{2})), "the name a is used twice");
  EXPECT_ERROR(all.add("b", Tensor()), "b has no value");
  EXPECT_EQ(all.find("b"), nullptr);
  EXPECT_ERROR(all.at("b"), "there is none named b");
}

TEST(Parameters, DecaysMatricesOnly) {
  Parameters all;
  EXPECT_TRUE(all.add("weight", zeros(Shape{2, 2})).decay);
  EXPECT_FALSE(all.add("bias", zeros(Shape{2})).decay);
}

TEST(Parameters, OwnsItsMemoryOnDemand) {
  const auto owner = std::make_shared<const std::vector<float>>(4, 1.5f);
  Parameters all;
  Tensor borrowed(StorageRef(Storage::borrow(owner->data(), 16, owner)), Shape{4}, Strides{1}, 0,
                  Dtype::f32);
  Parameter& p = all.add("a", borrowed);
  EXPECT_TRUE(p.value.storage()->borrowed());
  all.own();
  EXPECT_FALSE(p.value.storage()->borrowed());
  EXPECT_TRUE(equal_bits(p.value, borrowed));
}

}  // namespace
}  // namespace ink
