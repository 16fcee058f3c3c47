// Surgery, importance and pruning: against masked models, explicit gates and TextPruner's runs.
#include "compress/prune.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "compress/values.h"
#include "tensor/file.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/compress/helpers.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

Masks some_masks() {
  return {{{1, 0, 1, 0}, {0, 0, 0, 1}}, {{1, 1, 0, 0, 1, 0, 1, 1}, {0, 0, 1, 0, 0, 0, 0, 0}}};
}

Tensor logits(const Model& model, const FeatureBatch& batch) {
  return classify(model, batch.inputs);
}

TEST(Surgery, PrunedModelComputesWhatTheMaskedOneDoes) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 1);
  const FeatureBatch batch = random_batch({5, 1, 12}, 1);
  Model masked(model.config, model.heads, copies_of(model.parameters));
  zero_masked(masked.config, masked.parameters, some_masks());
  const Model pruned = pruned_model(model, some_masks());
  EXPECT_EQ(pruned.config.heads_per_layer, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(pruned.config.ffn_per_layer, (std::vector<int64_t>{5, 1}));
  EXPECT_LT(distance(logits(pruned, batch), logits(masked, batch)), 2e-6);
  EXPECT_GT(distance(logits(pruned, batch), logits(model, batch)), 1e-2)
      << "the masks should matter";
}

TEST(Surgery, CountsAndIndependence) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 1);
  const PrunedModel pruned = prune_with_masks(model.config, model.parameters, some_masks());
  // a head of size 4 at width 16: 4·16·4 weights + 12 biases; a neuron: 2·16 weights + 1 bias
  EXPECT_EQ(model.parameters.elements() - pruned.parameters.elements(),
            5 * (4 * 16 * 4 + 12) + 10 * 33);
  for (const Parameter& p : pruned.parameters)
    EXPECT_NE(p.value.storage().get(), model.parameters.at(p.name).value.storage().get()) << p.name;
}

TEST(Surgery, PrunedModelsCanBeSavedLoadedAndPrunedAgain) {
  const std::filesystem::path folder = scratch_folder("ink_pruned");
  const Model once = pruned_model(tiny_model(tiny_config(2, 4, 8), 1), some_masks());
  save_model(once, folder);
  const Model loaded = load_model(folder);
  const FeatureBatch batch = random_batch({5, 3}, 2);
  EXPECT_TRUE(equal_bits(logits(once, batch), logits(loaded, batch)));
  const Masks again{{{0, 1}, {1}}, {{1, 0, 0, 1, 1}, {1}}};
  const Model twice = pruned_model(loaded, again);
  EXPECT_EQ(twice.config.heads_per_layer, (std::vector<int64_t>{1, 1}));
  // the same heads and neurons in one cut: the second of {0, 2};
  // the first, fourth and fifth of {0, 1, 4, 6, 7}
  const Masks both{{{0, 0, 1, 0}, {0, 0, 0, 1}},
                   {{1, 0, 0, 0, 0, 0, 1, 1}, {0, 0, 1, 0, 0, 0, 0, 0}}};
  EXPECT_TRUE(equal_bits(logits(twice, batch),
                         logits(pruned_model(tiny_model(tiny_config(2, 4, 8), 1), both), batch)));
  std::filesystem::remove_all(folder);
}

TEST(Surgery, BadMasks) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 1);
  EXPECT_ERROR(pruned_model(model, {{{1, 1, 1, 1}}, {}}),
               "expected a mask of 2 layers of heads, got 1");
  EXPECT_ERROR(pruned_model(model, {{{1, 1, 1}, {1, 1, 1, 1}}, {}}),
               "layer 0 has 4 heads, but a mask of 3");
  EXPECT_ERROR(pruned_model(model, {{{1, 1, 1, 1}, {0, 0, 0, 0}}, {}}),
               "leaves layer 1 without heads");
}

