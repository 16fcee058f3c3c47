// Choosing masks: the keys, TextPruner's own runs, models pruned before, the account.
#include "compress/choose_masks.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compress/pruning_account.h"
#include "nn/model_folder.h"
#include "nn/parameter_count.h"
#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

using Batches = std::vector<FeatureBatch>;

Tensor logits(const Model& model, const FeatureBatch& batch) {
  return classify(model, batch.inputs);
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
  EXPECT_EQ(read(R"({"target_ffn_size": null, "target_num_of_heads": 2})").target_ffn_size, 0);
}

TEST(PruningConfig, KeysBesideTextPruners) {
  const auto read = [](const char* text) {
    return PruningConfig::from_json(parse_json(text, "tc.json"));
  };
  const PruningConfig c = read(R"({"target_num_of_heads": 4, "head_multiple_of": 2, "min_heads": 2,
      "per": "example"})");
  EXPECT_EQ(c.head_multiple_of, 2);
  EXPECT_TRUE(c.per_example);
  EXPECT_EQ(
      PruningConfig::from_json(parse_json(c.to_json().to_string(), "x")).to_json().to_string(),
      c.to_json().to_string());
  EXPECT_ERROR(read(R"({"target_num_of_heads": 3, "head_multiple_of": 2})"),
               "expected a divisor of target_num_of_heads 3, got 2");
  EXPECT_ERROR(read(R"({"use_logits": true, "per": "example"})"), "expected use_logits false");
  EXPECT_ERROR(read(R"({"compatible": true, "per": "example"})"), "TextPruner has no");
  EXPECT_ERROR(read(R"({"per": "token"})"), "unknown value 'token'");
  EXPECT_EQ(read(R"({"target_ffn_size": 50, "multiple_of": 8, "compatible": true})").multiple_of, 8)
      << "as TextPruner, which ignores it where FFNs are even";
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

// Of f64 runs, which TextPruner's scores have to within their own f32.
void expect_scores(const Importance& got, const Tensor& wanted, const std::string& name) {
  ASSERT_EQ(std::ssize(got), wanted.dim(0)) << name;
  for (int64_t l = 0; l < wanted.dim(0); ++l)
    for (int64_t j = 0; j < wanted.dim(1); ++j) {
      const double w = wanted.data<float>()[l * wanted.dim(1) + j];
      EXPECT_NEAR(got[static_cast<size_t>(l)][static_cast<size_t>(j)], w, 1e-6 * w)
          << name << ' ' << l << ' ' << j;
    }
}

// Of f32 runs: what is left of large terms that cancel has an error of its own.
void expect_scores_in_f32(const Importance& got, const Tensor& wanted, const std::string& name) {
  const auto w = to_vector<double>(converted(wanted, Dtype::f64));
  const double most = *std::ranges::max_element(w);
  for (size_t l = 0; l < got.size(); ++l)
    for (size_t j = 0; j < got[l].size(); ++j)
      EXPECT_NEAR(got[l][j], w[l * got[l].size() + j], 1e-5 * most) << name << ' ' << l << ' ' << j;
}

using ExpectScores = void (*)(const Importance&, const Tensor&, const std::string&);

void expect_steps(const Golden& golden, const std::string& name, const Pruning& pruning,
                  ExpectScores expect) {
  for (size_t i = 0; i < pruning.steps.size(); ++i) {
    const PruningStep& step = pruning.steps[i];
    const std::string at = name + ".step" + std::to_string(i) + '.';
    if (!step.importance.heads.empty()) {
      expect(step.importance.heads, golden.tensors.tensor(at + "head_importance"), at + "head");
      EXPECT_EQ(step.masks.heads, golden.mask(at + "head_mask")) << at;
    }
    if (!step.importance.ffn.empty()) {
      expect(step.importance.ffn, golden.tensors.tensor(at + "ffn_importance"), at + "ffn");
      EXPECT_EQ(step.masks.ffn, golden.mask(at + "ffn_mask")) << at;
    }
  }
  EXPECT_EQ(pruning.masks.heads, golden.mask(name + ".head_mask")) << name;
  EXPECT_EQ(pruning.masks.ffn, golden.mask(name + ".ffn_mask")) << name;
}

void expect_logits(const Golden& golden, const std::string& name, const Model& pruned,
                   const Batches& batches, double tolerance) {
  for (size_t i = 0; i < batches.size(); ++i)
    EXPECT_LT(distance(logits(pruned, batches[i]),
                       golden.tensors.tensor(name + ".logits" + std::to_string(i))),
              tolerance)
        << name;
}

PruningConfig config_of(const Json& run) {
  Json keys = run.object("config");
  keys.set("pruning_method", "iterative").set("compatible", true);
  return PruningConfig::from_json(keys);
}

