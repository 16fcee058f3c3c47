// Streams of work that is replayed: they draw what the same splits of any root draw.
#include "tensor/replayed_random.h"

#include "cuda/graph.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

class ReplayedRandomOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

Tensor on_device(Shape shape, uint64_t seed, Dtype dtype = Dtype::f32) {
  return to(randn(shape, seed, dtype), Device::cuda);
}

// Every kernel that drops: dropout, layer norm and attention, in 16 bits and in f32.
std::vector<Tensor> drop_everywhere(const Random& random) {
  std::vector<Tensor> all;
  for (const Dtype type : {Dtype::f32, Dtype::bf16}) {
    const Tensor x = on_device({20, 32}, 1, type), scales = on_device({32}, 2, type);
    all.push_back(dropout(x, 0.3, random.split("one")));
    all.push_back(dropout_residual_layer_norm(x, x, scales, scales, 0.3,
                                              random.split("layers").split(3), 1e-5));
    const Random of_probabilities = random.split("layers").split(4).split("probabilities");
    all.push_back(attention(x, x, x, from(std::vector<int32_t>{0, 3, 20}),
                            {.heads = 2, .dropout = 0.3, .random = &of_probabilities}));
  }
  return all;
}

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(equal_bits(got[i], expected[i])) << i;
}

TEST_F(ReplayedRandomOnDevice, DrawsWhatItsRootDraws) {
  ReplayedRandom streams;
  for (const uint64_t seed : {1, 2, 3}) {
    streams.start(Random(seed));
    expect_same_bits(drop_everywhere(streams.root()), drop_everywhere(Random(seed)));
  }
}

TEST_F(ReplayedRandomOnDevice, DrawsAnewInEveryReplay) {
  ReplayedRandom streams;
  streams.start(Random(1));
  std::vector<Tensor> dropped;
  cuda::Graph graph([&] { dropped = drop_everywhere(streams.root()); });
  for (const uint64_t seed : {5, 6}) {
    streams.start(Random(seed));
    graph.replay();
    expect_same_bits(dropped, drop_everywhere(Random(seed)));
  }
}

TEST_F(ReplayedRandomOnDevice, CannotBeDrawnFromOnTheHost) {
  ReplayedRandom streams;
  streams.start(Random(1));
  const Random random = streams.root().split("host");
  const char* message = "work that is recorded cannot draw on the host";
  EXPECT_ERROR(random.uniform(0), message);
  EXPECT_ERROR(random.half(0), message);
  EXPECT_ERROR(random.below(0, 3), message);
  EXPECT_ERROR(random.seed(), message);
  EXPECT_ERROR(dropout(randn({3}, 1, Dtype::f32), 0.5, random), message);
  EXPECT_ERROR(streams.start(random), "expected a root that can be drawn from");
}

TEST_F(ReplayedRandomOnDevice, DrawsFromTheStreamsThatItDrewFromBefore) {
  ReplayedRandom streams;
  streams.start(Random(1));
  const Tensor x = on_device({20, 32}, 1);
  uint64_t times = 0;
  EXPECT_ERROR(cuda::Graph([&] { dropout(x, 0.3, streams.root().split(times++)); }),
               "draws from another stream than when it was done before");
}

}  // namespace
}  // namespace ink
