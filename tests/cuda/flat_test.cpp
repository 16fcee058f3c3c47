// Many tensors in one array, and sums of such arrays in order of rank.
#include "tensor/flat.h"

#include <vector>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

class FlatOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

TEST_F(FlatOnDevice, HoldsEachPartAtAMultipleOfFour) {
  const auto on_cuda = [](Shape shape, uint64_t seed, Dtype type) {
    return to(converted(randn(shape, seed, Dtype::f32), type), Device::cuda);
  };
  std::vector<FlatPart> parts;
  for (const Dtype type : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (const int64_t n : {0, 1, 3, 4, 7, 64, 16384, 16385, 40001})
      parts.push_back({on_cuda({n}, static_cast<uint64_t>(n + 1), type), n, 1});
  }
  const Tensor square = on_cuda({6, 5}, 3, Dtype::bf16);
  parts.push_back({transpose(square, 0, 1), 30, 0.5});                // not contiguous
  parts.push_back({slice(on_cuda({9}, 4, Dtype::f16), 0, 1, 6), 5});  // begins at no four
  parts.push_back({Tensor(), 6});
  parts.push_back({on_cuda({}, 5, Dtype::f32), 1, 2});

  Flat flat(parts, 24);
  EXPECT_EQ(flat.values().size() % 24, 0);
  const std::vector<float> all = to_vector<float>(flat.values());
  size_t at = 0;
  for (size_t k = 0; k < parts.size(); ++k) {
    const auto& [value, size, factor] = parts[k];
    std::vector<float> expected(static_cast<size_t>(size));
    if (value) {
      expected = to_vector<float>(on_host(contiguous(value)));
      for (float& x : expected) x *= static_cast<float>(factor);
    }
    EXPECT_EQ(to_vector<float>(flat.part(k, {size})), expected) << k;
    EXPECT_EQ(flat.part(k, {size}).offset(), static_cast<int64_t>(at)) << k;
    at += expected.size();
    for (; at % 4 != 0; ++at) EXPECT_EQ(all[at], 0) << "behind part " << k;
  }
  for (; at < all.size(); ++at) EXPECT_EQ(all[at], 0) << "behind all of them";
  EXPECT_ERROR(flat.part(0, {5}), "flat: there is no part 0 of (5)");
  EXPECT_ERROR(Flat(std::vector<FlatPart>{{square, 4}}, 4), "flat: expected 4 elements on cuda");
}

// 1e8 + 1 is 1e8: another order gives another sum.
TEST_F(FlatOnDevice, AddsInOrderOfRank) {
  const std::vector<float> of_rank = {1e8f, 1, -1e8f};
  constexpr int64_t n = 2056;
  std::vector<float> sums(n), theirs;
  for (const float x : of_rank) theirs.insert(theirs.end(), n, x);
  for (int rank = 0; rank < 3; ++rank) {
    Tensor mine = to(from(std::vector<float>(n, of_rank[static_cast<size_t>(rank)])), Device::cuda);
    std::vector<float> others = theirs;  // a rank's own place is not read
    std::fill_n(others.begin() + rank * n, n, 7.0f);
    const Tensor there = to(from(others), Device::cuda);
    add_in_order(mine.data<float>(), there.data<float>(), rank, 3, n);
    EXPECT_EQ(to_vector<float>(mine), std::vector<float>(n, 0.0f)) << rank;
  }
}

}  // namespace
}  // namespace ink
