// Bodies of all families in recorded steps: what their states say of other numbers is derived anew,
// and what the host looks at is shared or named as an obstacle.
#include "nn/replay.h"

#include <utility>

#include "autograd/step_graphs.h"
#include "autograd/tape.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"

namespace ink {
namespace {

ModelConfig config_of(const Family& family) {
  ModelConfig c;
  c.family = &family;
  c.vocab_size = 30;
  c.hidden_size = c.embedding_size = 32;
  c.head_size = 16;
  c.max_position_embeddings = 20;
  c.positions_after_padding = &family == &roberta_family();
  c.initializer_range = 0.1;
  if (&family == &mobilebert_family()) c.bottlenecks.intra_bottleneck_size = 32;
  if (&family == &albert_family()) c.shared = {.groups = 1, .inner = 1};
  c.set_layers(2, 2, 48);
  return c;
}

// Sequences of these lengths, with ids from 1 on, in two segments.
Packed batch_of(const std::vector<int64_t>& lengths, uint64_t seed) {
  std::vector<std::vector<int32_t>> ids, segments;
  for (const int64_t n : lengths) {
    ids.push_back(to_vector<int32_t>(randint({n}, seed + ids.size(), 1, 30)));
    segments.push_back(to_vector<int32_t>(randint({n}, seed + ids.size(), 0, 2)));
  }
  return pack(ids, segments);
}

// Trains nothing, but compares gradients on batches of lengths that change places.
struct Steps {
  Model model;
  Optimizer optimizer;
  std::function<Packed(int64_t i)> batch = [](int64_t i) {
    return batch_of(i % 2 ? std::vector<int64_t>{4, 7, 5} : std::vector<int64_t>{7, 5, 4},
                    10 * static_cast<uint64_t>(i));
  };
  std::vector<std::string> notices = {};

  explicit Steps(const Family& family)
      : model(config_of(family), {}, random_values(Random(1))), optimizer(model.parameters) {
    optimizer.place(model.parameters, Device::cuda);
  }

  MicroLoss loss(const Packed& packed, const Random& random) const {
    const Tensor states = model.body(packed, {.random = &random}).hidden;
    return {.loss = mse_loss(states, zeros(states.shape(), Dtype::f32, Device::cuda))};
  }
  // How many of them were replayed.
  int64_t expect_same_gradients(int64_t count) {
    const ReplayableLoss replayable{
        .inputs =
            [&](int64_t i) {
              const Packed packed = batch(i);
              return MicroInputs{.tensors = tensors_of(packed),
                                 .structure = structure_of(model, packed),
                                 .obstacle = obstacle_to_replay(model, packed)};
            },
        .loss = [&](const MicroInputs& in,
                    const Random& random) { return loss(packed_from(in.tensors), random); }};
    StepGraphs graphs(model.parameters, optimizer, replayable, false,
                      [&](const std::string& notice) { notices.push_back(notice); });
    for (int64_t i = 0; i < count; ++i) {
      const Random random(static_cast<uint64_t>(i));
      const std::optional<Learned> learned = graphs.learn(i, random);
      if (!learned) continue;
      Tape tape;
      tape.watch(model.parameters);
      const auto expected = tape.backward(loss(batch(i), random).loss, Tensor(), model.parameters);
      for (size_t k = 0; k < expected.size(); ++k) {
        EXPECT_EQ(static_cast<bool>(learned->gradients[k]), static_cast<bool>(expected[k])) << k;
        if (expected[k]) {
          EXPECT_TRUE(equal_bits(learned->gradients[k], expected[k])) << i << ' ' << k;
        }
      }
    }
    return graphs.replayed();
  }
};

TEST(ReplayOnDevice, BodiesOfBertsKindTakeOtherLengths) {
  SKIP_WITHOUT_DEVICE();
  for (const Family* family : {&bert_family(), &roberta_family(), &electra_family(),
                               &albert_family(), &distilbert_family()}) {
    SCOPED_TRACE(family->model_type);
    Steps steps(*family);
    EXPECT_EQ(steps.expect_same_gradients(6), 4);
    EXPECT_TRUE(steps.notices.empty());
  }
}

TEST(ReplayOnDevice, OthersShareTheirLengths) {
  SKIP_WITHOUT_DEVICE();
  for (const Family* family : {&mobilebert_family(), &bigru_family()}) {
    SCOPED_TRACE(family->model_type);
    Steps steps(*family);
    EXPECT_EQ(steps.expect_same_gradients(6), 2);
    EXPECT_TRUE(steps.notices.empty());
  }
}

TEST(ReplayOnDevice, NamesWhatTheHostLooksAt) {
  SKIP_WITHOUT_DEVICE();
  Steps xlnet(xlnet_family());
  EXPECT_EQ(xlnet.expect_same_gradients(4), 0);
  EXPECT_EQ(xlnet.notices, std::vector<std::string>{"steps are not replayed as CUDA graphs where "
                                                    "XLNet compares the segments of tokens on the "
                                                    "host"});
  Steps roberta(roberta_family());
  roberta.batch = [plain = roberta.batch](int64_t i) {
    Packed packed = plain(i);
    if (i == 3) packed.ids.data<int32_t>()[2] = 0;  // <pad>
    return packed;
  };
  EXPECT_EQ(roberta.expect_same_gradients(6), 3);
  EXPECT_EQ(roberta.notices, std::vector<std::string>{"steps are not replayed as CUDA graphs where "
                                                      "a text spells out the token of padding"});
}

}  // namespace
}  // namespace ink
