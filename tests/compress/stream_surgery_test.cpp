// Surgery on the residual stream: against a composition with masks, against channels that say what
// others say already, against layers passed over; sizes, folders, refusals.
#include "compress/stream_surgery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compress/choose_masks.h"
#include "compress/make_student.h"
#include "compress/surgery.h"
#include "nn/model_folder.h"
#include "nn/parameter_count.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

using Keep = std::vector<uint8_t>;

const std::vector<std::string> kStreamFamilies = {"bert",    "roberta", "xlm-roberta",
                                                  "electra", "albert",  "distilbert"};

Keep some_channels(int64_t channels) {
  Keep keep(static_cast<size_t>(channels), uint8_t{1});
  for (const size_t c : {size_t{1}, size_t{2}, size_t{7}, size_t{11}, size_t{15}}) keep[c] = 0;
  return keep;
}

Tensor logits(const Model& model, const FeatureBatch& batch, const EncoderOptions& options = {}) {
  return classify(model, batch.inputs, options);
}

// ── the composition with masks ──────────────────────────────────────────────────────────────────

// x (N, C) with zeros where a channel goes.
Tensor masked(const Tensor& x, const Keep& keep) {
  Tensor y = clone(x);
  for (int64_t i = 0; i < y.size(); ++i)
    if (!keep[static_cast<size_t>(i % y.dim(1))]) y.data<double>()[i] = 0;
  return y;
}

// Layer norm over the kept channels alone, zeros elsewhere.
Tensor norm_of_kept(const Tensor& x, const LayerNorm& norm, const Keep& keep) {
  Tensor y = zeros(x.shape(), Dtype::f64);
  const int64_t C = x.dim(1);
  const auto count = static_cast<double>(std::ranges::count(keep, 1));
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const double* row = x.data<double>() + n * C;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < C; ++c) mean += keep[static_cast<size_t>(c)] * row[c] / count;
    for (int64_t c = 0; c < C; ++c)
      variance += keep[static_cast<size_t>(c)] * (row[c] - mean) * (row[c] - mean) / count;
    for (int64_t c = 0; c < C; ++c)
      if (keep[static_cast<size_t>(c)])
        y.data<double>()[n * C + c] = (row[c] - mean) / std::sqrt(variance + norm.epsilon) *
                                          norm.gamma.value.data<double>()[c] +
                                      norm.beta.value.data<double>()[c];
  }
  return y;
}

Tensor composed_with_masks(const Model& model, const Packed& batch, const Keep& keep) {
  const auto& body = std::get<BertBody>(model.body.kind);
  const Tensor sum = add(add(body.word(batch.ids), body.position(batch.positions)),
                         (*body.segment)(batch.segments));
  Tensor x = norm_of_kept(sum, body.norm, keep);
  for (const EncoderLayer& layer : body.encoder.layers) {
    const SelfAttention& a = layer.attention;
    const Tensor mixed =
        attention(a.query(x), a.key(x), a.value(x), batch.offsets, {.heads = a.heads});
    const Tensor y = norm_of_kept(add(a.output(mixed), x), a.norm, keep);
    x = norm_of_kept(add(layer.output(layer.intermediate(y, layer.activation)), y), layer.norm,
                     keep);
  }
  const Tensor pooled = masked(body.pool(x, batch.offsets), keep);
  return model.classification->logits(pooled);
}

TEST(StreamSurgery, CutModelsComputeWhatChannelsLeftOutOfEverythingDo) {
  const Model model = in_f64(tiny_model(tiny_config(2, 4, 8), 1));
  const FeatureBatch batch = random_batch({5, 1, 12}, 1);
  const Keep keep = some_channels(16);
  const Model cut = with_channels(model, keep);
  EXPECT_EQ(cut.config.hidden_size, 11);
  EXPECT_LT(distance(logits(cut, batch), composed_with_masks(model, batch.inputs, keep)), 1e-12);
  EXPECT_LT(distance(logits(model, batch), composed_with_masks(model, batch.inputs, Keep(16, 1))),
            1e-12)
      << "with every channel the composition is the model";
  EXPECT_GT(distance(logits(cut, batch), logits(model, batch)), 1e-3);
}

