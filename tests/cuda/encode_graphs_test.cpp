// Recorded encodings of an inference session: as little memory as encoding as usual takes, and
// encoding as usual where there is less.
#include "nn/encode_graphs.h"

#include <vector>

#include "cuda/allocator.h"
#include "nn/session.h"
#include "tensor/op.h"
#include "tests/cuda/device.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

size_t device_memory_taken() {
  const AllocatorStatistics s = cuda::device_statistics();
  return s.in_use + s.cached;
}

// A small model, and how often its body was run rather than replayed.
class EncodeGraphsOnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DEVICE();
    model_.move({Device::cuda, Dtype::f32});
    model_.pack();
    expect_runs(batch_of({3}, 1), 1);  // a recording has a workspace for products
    expect_runs(batch_of({3}, 2), 2);
  }
  void TearDown() override { cuda::limit_device_memory(0); }

  static Packed batch_of(const std::vector<int>& lengths, uint64_t seed) {
    return pack(testing::sequences(lengths, seed, 199));
  }
  // The states of the body, which is run so many times for this batch.
  void expect_runs(const Packed& batch, int runs) {
    const int before = runs_;
    const Tensor got = graphs_(batch, encode_);
    EXPECT_EQ(runs_ - before, runs);
    EXPECT_TRUE(equal_bits(got, model_.body(batch).hidden));
  }

  static ModelConfig one_layer() {
    ModelConfig c = testing::small_config();
    c.set_layers(1, 5, 97);
    return c;
  }

  Model model_ = Model(one_layer(), {}, random_values(Random(1)));
  int runs_ = 0;
  EncodeGraphs::Encode encode_ = [this](const Packed& b) {
    ++runs_;
    return model_.body(b).hidden;
  };
  EncodeGraphs graphs_;
};

TEST_F(EncodeGraphsOnDevice, AreRecordedInTheMemoryOfTheFirstEncoding) {
  cuda::release_device_cache();
  graphs_(batch_of({17, 20}, 1), encode_);
  cuda::limit_device_memory(device_memory_taken() + (size_t{48} << 10));
  const int before = runs_;
  const Tensor second = graphs_(batch_of({17, 20}, 2), encode_),
               third = graphs_(batch_of({17, 20}, 3), encode_);
  EXPECT_EQ(runs_ - before, 2);  // as usual and recorded, then replayed
  cuda::limit_device_memory(0);
  EXPECT_TRUE(equal_bits(second, model_.body(batch_of({17, 20}, 2)).hidden));
  EXPECT_TRUE(equal_bits(third, model_.body(batch_of({17, 20}, 3)).hidden));
}

TEST_F(EncodeGraphsOnDevice, GoOnWithoutMemoryToRecord) {
  const EncodeGraphs::Encode plain = encode_;
  bool fails = true;
  encode_ = [&](const Packed& b) {
    if (cuda_backend().recording() && fails) fail("cuda: out of memory");
    return plain(b);
  };
  const std::vector<int> lengths = {9, 4};
  expect_runs(batch_of(lengths, 1), 1);
  expect_runs(batch_of(lengths, 2), 2);  // as usual, while it could not be recorded, and again
  fails = false;
  expect_runs(batch_of(lengths, 3), 1);
  expect_runs(batch_of({3}, 4), 1);  // whose recording has gone
  expect_runs(batch_of({3}, 5), 2);
  expect_runs(batch_of({3}, 6), 0);
}

TEST_F(EncodeGraphsOnDevice, RaiseErrorsThatAreNotOfTheRecording) {
  const EncodeGraphs::Encode plain = encode_;
  bool fails = false;
  encode_ = [&](const Packed& b) {
    check(!fails, "body: lost");
    return plain(b);
  };
  expect_runs(batch_of({9}, 1), 1);
  fails = true;
  EXPECT_THROW(graphs_(batch_of({9}, 2), encode_), Error);
}

TEST_F(EncodeGraphsOnDevice, ShareTheirMemory) {
  cuda::release_device_cache();  // which would serve all of them
  const auto taken_with = [this](const std::vector<int>& lengths) {
    for (uint64_t seed = 1; seed <= 3; ++seed) graphs_(batch_of(lengths, seed), encode_);
    model_.body(batch_of(lengths, 1));  // encoding as usual has its own again
    return device_memory_taken();
  };
  model_.body(batch_of({15, 16, 17}, 1));
  const size_t none = device_memory_taken(), one = taken_with({15, 16, 17}),
               two = taken_with({16, 15, 17});
  EXPECT_LT(two - one, (one - none) / 3);
  expect_runs(batch_of({15, 16, 17}, 4), 0);
  expect_runs(batch_of({16, 15, 17}, 4), 0);
}

}  // namespace
}  // namespace ink
