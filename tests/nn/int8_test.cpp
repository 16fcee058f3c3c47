// Sessions in int8: near those in f32 in every family, the same bits in any batch and on any number
// of threads, without the weights in f32; and nothing trains or saves such a model.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <thread>

#include "autograd/tape.h"
#include "nn/session.h"
#include "tensor/allocator.h"
#include "tensor/op.h"
#include "tensor/parallel.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::sequences;
using testing::TemporaryFolder;

constexpr Place kInt8 = {.int8 = true};

// The least cosine of two rows.
double least_cosine(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const int64_t C = a.dim(1);
  double least = 1;
  for (int64_t n = 0; n < a.dim(0); ++n) {
    const float *x = a.data<float>() + n * C, *y = b.data<float>() + n * C;
    double xy = 0, xx = 0, yy = 0;
    for (int64_t c = 0; c < C; ++c)
      xy += double{x[c]} * y[c], xx += double{x[c]} * x[c], yy += double{y[c]} * y[c];
    least = std::min(least, xy / std::sqrt(xx * yy));
  }
  return least;
}

std::vector<fs::path> family_folders() {
  std::vector<fs::path> all;
  for (const auto& entry :
       fs::directory_iterator(fs::path(INK_SOURCE_DIR) / "tests/golden/families"))
    if (fs::exists(entry.path() / "config.json")) all.push_back(entry.path());
  std::ranges::sort(all);
  return all;
}

class Int8Families : public ::testing::TestWithParam<fs::path> {};