// ── channels that repeat others ─────────────────────────────────────────────────────────────────

// `narrow` with every channel twice: weights that write to the stream, and layer norms, have each
// row twice, weights that read it have zeros for the second. Means and variances are the same.
Model with_every_channel_twice(const Model& narrow) {
  ModelConfig config = narrow.config;
  config.hidden_size *= 2;
  return Model(config, narrow.heads,
               [&](const std::string& name, const Shape& shape, const Initial&) {
                 Tensor x = narrow.parameters.at(name).value;
                 const bool table = name.find("embeddings.") != std::string::npos;
                 for (int axis = 0; axis < shape.rank(); ++axis) {
                   if (shape[axis] == x.dim(axis)) continue;
                   const bool reads = axis == 1 && !table;
                   x = concat({x, reads ? zeros(x.shape(), x.dtype()) : x}, axis);
                 }
                 return x;
               });
}

TEST(StreamSurgery, ChannelsThatRepeatOthersAreCutWithoutAnyLoss) {
  for (const std::string& family : kStreamFamilies) {
    const Model narrow = in_f64(tiny_model(tiny_family(family), 1));
    const Model wide = with_every_channel_twice(narrow);
    const FeatureBatch batch = random_batch({5, 1, 12}, 1);
    EXPECT_LT(distance(logits(wide, batch), logits(narrow, batch)), 1e-11) << family;
    Keep first_half(32, 1);
    std::fill(first_half.begin() + 16, first_half.end(), uint8_t{0});
    const Model cut = with_channels(wide, first_half);
    EXPECT_TRUE(equal_bits(logits(cut, batch), logits(narrow, batch))) << family;
  }
}

TEST(StreamSurgery, OfEveryHeadIsSavedAndLoaded) {
  const std::filesystem::path folder = scratch_folder("ink_pruned_stream");
  for (const std::string& family : kStreamFamilies) {
    for (const Heads& heads : {Heads{.classification = true}, Heads{.masked_lm = true},
                               Heads{.tagging = true}, Heads{.span = true}}) {
      const Model model = tiny_model(tiny_family(family), 1, heads);
      const Model cut = with_channels(model, some_channels(16));
      EXPECT_EQ(cut.parameters.elements(), parameter_count(cut.config, cut.heads)) << family;
      save_model(cut, folder / family);
      const Model loaded = load_model(folder / family);
      const Packed batch = random_batch({5, 3}, 2).inputs;
      EXPECT_TRUE(equal_bits(cut.body(batch).hidden, loaded.body(batch).hidden)) << family;
    }
    std::filesystem::remove_all(folder / family);
  }
}

// 768 → 512 channels of BERT-base: V + 512 + 2 rows of embeddings, layers of 4·768·512 + 3·768 +
// 512 + 2·512·3072 + 3072 + 512 and two layer norms, one more layer norm, the pooler.
TEST(StreamSurgery, SizesOfBertBase) {
  ModelConfig base;
  base.vocab_size = 30522;
  base.hidden_size = 768;
  base.set_layers(12, 12, 3072);
  Keep keep(768, 1);
  std::fill(keep.begin() + 512, keep.end(), uint8_t{0});
  const int64_t layer = 4 * 768 * 512 + 3 * 768 + 512 + 2 * 512 * 3072 + 3072 + 512 + 2 * 2 * 512;
  EXPECT_EQ(parameter_count(config_with_channels(base, keep), {.pooler = true}),
            (30522 + 512 + 2) * 512 + 2 * 512 + 12 * layer + 512 * 512 + 512);
}

TEST(StreamSurgery, WhatCannotBeCutIsRefused) {
  for (const char* family : {"xlnet", "mobilebert"})
    EXPECT_ERROR(config_with_channels(tiny_family(family), Keep(16, 1)),
                 std::string("hidden channels of ") + family + " cannot be cut");
  const ModelConfig bert = tiny_config(2, 4, 8);
  EXPECT_ERROR(config_with_channels(bert, Keep(3, 1)), "a mask of 16 hidden channels, got 3");
  EXPECT_ERROR(config_with_channels(bert, Keep(16, 0)), "leaves no hidden channels");
  ModelConfig electra = tiny_family("electra");  // embeddings of 6
  Keep six(16, 0);
  std::fill_n(six.begin(), 6, uint8_t{1});
  EXPECT_ERROR(config_with_channels(electra, six), "projects embeddings only to another");
  const Masks channels{{}, {}, {}, some_channels(16)};
  EXPECT_ERROR(masked_model(tiny_model(bert, 1), channels), "cannot be zeroed");
}

