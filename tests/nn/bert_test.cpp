// BERT's promises: the same bits in any batch and for any number of threads, dropout by seed,
// layers of any size.
#include "nn/body.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/parallel.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

using testing::sequences;
using testing::small_config;

Model small_model(const ModelConfig& config = small_config()) {
  ModelConfig wide = config;
  wide.initializer_range = 0.1;
  return Model(wide, {.pooler = true, .masked_lm = true}, random_values(Random(3)));
}

Tensor rows_of(const Tensor& hidden, const Packed& batch, int64_t b) {
  const int32_t* at = batch.offsets.data<int32_t>();
  return contiguous(slice(hidden, 0, at[b], at[b + 1]));
}

TEST(Bert, ASequenceIsTheSameBitsAloneAndInAnyBatch) {
  for (const bool packed : {false, true}) {
    Model model = small_model();
    if (packed) model.pack();
    const auto texts = sequences({7, 1, 13, 40, 2, 33, 8, 25}, 1, 199);
    const Packed together = pack(texts);
    const Tensor hidden = model.body(together).hidden;
    for (size_t b = 0; b < texts.size(); ++b) {
      const Tensor alone = model.body(pack(std::vector<std::vector<int32_t>>{texts[b]})).hidden;
      EXPECT_TRUE(equal_bits(alone, rows_of(hidden, together, static_cast<int64_t>(b))))
          << b << " packed " << packed;
    }
    const std::vector pair{texts[3], texts[1]};
    const Packed two = pack(pair);
    EXPECT_TRUE(equal_bits(rows_of(model.body(two).hidden, two, 1), rows_of(hidden, together, 1)));
  }
}

TEST(Bert, TheNumberOfThreadsChangesNoBit) {
  const int before = threads();
  Model model = small_model();
  const Packed batch = pack(sequences({40, 3, 17, 29, 40, 11}, 2, 199));
  std::vector<Tensor> results;
  const Random random(9);
  for (const int n : {1, 2, 3, 8}) {
    set_threads(n);
    results.push_back(model.masked_lm->logits(model.body(batch).hidden));
  }
  set_threads(before);
  for (const Tensor& r : results) EXPECT_TRUE(equal_bits(r, results[0]));
}

TEST(Bert, PackedWeightsGiveTheSameBits) {
  Model model = small_model();
  const Packed batch = pack(sequences({40, 3, 17}, 2, 199));
  const auto run = [&] {
    const Tensor hidden = model.body(batch).hidden;
    return std::pair(model.masked_lm->logits(hidden), model.body.pool(hidden, batch.offsets));
  };
  const auto plain = run();
  model.pack();
  const auto packed = run();
  EXPECT_TRUE(equal_bits(plain.first, packed.first));
  EXPECT_TRUE(equal_bits(plain.second, packed.second));
}

TEST(Bert, RefusesWeightsThatChangedSincePacking) {
  Model model = small_model();
  const Packed batch = pack(sequences({4}, 2, 199));
  model.pack();
  Parameter& p = model.parameters.at("bert.encoder.layer.1.output.dense.weight");
  copy_into(p.value, zeros(p.value.shape()));
  EXPECT_ERROR(model.body(batch),
               "bert.encoder.layer.1.output.dense.weight has changed since it was packed");
  model.pack();
  model.body(batch);
  p.value = clone(p.value);
  EXPECT_ERROR(model.body(batch), "has changed since it was packed");
  model.unpack();
  model.body(batch);
}

TEST(Bert, DropoutDependsOnTheSeedAlone) {
  ModelConfig config = small_config();
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.2;
  const Model model = small_model(config);
  const Packed batch = pack(sequences({12, 20}, 2, 199));
  const auto with = [&](uint64_t seed) {
    const Random random(seed);
    return model.body(batch, {.random = &random}).hidden;
  };
  EXPECT_TRUE(equal_bits(with(1), with(1)));
  EXPECT_FALSE(equal_bits(with(1), with(2)));
  EXPECT_FALSE(equal_bits(with(1), model.body(batch).hidden)) << "no dropout without randomness";
  EXPECT_TRUE(equal_bits(model.body(batch).hidden, model.body(batch).hidden));
}

// A pruned model is an ordinary model: cutting what is zero gives the same results.
TEST(Bert, LayersMayHaveAnyNumberOfHeadsAndAnyWidth) {
  ModelConfig config = small_config();
  config.heads_per_layer = {5, 0, 1};
  config.ffn_per_layer = {0, 97, 1};
  const Model model = small_model(config);
  EXPECT_EQ(model.parameters.at("bert.encoder.layer.1.attention.self.query.weight").value.shape(),
            (Shape{0, 60}));
  EXPECT_EQ(model.parameters.at("bert.encoder.layer.2.attention.output.dense.weight").value.shape(),
            (Shape{60, 12}));
  EXPECT_EQ(model.parameters.at("bert.encoder.layer.0.intermediate.dense.weight").value.shape(),
            (Shape{0, 60}));
  const Packed batch = pack(sequences({6, 9}, 4, 199));
  const std::vector<float> hidden = to_vector<float>(model.body(batch).hidden);
  EXPECT_EQ(hidden.size(), 15u * 60u);
  for (const float h : hidden) EXPECT_TRUE(std::isfinite(h));
}