TEST_P(Int8Families, AreNearF32AndDoNotSeeTheBatch) {
  const Session exact(GetParam()), session(GetParam(), {}, kInt8);
  const auto words = static_cast<uint64_t>(exact.model().config.vocab_size);
  const auto texts = sequences({7, 1, 13, 4}, 1, words);
  const Packed batch = pack(texts);
  const Tensor hidden = session.encode(batch).hidden, expected = exact.encode(batch).hidden;
  EXPECT_FALSE(equal_bits(hidden, expected));
  EXPECT_GT(least_cosine(hidden, expected), 0.999);
  int64_t row = 0;
  for (const auto& text : texts) {
    const auto T = static_cast<int64_t>(text.size());
    const Tensor alone = session.encode(pack({&text, 1})).hidden;
    EXPECT_TRUE(equal_bits(alone, contiguous(slice(hidden, 0, row, row + T)))) << "row " << row;
    row += T;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Int8Families, ::testing::ValuesIn(family_folders()),
                         [](const auto& of) {
                           std::string name = of.param.filename().string();
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

Model small_model(const Heads& heads = {}) {
  return Model(testing::uneven_config(), heads, random_values(Random(3)));
}

TEST(Int8Session, HiddenStatesAreNearThoseOfF32InEveryLayer) {
  const Session exact(small_model()), session(small_model(), kInt8);
  const Packed batch = pack(sequences({7, 1, 13, 30}, 1, 199));
  const Encoded e = session.encode(batch, true), f = exact.encode(batch, true);
  ASSERT_EQ(e.all_hidden.size(), 4u);
  EXPECT_TRUE(equal_bits(e.all_hidden[0], f.all_hidden[0]));  // embeddings are not quantised
  for (size_t i = 1; i < 4; ++i)
    EXPECT_GT(least_cosine(e.all_hidden[i], f.all_hidden[i]), 0.999) << "layer " << i;
}

// Queries, keys and values as one product, or apart where they are asked for.
TEST(Int8Session, AttentionInputsHaveTheBitsOfTheJoinedProduct) {
  const Session session(small_model(), kInt8);
  const Packed batch = pack(sequences({7, 1, 13}, 1, 199));
  const Encoded e = session.model().body(batch, {.attention_inputs = true});
  EXPECT_TRUE(equal_bits(e.hidden, session.encode(batch).hidden));
  EXPECT_EQ(e.attention[1].key.shape(), (Shape{21, 24}));
}

TEST(Int8Session, TakesLayersWithoutHeadsOrNeurons) {
  ModelConfig config = testing::small_config();
  config.heads_per_layer = {5, 0, 2};
  config.ffn_per_layer = {97, 31, 0};
  const Session session(Model(config, {}, random_values(Random(3))), kInt8);
  const Session exact(Model(config, {}, random_values(Random(3))));
  const Packed batch = pack(sequences({7, 1}, 1, 199));
  EXPECT_GT(least_cosine(session.encode(batch).hidden, exact.encode(batch).hidden), 0.999);
}

TEST(Int8Session, ThreadsDoNotMatter) {
  const int before = threads();
  const Session session(small_model({.classification = true}), kInt8);
  const Packed batch = pack(sequences({7, 1, 13, 30}, 1, 199));
  set_threads(1);
  const Tensor expected = session.logits(batch);
  for (const int t : {2, 3, 8}) {
    set_threads(t);
    EXPECT_TRUE(equal_bits(session.logits(batch), expected)) << t << " threads";
  }
  set_threads(before);
}

TEST(Int8Session, ManyThreadsShareOneModel) {
  const Session session(small_model({.classification = true}), kInt8);
  std::vector<Packed> batches;
  std::vector<Tensor> alone;
  for (int i = 0; i < 4; ++i) {
    batches.push_back(pack(sequences({3 + i, 20, 1 + 2 * i}, static_cast<uint64_t>(i), 199)));
    alone.push_back(session.logits(batches.back()));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  for (size_t t = 0; t < 4; ++t) {
    workers.emplace_back([&, t] {
      for (size_t round = 0; round < 5; ++round) {
        const size_t i = (t + round) % 4;
        if (!equal_bits(session.logits(batches[i]), alone[i])) ++wrong;
      }
    });
  }
  for (std::thread& w : workers) w.join();
  EXPECT_EQ(wrong, 0);
}

// Of every place: what the process computes with is one choice, what a session does another.
TEST(Int8Session, FollowsTheWorkingPlaceUnlessToldOtherwise) {
  const Packed batch = pack(sequences({7, 13}, 1, 199));
  const Tensor expected = Session(small_model(), kInt8).encode(batch).hidden,
               exact = Session(small_model()).encode(batch).hidden;
  set_working_place(kInt8);
  const Tensor by_default = Session(small_model()).encode(batch).hidden,
               told = Session(small_model(), Place{}).encode(batch).hidden;
  EXPECT_ERROR(training_place("finetune"), "finetune: weights in int8 are for inference alone");
  set_working_place({});
  EXPECT_TRUE(equal_bits(by_default, expected));
  EXPECT_TRUE(equal_bits(told, exact));
  EXPECT_EQ(training_place("finetune").dtype, Dtype::f32);
  EXPECT_ERROR(Session(small_model(), {.dtype = Dtype::bf16, .int8 = true}),
               "expected f32, or on cuda f32, f16 or bf16, got bf16 on cpu");
}

int64_t quantized_elements(const Model& model) {
  int64_t count = 0;
  for (const Parameter& p : model.parameters)
    if (p.quantized) count += p.value.size();
  return count;
}

TEST(Int8Session, KeepsNoWeightInF32) {
  ModelConfig config = testing::small_config();
  config.hidden_size = 240;
  config.set_layers(3, 5, 960);
  const size_t before = pool_statistics().in_use;
  auto session = std::make_unique<Session>(Model(config, {}, random_values(Random(3))), kInt8);
  const auto quantized = static_cast<size_t>(quantized_elements(session->model()));
  EXPECT_EQ(quantized, 3u * (4 * 240 * 240 + 2 * 240 * 960));
  const size_t rest = session->model().parameters.bytes(), all = pool_statistics().in_use - before;
  EXPECT_LT(all, rest + quantized + quantized / 4);  // the pool rounds sizes up
  EXPECT_GE(all, rest + quantized);
  EXPECT_EQ(session->model().parameters.elements() * 4, static_cast<int64_t>(rest + 4 * quantized));
}

TEST(Int8Session, LetsGoOfTheFile) {
  const TemporaryFolder folder;
  save_model(small_model(), folder.path());
  const auto is_mapped = [&] {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      if (line.find(folder.path().string()) != std::string::npos) return true;
    return false;
  };
  {
    const Session exact(folder.path());
    EXPECT_TRUE(is_mapped());
  }
  const Session session(folder.path(), {}, kInt8);
  EXPECT_FALSE(is_mapped());
  const Packed batch = pack(sequences({7, 13}, 1, 199));
  EXPECT_TRUE(
      equal_bits(session.encode(batch).hidden, Session(small_model(), kInt8).encode(batch).hidden));
}

TEST(Int8Session, NothingTrainsOrSavesIt) {
  const TemporaryFolder folder;
  Model model = small_model();
  model.move(kInt8);
  model.pack();
  EXPECT_ERROR(save_model(model, folder.path()),
               "save: the model was quantised to int8 for inference, and the numbers of "
               "bert.encoder.layer.0.attention.self.query.weight are gone; load it anew");
  Tape tape;
  EXPECT_ERROR(tape.watch(model.parameters), "tape: the model was quantised to int8");
  tape.watch(model.body.words().value);
  EXPECT_ERROR(model.body(pack(sequences({7}, 1, 199))), "it has no gradient");
  const auto& attention = std::get<BertBody>(model.body.kind).encoder.layers[0].attention;
  EXPECT_ERROR(attention.query(zeros({2, 60})), "was quantised together with others");
}

// Moving a quantised model again, as a session does with what it is given, changes nothing.
TEST(Int8Session, TakesAModelThatWasMovedBefore) {
  Model model = small_model();
  model.move(kInt8);
  const Packed batch = pack(sequences({7, 13}, 1, 199));
  const Session session(std::move(model), kInt8);
  EXPECT_TRUE(
      equal_bits(session.encode(batch).hidden, Session(small_model(), kInt8).encode(batch).hidden));
}

TEST(Int8Session, NamesWeightsThatCannotBeQuantised) {
  Model model = small_model();
  Parameter& weight = model.parameters.at("bert.encoder.layer.1.intermediate.dense.weight");
  weight.value = clone(weight.value);
  weight.value.data<float>()[60] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(
      Session(std::move(model), kInt8),
      "bert.encoder.layer.1.intermediate.dense.weight: int8: expected finite weights, got NaN");
}

}  // namespace
}  // namespace ink
