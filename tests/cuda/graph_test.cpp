// Graphs: replays compute what the work itself computes, from memory that is theirs alone.
#include "cuda/graph.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/optimizer.h"
#include "autograd/tape.h"
#include "cuda/allocator.h"
#include "cuda/pinned.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"
#if INK_EMULATED
#include "cuda/emulated/streams.h"
#endif

namespace ink {
namespace {

Tensor on_device(Shape shape, uint64_t seed, Dtype dtype = Dtype::f32) {
  return to(randn(shape, seed, dtype), Device::cuda);
}

// Two layers on rows of 8, and an index tensor made on the way.
struct Net {
  Tensor w1 = on_device({16, 8}, 1), b1 = on_device({16}, 2), w2 = on_device({8, 16}, 3),
         gamma = on_device({8}, 4), beta = on_device({8}, 5);

  Tensor operator()(const Tensor& x) const {
    const Tensor y = residual_layer_norm(
        x, linear(linear(x, w1, b1, Activation::gelu), w2, Tensor()), gamma, beta, 1e-5);
    const int32_t rows[] = {2, 0, 2};
    return gather_rows(softmax(y), from(std::span<const int32_t>(rows), {3}));
  }
};

class GraphOnDevice : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

TEST_F(GraphOnDevice, ReplaysComputeFromNewInputs) {
  const Net net;
  Tensor x = on_device({5, 8}, 10), y;
  cuda::Graph graph([&] { y = net(x); });
  EXPECT_GT(graph.nodes(), 5u);
  for (const uint64_t seed : {11, 12, 13}) {
    const Tensor other = randn({5, 8}, seed, Dtype::f32);
    copy_into(x, other);
    graph.replay();
    EXPECT_TRUE(equal_bits(y, net(to(other, Device::cuda))));
  }
}

TEST_F(GraphOnDevice, KeepsItsMemoryToItself) {
  const Net net;
  const Tensor x = on_device({5, 8}, 10), expected = net(x);
  Tensor y;
  cuda::Graph graph([&] { y = net(x); });
  graph.replay();
  std::vector<Tensor> others;  // would take blocks that the graph still writes to
  for (int i = 0; i < 50; ++i) others.push_back(full({5, 8}, i, Dtype::f32, Device::cuda));
  EXPECT_TRUE(equal_bits(y, expected));
  graph.replay();
  EXPECT_TRUE(equal_bits(y, expected));
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(equal_bits(others[static_cast<size_t>(i)], full({5, 8}, i)));
  }
}

TEST_F(GraphOnDevice, GivesItsMemoryBack) {
  const Net net;
  const Tensor x = on_device({5, 8}, 10);
  net(x);
  const auto in_use = [] { return cuda::device_statistics().in_use; };
  const size_t before = in_use();
  const Tensor expected = net(x);
  const size_t of_result = in_use() - before;
  Tensor y;
  {
    cuda::Graph graph([&] { y = net(x); });
    graph.replay();
  }
  EXPECT_TRUE(equal_bits(y, expected));  // results stay
  EXPECT_LE(in_use(), before + 2 * of_result);
}

TEST_F(GraphOnDevice, CannotWaitForTheDevice) {
  const Net net;
  const Tensor x = on_device({5, 8}, 10);
  Tensor y = net(x);
  EXPECT_ERROR(cuda::Graph([&] { mean(net(x)).item(); }),
               "work that is recorded as a graph cannot wait for the device");
  EXPECT_ERROR(cuda::Graph([&] { cuda::Graph inner([&] { net(x); }); }),
               "a graph cannot be recorded inside another");
  EXPECT_TRUE(equal_bits(net(x), y));  // the device goes on
}

// With attention of fixed offsets, in 16 bits.
TEST_F(GraphOnDevice, ReplaysAttention) {
  const Tensor offsets = from(std::vector<int32_t>{0, 3, 20});
  const auto head = [&](const Tensor& x) {
    return attention(x, x, x, offsets, {.heads = 1, .scale = 0.25});
  };
  Tensor x = to(randn({20, 32}, 1, Dtype::bf16), Device::cuda), y;
  cuda::Graph graph([&] { y = head(x); });
  const Tensor other = randn({20, 32}, 2, Dtype::bf16);
  copy_into(x, other);
  graph.replay();
  EXPECT_TRUE(equal_bits(y, head(to(other, Device::cuda))));
}

// A whole step of a problem whose structure stays: rates and numbers may change between replays,
// and steps that are not recorded may come between.
TEST_F(GraphOnDevice, ReplaysTrainingSteps) {
  struct Run {
    Parameters parameters;
    Optimizer optimizer;
    Tensor x = on_device({6, 8}, 1), target = on_device({6, 4}, 2);

    Run() : optimizer(made()) { optimizer.place(parameters, Device::cuda, Dtype::bf16); }
    const Parameters& made() {
      parameters.add("w", randn({4, 8}, 3, Dtype::f32));
      parameters.add("b", zeros({4}));
      return parameters;
    }
    void step() {
      Tape tape;
      tape.watch(parameters);
      const Tensor rounded = cast(x, Dtype::bf16);
      const Tensor y = linear(rounded, parameters.at("w").value, parameters.at("b").value);
      Gradients g = tape.backward(mse_loss(cast(y, Dtype::f32), target));
      std::vector<Tensor> list;
      for (const Parameter& p : parameters) list.push_back(g.take(p.value));
      optimizer.step_as_set(parameters, list);
    }
    void set(int t) {
      copy_into(x, randn({6, 8}, 10 + static_cast<uint64_t>(t), Dtype::f32));
      optimizer.control()->set({.learning_rate = 0.01 * t, .longest = 1});
    }
  };
  Run eager, replayed;
  for (int t = 0; t < 2; ++t) eager.set(0), eager.step();  // rates of 0: what recording does
  replayed.set(0);
  cuda::Graph graph([&] { replayed.step(); });
  replayed.step();
  for (int t = 1; t <= 5; ++t) {
    eager.set(t), replayed.set(t);
    eager.step();
    if (t == 3) {
      replayed.step();
    } else {
      graph.replay();
    }
    const auto expected = eager.optimizer.state(), got = replayed.optimizer.state();
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_TRUE(equal_bits(got[i].value, expected[i].value)) << got[i].name << " step " << t;
  }
}

// Index tensors stay on the host; what ops derive from them follows their numbers: sorted ids, in
// pieces where one is frequent, and how many labels count.
TEST_F(GraphOnDevice, ReplaysGradientsOfOtherIndexTensors) {
  Tensor table = on_device({9, 8}, 1);
  const auto gradient = [&](const Tensor& ids, const Tensor& labels) {
    Tape tape;
    tape.watch(table);
    return tape.backward(cross_entropy(embedding(table, ids), labels)).take(table);
  };
  const auto labels_of = [](uint64_t seed) {
    Tensor labels = randint({300}, seed, 0, 8);
    for (uint64_t i = 0; i < 30 * seed; ++i) labels.data<int32_t>()[i] = kIgnore;
    return labels;
  };
  Tensor ids = randint({300}, 1, 0, 9), labels = labels_of(1), dtable;
  cuda::Graph graph([&] { dtable = gradient(ids, labels); });
  for (const uint64_t seed : {2, 3, 4}) {
    const Tensor other = randint({300}, seed, 0, seed == 3 ? 1 : 9), of_other = labels_of(seed);
    renew(ids, other), renew(labels, of_other);
    graph.replay();
    EXPECT_TRUE(equal_bits(dtable, gradient(other, of_other))) << seed;
  }
  EXPECT_ERROR(renew(ids, full({300}, 9, Dtype::i32)),
               "embedding: id 9 at position (0) is outside [0, 9)");
  EXPECT_ERROR(renew(labels, full({300}, 8, Dtype::i32)), "cross_entropy: label 8 in row 0");
  EXPECT_ERROR(renew(ids, full({299}, 1, Dtype::i32)), "renew: expected two contiguous");
}

// What is sent for the first time while work is recorded would be garbage until a replay.
TEST_F(GraphOnDevice, ReadsIndexTensorsThatItReadBefore) {
  const Tensor x = on_device({5, 8}, 1), rows = from(std::vector<int32_t>{3, 0, 3});
  const auto work = [&] {
    if (cuda::is_recording()) gather_rows(x, rows);
  };
  EXPECT_ERROR(cuda::Graph{work}, "reads an index tensor which it did not read when it was done");
  EXPECT_TRUE(equal_bits(gather_rows(x, rows), gather_rows(to(x, Device::cpu), rows)));
  const cuda::Graph now([&] { gather_rows(x, rows); });
}

TEST_F(GraphOnDevice, SharesItsMemory) {
  cuda::release_device_cache();  // which would serve all of them
  const Net net;
  const Tensor x = on_device({500, 8}, 10);
  Tensor a, b;
  const cuda::Graph first([&] { a = net(x); });
  const auto memory = [&] {
    net(x);  // work done as usual has its own again
    const AllocatorStatistics s = cuda::device_statistics();
    return s.in_use + s.cached;
  };
  const size_t before = memory();
  cuda::Graph beside([&] { b = net(x); }, &first);
  const size_t shared = memory() - before;
  Tensor c;
  cuda::Graph apart([&] { c = net(x); });
  EXPECT_LT(shared, (memory() - before - shared) / 2);
  beside.replay();
  EXPECT_TRUE(equal_bits(b, net(x)));
}

// Where the work done as usual leaves blocks that do not fit what is recorded, they go back first.
TEST_F(GraphOnDevice, IsRecordedInMemoryThatWasCached) {
  constexpr int64_t kMebi = 1 << 18;  // floats
  const Tensor x = on_device({kMebi}, 1);
  Tensor y;
  const auto work = [&] {
    y = scale(x, 2);
    if (!cuda::is_recording()) Tensor({3 * kMebi}, Dtype::f32, Device::cuda);
  };
  cuda::release_device_cache();
  cuda::limit_device_memory(cuda::device_statistics().in_use + (size_t{4} << 20) + (128 << 10));
  std::unique_ptr<cuda::Graph> graph;
  EXPECT_NO_THROW(graph = std::make_unique<cuda::Graph>(work));
  cuda::limit_device_memory(0);
  ASSERT_TRUE(graph);
  graph->replay();
  EXPECT_TRUE(equal_bits(y, scale(x, 2)));
}

#if INK_EMULATED

// Where the device waits for a process that is gone, a graph's end may neither wait nor throw.
TEST_F(GraphOnDevice, GoesWithoutWaiting) {
  const Net net;
  const Tensor x = on_device({5, 8}, 10);
  Tensor y;
  auto graph = std::make_unique<cuda::Graph>([&] { y = net(x); });
  graph->replay();
  {
    const cuda::WatchScope watch([] { fail("the others are gone"); });
    cuda::emulated::set_stuck(true);
    graph.reset();
    cuda::emulated::set_stuck(false);
  }
  EXPECT_TRUE(equal_bits(y, net(x)));
}

// Bytes that a replay may still send are overwritten by nobody.
TEST_F(GraphOnDevice, KeepsUploadsUntilTheyAreRead) {
  const auto place_of = [](cuda::PinnedMemory& memory, int number) {
    const std::vector<int> numbers(1 << 20, number);  // as much as no other test keeps
    return static_cast<const int*>(memory.keep(numbers.data(), numbers.size() * sizeof number));
  };
  const int* place = nullptr;
  {
    cuda::PinnedMemory memory;
    place = place_of(memory, 1);
    EXPECT_NE(place_of(memory, 2), place);
    memory.mark_read();
    cuda::emulated::set_stuck(true);
  }
  {
    cuda::PinnedMemory other;
    EXPECT_NE(place_of(other, 3), place);
  }
  EXPECT_EQ(*place, 1);
  cuda::emulated::set_stuck(false);
  std::vector<cuda::PinnedMemory> later(3);  // takes what the others had
  EXPECT_EQ(std::ranges::count(later, place, [&](auto& m) { return place_of(m, 4); }), 1);
}

#endif

}  // namespace
}  // namespace ink