// The scores are derivatives by gates that do not exist: compare with a model whose
// weights are really scaled.
TEST(Importance, EqualsCentralDifferencesOfGates) {
  Model model = tiny_model(tiny_config(2, 4, 8), 3);
  for (Parameter& p : model.parameters) p.value = converted(p.value, Dtype::f64);
  const FeatureBatch batch = random_batch({5, 1, 9}, 4);
  const auto loss = [&] {
    return model.classification->loss(classify(model, batch.inputs), batch.labels);
  };
  const ImportanceScores scores = measure_importance(
      model.config, model.parameters, {.batches = 1, .examples = 3, .input_gate = false},
      [&](int64_t) { return loss(); });
  const auto gated = [&](const char* name, int64_t first, int64_t width, double gate) {
    Tensor& weight = model.parameters.at(name).value;
    const Tensor kept = clone(weight);
    for (int64_t row = 0; row < weight.dim(0); ++row)
      for (int64_t c = first; c < first + width; ++c)
        weight.data<double>()[row * weight.dim(1) + c] *= gate;
    const double value = loss().item();
    weight = kept;
    return value;
  };
  const auto difference = [&](const char* name, int64_t first, int64_t width) {
    constexpr double h = 1e-5;
    return std::abs(gated(name, first, width, 1 + h) - gated(name, first, width, 1 - h)) / (2 * h) /
           3;
  };
  for (int64_t a = 0; a < 4; ++a)
    EXPECT_NEAR(scores.heads[1][static_cast<size_t>(a)],
                difference("bert.encoder.layer.1.attention.output.dense.weight", 4 * a, 4), 1e-8);
  for (int64_t j = 0; j < 8; ++j)
    EXPECT_NEAR(scores.ffn[0][static_cast<size_t>(j)],
                difference("bert.encoder.layer.0.output.dense.weight", j, 1), 1e-8);
}

TEST(Importance, OfWhatIsMaskedIsZero) {
  Model model = tiny_model(tiny_config(2, 4, 8), 3);
  zero_masked(model.config, model.parameters, some_masks());
  const FeatureBatch batch = random_batch({5, 4}, 4);
  const ImportanceScores scores = measure_importance(
      model.config, model.parameters, {.batches = 1, .examples = 2}, [&](int64_t) {
        return model.classification->loss(classify(model, batch.inputs), batch.labels);
      });
  const Masks masks = some_masks();
  for (size_t l = 0; l < 2; ++l) {
    for (size_t a = 0; a < 4; ++a) EXPECT_EQ(scores.heads[l][a] == 0, masks.heads[l][a] == 0);
    for (size_t j = 0; j < 8; ++j) EXPECT_EQ(scores.ffn[l][j] == 0, masks.ffn[l][j] == 0);
  }
  EXPECT_ERROR(measure_importance(model.config, model.parameters, {}, {}),
               "expected examples to measure with");
}

TEST(PruningConfig, KeysOfTextPruner) {
  const auto read = [](const char* text) {
    return PruningConfig::from_json(parse_json(text, "tc.json"));
  };
  const PruningConfig c =
      read(R"({"config_class": "TransformerPruningConfig", "target_ffn_size": 48,
      "target_num_of_heads": 2, "pruning_method": "iterative", "ffn_even_masking": false,
      "head_even_masking": false,
      "n_iters": 4, "multiple_of": 8, "pruning_order": "head-first"})");
  EXPECT_EQ(c.n_iters, 4);
  EXPECT_EQ(c.pruning_order, PruningOrder::head_first);
  EXPECT_EQ(
      PruningConfig::from_json(parse_json(c.to_json().to_string(), "x")).to_json().to_string(),
      c.to_json().to_string());
  EXPECT_ERROR(read(R"({"target_fnn_size": 48})"),
               "tc.json: unknown key 'target_fnn_size'; did you mean 'target_ffn_size'?");
  EXPECT_ERROR(read(R"({"pruning_method": "iterative"})"),
               "needs target_ffn_size, target_num_of_heads or both");
  EXPECT_ERROR(read(R"({"pruning_order": "heads"})"), "unknown value 'heads'");
  EXPECT_ERROR(read(R"({"target_ffn_size": 50, "multiple_of": 8})"),
               "expected a divisor of target_ffn_size 50");
  EXPECT_ERROR(read(R"({"target_ffn_size": 0})"), "expected an integer from 1");
}

// ── TextPruner's own runs ───────────────────────────────────────────────────────────────────────

struct Golden {
  std::filesystem::path folder = runs_of("textpruner");
  SafeTensors tensors{folder / "runs.safetensors"};
  Json json = parse_json(read_file(folder / "runs.json", 1 << 24), "runs.json");
  Model model = load_model(folder);