// The reference logits of TextPruner's own copy in half precision; nothing for labelled runs.
std::vector<std::vector<Tensor>> reference_of(const Golden& golden, const std::string& name) {
  std::vector<std::vector<Tensor>> all;
  for (int i = 0; i < 4; ++i) {
    const std::string key = name + ".reference_fp16_logits" + std::to_string(i);
    if (golden.tensors.find(key)) all.push_back({golden.tensors.tensor(key)});
  }
  return all;
}

TEST(TextPruner, ScoresMasksAndLogitsOfItsRuns) {
  const Golden golden;
  const Batches batches = golden.batches();
  const Model model = in_f64(load_model(golden.folder));
  expect_logits(golden, "full", model, batches, 1e-12);
  int labelled = 0, unlabelled = 0;
  for (const auto& [name, run] : golden.json.object("cases").members()) {
    const PruningConfig config = config_of(run);
    const Pruning pruning =
        choose_masks(model, batches, config, {.reference = reference_of(golden, name)});
    expect_steps(golden, name, pruning, expect_scores);
    const Model pruned = pruned_model(model, pruning.masks);
    EXPECT_EQ(pruned.parameters.elements(), run.integer("parameters"));
    expect_logits(golden, name, pruned, batches, 1e-12);
    ++(config.use_logits ? unlabelled : labelled);
  }
  EXPECT_EQ(labelled, 10);
  EXPECT_EQ(unlabelled, 3);
}

TEST(TextPruner, LabelledRunsInF32) {
  const Golden golden;
  const Batches batches = golden.batches();
  for (const auto& [name, run] : golden.json.object("cases").members()) {
    const PruningConfig config = config_of(run);
    if (config.use_logits) continue;  // in f32 their scores are rounding
    const Pruning pruning = choose_masks(golden.model, batches, config);
    expect_steps(golden, name, pruning, expect_scores_in_f32);
    expect_logits(golden, name, pruned_model(golden.model, pruning.masks), batches, 2e-6);
  }
}

// All 29 examples in order, `count` to a batch.
Batches rebatched(const Batches& batches, size_t count) {
  std::vector<std::vector<int32_t>> ids, segments;
  std::vector<int32_t> labels;
  for (const FeatureBatch& batch : batches) {
    const int32_t* at = batch.inputs.offsets.data<int32_t>();
    for (int64_t b = 0; b < batch.inputs.sequences(); ++b) {
      const auto rows = [&](const Tensor& x) {
        return std::vector<int32_t>(x.data<int32_t>() + at[b], x.data<int32_t>() + at[b + 1]);
      };
      ids.push_back(rows(batch.inputs.ids));
      segments.push_back(rows(batch.inputs.segments));
      labels.push_back(batch.labels.data<int32_t>()[b]);
    }
  }
  Batches all;
  for (size_t i = 0; i < ids.size(); i += count) {
    const size_t n = std::min(count, ids.size() - i);
    all.push_back({pack(std::span(ids).subspan(i, n), std::span(segments).subspan(i, n)),
                   from(std::vector<int32_t>(labels.begin() + static_cast<std::ptrdiff_t>(i),
                                             labels.begin() + static_cast<std::ptrdiff_t>(i + n))),
                   {}});
  }
  return all;
}

TEST(TextPruner, ScoresOfOtherBatches) {
  const Golden golden;
  const Model model = in_f64(load_model(golden.folder));
  const Batches batches = golden.batches(), singles = rebatched(batches, 1),
                whole = rebatched(batches, 29);
  ASSERT_EQ(singles.size(), 29u);
  ASSERT_EQ(whole.size(), 1u);
  const auto expect = [&](const Batches& scored, const std::string& name, bool even,
                          bool per_example) {
    const PruningConfig config{.target_ffn_size = 48,
                               .target_num_of_heads = 2,
                               .ffn_even_masking = even,
                               .per_example = per_example};
    const ImportanceScores s = choose_masks(model, scored, config).steps[0].importance;
    expect_scores(s.heads, golden.tensors.tensor("scores_" + name + ".head"), name);
    expect_scores(s.ffn,
                  golden.tensors.tensor("scores_" + name + (even ? ".ffn_even" : ".ffn_uneven")),
                  name);
  };
  for (const bool even : {true, false}) {
    expect(singles, "batch1", even, false);
    expect(whole, "onebatch", even, false);
    expect(whole, "batch1", even, true);  // per example, batches do not matter
    expect(batches, "batch1", even, true);
  }
}

// ── beyond its runs ─────────────────────────────────────────────────────────────────────────────