// Where nothing projects ELECTRA's embeddings they are the stream.
TEST(StreamSurgery, EmbeddingsOfTheStreamsOwnSizeFollowIt) {
  ModelConfig config = tiny_family("electra");
  config.embedding_size = 16;
  const Model cut = with_channels(tiny_model(config, 1), some_channels(16));
  EXPECT_EQ(cut.config.embedding_size, 11);
  EXPECT_EQ(cut.body.words().value.shape(), (Shape{50, 11}));
}

// One channel more would be as wide as the embeddings, and nothing would project these.
TEST(StreamSurgery, AStreamJustNarrowerThanItsEmbeddingsIsCutToo) {
  ModelConfig config = tiny_family("electra");
  config.embedding_size = 17;
  const Model cut = with_channels(tiny_model(config, 1), some_channels(16));
  EXPECT_EQ(cut.config.hidden_size, 11);
  EXPECT_EQ(cut.config.embedding_size, 17);
}

// ── layers ──────────────────────────────────────────────────────────────────────────────────────

TEST(StreamSurgery, LayersThatGoAreLayersPassedOver) {
  for (const std::string& family : kPrunableFamilies) {
    if (family == "albert") continue;
    ModelConfig config = tiny_family(family);
    config.heads_per_layer = {4, 4, 4};
    config.ffn_per_layer = {8, 8, 8};
    const Model model = in_f64(tiny_model(config, 1));
    const FeatureBatch batch = random_batch({5, 1, 12}, 1);
    StreamGates gates{.offsets = batch.inputs.offsets};
    for (const double gate : {1.0, 0.0, 1.0})
      gates.layers.push_back(full({3, 1}, gate, Dtype::f64));
    const Model cut = with_layers(model, {1, 0, 1});
    EXPECT_EQ(cut.config.layers(), 2);
    EXPECT_LT(distance(logits(cut, batch), logits(model, batch, {.stream = &gates})), 1e-12)
        << family;
    EXPECT_GT(distance(logits(cut, batch), logits(model, batch)), 1e-4) << family;
  }
}

TEST(StreamSurgery, SharedLayersRunLessOften) {
  ModelConfig config = tiny_family("albert");
  const Model model = tiny_model(config, 1), fewer = with_layers(model, {0, 1});
  EXPECT_EQ(fewer.config.layers(), 1);
  EXPECT_EQ(fewer.parameters.elements(), model.parameters.elements());
  config.shared.groups = 2;
  EXPECT_ERROR(config_with_layers(config, {0, 1}), "the 2 groups of albert");
}

// Layers, channels, heads and neurons at once are the same as one after the other, and rows of a
// layer that goes are not read.
TEST(StreamSurgery, AllAtOnceAndOneAfterTheOther) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 1);
  const Masks masks{{{0, 0, 0, 0}, {0, 1, 0, 1}},
                    {{0, 0, 0, 0, 0, 0, 0, 0}, {1, 1, 0, 0, 1, 0, 1, 1}},
                    {0, 1},
                    some_channels(16)};
  const Model at_once = pruned_model(model, masks);
  const Model steps = pruned_model(with_channels(with_layers(model, {0, 1}), some_channels(16)),
                                   {{{0, 1, 0, 1}}, {{1, 1, 0, 0, 1, 0, 1, 1}}});
  const FeatureBatch batch = random_batch({5, 1, 12}, 1);
  EXPECT_TRUE(equal_bits(logits(at_once, batch), logits(steps, batch)));
  EXPECT_EQ(at_once.parameters.elements(),
            parameter_count(pruned_config(model.config, masks), model.heads));
  const Masks read = masks_from_json(parse_json(to_json(masks).to_string(), "m"));
  EXPECT_EQ(read.layers, masks.layers);
  EXPECT_EQ(read.channels, masks.channels);
}

}  // namespace
}  // namespace ink
