// The caching allocator: slabs that are cut and given back, and what a released block may serve.
#include "cuda/allocator.h"

#include <string>
#include <vector>

#include "autograd/tape.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"

namespace ink::cuda {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

Tensor tensor_of(size_t bytes, double value = 0) {
  return full({static_cast<int64_t>(bytes / sizeof(float))}, value, Dtype::f32, Device::cuda);
}

class AllocatorOnDevice : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DEVICE();
    release_device_cache();
    before_ = device_statistics();
  }
  void TearDown() override { limit_device_memory(0); }

  // More than at first.
  int64_t system_allocations() const {
    return static_cast<int64_t>(device_statistics().system_allocations -
                                before_.system_allocations);
  }
  size_t cached() const { return device_statistics().cached - before_.cached; }

 private:
  AllocatorStatistics before_;
};

TEST_F(AllocatorOnDevice, WastesAnEighthAtMost) {
  const auto place_of = [](size_t bytes) { return tensor_of(bytes).storage()->data(); };
  const void* const block = place_of(9216);
  EXPECT_EQ(place_of(8192), block);
  EXPECT_NE(place_of(7680), block);
  EXPECT_EQ(place_of(9216), block);
  EXPECT_EQ(system_allocations(), 2);
}

std::string message_without_memory() {
  try {
    const Tensor more({int64_t{1} << 40}, Dtype::f32, Device::cuda);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST_F(AllocatorOnDevice, AdvisesWhatHelps) {
  const char *smaller = "; use a smaller batch, or bf16 where this is f32",
             *several =
                 "; use a smaller batch and accumulate gradients over several, or bf16 where ";
  EXPECT_TRUE(message_without_memory().ends_with(smaller)) << message_without_memory();
  const Tape tape;
  EXPECT_NE(message_without_memory().find(several), std::string::npos) << message_without_memory();
}

TEST_F(AllocatorOnDevice, CallsTensorsTheLargestThatAre) {
  const Tensor x = tensor_of(kMiB);
  linear(view(x, {64, 16}, {16, 1}, 0), view(x, {16, 16}, {16, 1}, 0), Tensor());
  const std::string message = message_without_memory();
  EXPECT_NE(message.find("; the largest tensors have 1"), std::string::npos) << message;
}

class SlabsOnDevice : public AllocatorOnDevice {
 protected:
  void SetUp() override {
    AllocatorOnDevice::SetUp();
    if (!IsSkipped()) cut_before_ = cut_slabs(true);
  }
  void TearDown() override {
    AllocatorOnDevice::TearDown();
    if (IsSkipped()) return;
    release_device_cache();
    cut_slabs(cut_before_);
  }
  // One for each block of two slabs.
  static std::vector<Tensor> two_slabs() {
    std::vector<Tensor> all;
    for (int i = 0; i < 16; ++i) all.push_back(tensor_of(kMiB, i));
    return all;
  }
  static void expect_values(const std::vector<Tensor>& all) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i]) continue;
      EXPECT_TRUE(equal_bits(all[i], full(all[i].shape(), static_cast<double>(i)))) << i;
    }
  }

 private:
  bool cut_before_ = false;
};

TEST_F(SlabsOnDevice, HaveEightBlocks) {
  const std::vector<Tensor> all = two_slabs();
  EXPECT_EQ(system_allocations(), 2);
  EXPECT_EQ(cached(), 0u);
  expect_values(all);
  const Tensor another = tensor_of(kMiB);
  EXPECT_EQ(system_allocations(), 3);
  EXPECT_EQ(cached(), 7 * kMiB);
}

TEST_F(SlabsOnDevice, GoBackWhenAllBlocksAreFree) {
  std::vector<Tensor> all = two_slabs();
  for (const size_t kept : {size_t{0}, size_t{3}, size_t{7}}) {
    for (size_t i = 0; i < 8; ++i)
      if (i != kept) all[i] = {};
    release_device_cache();
    EXPECT_EQ(cached(), 7 * kMiB) << kept;
    expect_values(all);
    for (size_t i = 0; i < 8; ++i)
      if (i != kept) all[i] = tensor_of(kMiB, static_cast<double>(i));
  }
  EXPECT_EQ(system_allocations(), 2);
  for (size_t i = 0; i < 8; ++i) all[i] = {};
  EXPECT_EQ(cached(), 8 * kMiB);
  release_device_cache();
  EXPECT_EQ(cached(), 0u);
  expect_values(all);
}

// Without room for a slab, blocks are had one by one, and a slab that waits makes room.
TEST_F(SlabsOnDevice, AreNotCutWithoutRoom) {
  const AllocatorStatistics now = device_statistics();
  limit_device_memory(now.in_use + now.cached + 8 * kMiB);
  { const Tensor slab = tensor_of(kMiB); }
  EXPECT_EQ(cached(), 8 * kMiB);
  const Tensor larger = tensor_of(2 * kMiB), another = tensor_of(2 * kMiB);
  EXPECT_EQ(cached(), 0u);
  EXPECT_EQ(system_allocations(), 3);
}

}  // namespace
}  // namespace ink::cuda