// In one run of two steps, or in two runs of one: TextPruner's second run regroups heads silently.
TEST(ChooseMasks, OfAModelPrunedBefore) {
  for (const std::string& family : kPrunableFamilies) {
    const Model model = in_f64(tiny_model(tiny_family(family), 5));
    const Batches batches = {random_batch({5, 1, 9}, 4), random_batch({3, 8}, 6)};
    const auto down_to = [](int64_t heads, int64_t ffn, int64_t steps) {
      return PruningConfig{.target_ffn_size = ffn, .target_num_of_heads = heads, .n_iters = steps};
    };
    const Model at_once = pruned_model(model, choose_masks(model, batches, down_to(2, 4, 2)).masks);
    const Model once = pruned_model(model, choose_masks(model, batches, down_to(3, 6, 1)).masks);
    const Model twice = pruned_model(once, choose_masks(once, batches, down_to(2, 4, 1)).masks);
    EXPECT_EQ(twice.config.heads_per_layer, (std::vector<int64_t>{2, 2})) << family;
    EXPECT_EQ(twice.config.ffn_per_layer, (std::vector<int64_t>{4, 4})) << family;
    EXPECT_LT(distance(logits(twice, batches[0]), logits(at_once, batches[0])), 1e-12) << family;
  }
}

TEST(ChooseMasks, HeadsInMultiplesAndAtLeast) {
  const Model model = tiny_model(tiny_family("bert"), 5);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  const PruningConfig uneven{
      .target_num_of_heads = 2, .head_even_masking = false, .head_multiple_of = 2};
  for (const int64_t n : kept_per_layer(choose_masks(model, batches, uneven).masks.heads))
    EXPECT_TRUE(n == 2 || n == 4) << n;
  const PruningConfig three{.target_num_of_heads = 2, .head_even_masking = false, .min_heads = 3};
  for (const int64_t n : kept_per_layer(choose_masks(model, batches, three).masks.heads))
    EXPECT_GE(n, 3);
}

TEST(ChooseMasks, SharedLayersOfSeveralSizesAreRefused) {
  ModelConfig config = tiny_family("albert");
  config.shared.inner = 2;
  const Model model = tiny_model(config, 5);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  EXPECT_ERROR(choose_masks(model, batches, {.target_num_of_heads = 2, .head_even_masking = false}),
               "set head_even_masking");
  const Masks masks = choose_masks(model, batches, {.target_num_of_heads = 2}).masks;
  EXPECT_EQ(kept_per_layer(masks.heads), (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(masks.ffn.empty());
}

TEST(ChooseMasks, WithoutLabels) {
  const Model model = tiny_model(tiny_family("bert"), 5);
  Batches batches = {random_batch({5, 1, 9}, 4)};
  const PruningConfig drawn{
      .target_ffn_size = 4, .target_num_of_heads = 2, .n_iters = 2, .use_logits = true};
  const Masks masks = choose_masks(model, batches, drawn).masks;
  for (int32_t& label : std::span(batches[0].labels.data<int32_t>(), 3)) label = (label + 1) % 3;
  EXPECT_EQ(choose_masks(model, batches, drawn).masks.heads, masks.heads) << "labels are not read";
  PruningConfig compatible = drawn;
  compatible.compatible = true;
  EXPECT_EQ(kept_per_layer(choose_masks(model, batches, compatible).masks.heads),
            (std::vector<int64_t>{2, 2}));
}

TEST(Account, HoldsEveryStepAndBothSizes) {
  const Model model = tiny_model(tiny_family("bert"), 5);
  const PruningConfig config{.target_ffn_size = 4,
                             .target_num_of_heads = 2,
                             .n_iters = 2,
                             .pruning_order = PruningOrder::head_first};
  const Pruning pruning = choose_masks(model, Batches{random_batch({5, 1, 9}, 4)}, config);
  const Json account =
      parse_json(pruning_account(model, pruning, config, Json::make_object({})).to_string(), "a");
  const Json& steps = account.array("steps");
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_TRUE(steps[0].has("head_importance") && !steps[0].has("ffn_importance"));
  EXPECT_TRUE(steps[1].has("ffn_importance") && steps[1].has("head_mask"));
  EXPECT_EQ(account["head_importance"], steps[0]["head_importance"]);
  EXPECT_EQ(account["ffn_importance"], steps[1]["ffn_importance"]);
  EXPECT_EQ(account["head_mask"], steps[3]["head_mask"]);
  EXPECT_EQ(account.object("before").integer("parameters"), model.parameters.elements());
  EXPECT_EQ(account.object("after").integer("parameters"),
            pruned_model(model, pruning.masks).parameters.elements());
  EXPECT_EQ(account.object("after").array("heads_per_layer").to_string(), "[2, 2]");
}

}  // namespace
}  // namespace ink