TEST(Bert, ReturnsWhatAttentionComputedFrom) {
  const Model model = small_model(testing::uneven_config());
  const Packed batch = pack(sequences({6, 9}, 4, 199));
  const Encoded e = model.body(batch, {.all_hidden = true, .attention_inputs = true});
  ASSERT_EQ(e.attention.size(), 3u);
  EXPECT_EQ(e.attention[1].query.shape(), (Shape{15, 24}));
  const auto& layer = std::get<BertBody>(model.body.kind).encoder.layers[1];
  EXPECT_TRUE(equal_bits(e.attention[1].key, layer.attention.key(e.all_hidden[1])));
  EXPECT_ERROR(model.body(batch, {.attention_inputs = true,
                                  .run_layer = [](std::function<Tensor()> f) { return f(); }}),
               "not kept by a layer runner");
}

TEST(Bert, RefusesMalformedBatches) {
  const Model model = small_model();
  EXPECT_ERROR(model.body(pack(sequences({3, 41}, 1, 199))),
               "sequence 1 has 41 tokens, the model takes at most 40");
  EXPECT_ERROR(model.body(pack(std::vector<std::vector<int32_t>>{{1, 199}})), "199");
  Packed batch = pack(sequences({3, 4}, 1, 199));
  batch.offsets = from(std::vector<int32_t>{0, 5, 3, 7});
  EXPECT_ERROR(model.body(batch), "offsets should not decrease");
  batch.offsets = from(std::vector<int32_t>{0, 6});
  EXPECT_ERROR(model.body(batch), "offsets should run from 0 to 7");
  batch.offsets = from(std::vector<int64_t>{0, 7});
  EXPECT_ERROR(model.body(batch), "offsets should be a contiguous vector of i32");
  EXPECT_ERROR(model.body.pool(model.body(pack(sequences({3, 0}, 1, 199))).hidden,
                               from(std::vector<int32_t>{0, 3, 3})),
               "sequence 1 is empty");
}

TEST(Bert, TakesAnEmptyBatch) {
  const Model model = small_model();
  EXPECT_EQ(model.body(pack({})).hidden.shape(), (Shape{0, 60}));
}

TEST(Scope, FirstValuesDependOnTheNameAlone) {
  Parameters one, two;
  const Scope a(one, random_values(Random(7))), b(two, random_values(Random(7)));
  a.param("first", {30, 20}, Initial::normal());
  const Parameter& x = (a / "layer" / 3).param("weight", {300, 200}, Initial::normal());
  const Parameter& y = (b / "layer" / 3).param("weight", {300, 200}, Initial::normal());
  EXPECT_EQ(x.name, "layer.3.weight");
  EXPECT_TRUE(equal_bits(x.value, y.value));
  double sum = 0, squares = 0;
  for (const float v : to_vector<float>(x.value)) {
    EXPECT_LE(std::abs(v), 0.04f);
    sum += double{v};
    squares += double{v} * double{v};
  }
  EXPECT_NEAR(sum / 60000, 0, 3e-4);
  EXPECT_NEAR(std::sqrt(squares / 60000), 0.02 * 0.8796, 3e-4) << "deviation of a normal cut at 2";
}

// RoBERTa's positions pass over padding that a text spells out, and give it the row of its own id.
TEST(Roberta, PaddingInATextIsNotCounted) {
  ModelConfig config = testing::small_config();
  config.family = &roberta_family();
  config.pad_token_id = 1;
  config.positions_after_padding = true;
  config.set_layers(0, 5, 97);  // what is embedded comes out
  Model model(config, {}, random_values(Random(3)));
  Tensor& words = model.parameters.at("roberta.embeddings.word_embeddings.weight").value;
  Tensor& places = model.parameters.at("roberta.embeddings.position_embeddings.weight").value;
  std::copy_n(words.data<float>() + 9 * 60, 60, words.data<float>() + 60);    // <pad> like 9
  std::copy_n(places.data<float>() + 4 * 60, 60, places.data<float>() + 60);  // row 1 like row 4
  const std::vector<std::vector<int32_t>> spelled{{1, 5, 1, 1, 7}, {8}}, plain{{5, 7, 9}, {8}};
  const Tensor got = model.body(pack(spelled)).hidden, want = model.body(pack(plain)).hidden;
  for (const auto& [row, like] :
       {std::pair<int64_t, int64_t>{0, 2}, {1, 0}, {2, 2}, {3, 2}, {4, 1}, {5, 3}})
    EXPECT_TRUE(equal_bits(contiguous(slice(got, 0, row, row + 1)),
                           contiguous(slice(want, 0, like, like + 1))))
        << row;
}

}  // namespace
}  // namespace ink