  std::vector<FeatureBatch> batches() const {
    std::vector<FeatureBatch> all;
    for (int i = 0; i < 4; ++i) {
      const std::string name = "batch" + std::to_string(i) + '.';
      const Tensor ids = tensors.tensor(name + "input_ids"),
                   types = tensors.tensor(name + "token_type_ids"),
                   mask = tensors.tensor(name + "attention_mask"),
                   labels = tensors.tensor(name + "labels");
      std::vector<std::vector<int32_t>> id_rows, type_rows;
      for (int64_t b = 0; b < ids.dim(0); ++b) {
        id_rows.emplace_back();
        type_rows.emplace_back();
        for (int64_t t = 0; t < ids.dim(1); ++t) {
          const int64_t at = b * ids.dim(1) + t;
          if (!mask.data<int32_t>()[at]) continue;
          id_rows.back().push_back(ids.data<int32_t>()[at]);
          type_rows.back().push_back(types.data<int32_t>()[at]);
        }
      }
      all.push_back({pack(id_rows, type_rows), clone(labels), {}});
    }
    return all;
  }
  Mask mask(const std::string& name) const {
    const Tensor t = tensors.tensor(name);
    Mask rows;
    for (int64_t l = 0; l < t.dim(0); ++l)
      rows.emplace_back(t.data<uint8_t>() + l * t.dim(1), t.data<uint8_t>() + (l + 1) * t.dim(1));
    return rows;
  }
};

void expect_scores(const Importance& got, const Tensor& wanted, const std::string& name) {
  for (int64_t l = 0; l < wanted.dim(0); ++l)
    for (int64_t j = 0; j < wanted.dim(1); ++j) {
      const double w = wanted.data<float>()[l * wanted.dim(1) + j];
      EXPECT_NEAR(got[static_cast<size_t>(l)][static_cast<size_t>(j)], w, 2e-4 * w + 2e-6)
          << name << ' ' << l << ' ' << j;
    }
}

TEST(TextPruner, ScoresMasksAndLogitsOfItsRuns) {
  const Golden golden;
  const std::vector<FeatureBatch> batches = golden.batches();
  for (size_t i = 0; i < batches.size(); ++i)
    EXPECT_LT(distance(logits(golden.model, batches[i]),
                       golden.tensors.tensor("full.logits" + std::to_string(i))),
              1e-5);
  int cases = 0;
  for (const auto& [name, value] : golden.json.object("cases").members()) {
    Json keys = value.object("config");
    if (keys.has("use_logits")) continue;  // scored without labels
    keys.set("pruning_method", "iterative");
    const Pruning pruning = choose_masks(golden.model, batches, PruningConfig::from_json(keys));
    for (size_t i = 0; i < pruning.steps.size(); ++i) {
      const PruningStep& step = pruning.steps[i];
      const std::string at = name + ".step" + std::to_string(i) + '.';
      if (!step.importance.heads.empty()) {
        expect_scores(step.importance.heads, golden.tensors.tensor(at + "head_importance"),
                      at + "head");
        EXPECT_EQ(step.masks.heads, golden.mask(at + "head_mask")) << at;
      }
      if (!step.importance.ffn.empty()) {
        expect_scores(step.importance.ffn, golden.tensors.tensor(at + "ffn_importance"),
                      at + "ffn");
        EXPECT_EQ(step.masks.ffn, golden.mask(at + "ffn_mask")) << at;
      }
    }
    EXPECT_EQ(pruning.masks.heads, golden.mask(name + ".head_mask")) << name;
    EXPECT_EQ(pruning.masks.ffn, golden.mask(name + ".ffn_mask")) << name;
    const Model pruned = pruned_model(golden.model, pruning.masks);
    EXPECT_EQ(pruned.parameters.elements(), value.integer("parameters"));
    for (size_t i = 0; i < batches.size(); ++i)
      EXPECT_LT(distance(logits(pruned, batches[i]),
                         golden.tensors.tensor(name + ".logits" + std::to_string(i))),
                2e-5)
          << name;
    ++cases;
  }
  EXPECT_EQ(cases, 10);
}

}  // namespace
}  // namespace ink
