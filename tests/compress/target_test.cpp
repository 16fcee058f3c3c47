// Targets: allocation against brute force, costs, keys, cost tables as files, and whole prunings of
// layers, channels, heads and neurons.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "compress/allocate.h"
#include "compress/choose_masks.h"
#include "compress/element_costs.h"
#include "compress/surgery.h"
#include "nn/parameter_count.h"
#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/compress/helpers.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

using Batches = std::vector<FeatureBatch>;

PruningConfig config_from(const std::string& text) {
  return PruningConfig::from_json(parse_json(text, "tc.json"));
}

// ── allocation ──────────────────────────────────────────────────────────────────────────────────

// The least that is lost within the budget, by trying everything.
double least_lost(const std::vector<Choices>& rows, double budget, size_t row = 0) {
  if (row == rows.size()) return budget >= 0 ? 0 : std::numeric_limits<double>::infinity();
  double best = std::numeric_limits<double>::infinity();
  for (const Choice& c : rows[row])
    best = std::min(best, c.lost + least_lost(rows, budget - c.cost, row + 1));
  return best;
}

TEST(Allocate, LosesAsLittleAsTryingEverything) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::vector<Choices> rows;
    for (uint64_t r = 0; r < 5; ++r) {
      const auto cost = to_vector<double>(rand_uniform({4}, seed * 10 + r, 1, 30)),
                 lost = to_vector<double>(rand_uniform({4}, seed * 10 + r + 500, 0, 1));
      for (size_t k = 0; k < 4; ++k)  // whole costs, so that units do not round
        rows.resize(r + 1), rows[r].push_back({.cost = std::floor(cost[k]), .lost = lost[k]});
    }
    const double budget = smallest_cost(rows) + 40;
    const std::vector<size_t> chosen = allocate(rows, budget);
    double cost = 0, lost = 0;
    for (size_t r = 0; r < rows.size(); ++r) {
      cost += rows[r][chosen[r]].cost;
      lost += rows[r][chosen[r]].lost;
    }
    EXPECT_LE(cost, budget + 1e-9) << seed;
    EXPECT_NEAR(lost, least_lost(rows, budget), 1e-12) << seed;
  }
}

// Elements of no importance go where the budget asks for it and nowhere else, and equally in rows
// that are alike.
TEST(Allocate, TiesKeepWhatFitsAndAreSpread) {
  Choices row;
  for (int64_t k = 1; k <= 6; ++k) row.push_back({.kept = k, .cost = static_cast<double>(k)});
  const std::vector<Choices> rows(4, row);
  EXPECT_EQ(allocate(rows, 24), (std::vector<size_t>{5, 5, 5, 5})) << "everything fits";
  EXPECT_EQ(allocate(rows, 16), (std::vector<size_t>{3, 3, 3, 3}));
  EXPECT_EQ(allocate(rows, 18), allocate(rows, 18));
  std::vector<size_t> uneven = allocate(rows, 18);
  std::ranges::sort(uneven);
  EXPECT_EQ(uneven, (std::vector<size_t>{3, 3, 4, 4}));
}

TEST(Allocate, WithinTheSmallestBudgetTakesTheCheapest) {
  const std::vector<Choices> rows = {{{.cost = 3, .lost = 0}, {.cost = 1, .lost = 9}},
                                     {{.cost = 2, .lost = 1}, {.cost = 5, .lost = 0}}};
  EXPECT_EQ(allocate(rows, 3), (std::vector<size_t>{1, 0}));
  EXPECT_EQ(allocate(rows, 1e9), (std::vector<size_t>{0, 1}));
  EXPECT_ERROR(allocate(rows, 2.9), "a budget of at least 3");
}

// Heads and neurons of two layers compete; a head costs 7, a neuron 1, and each layer's neurons go
// in pairs.
TEST(ChooseByCost, LosesAsLittleAsTryingEveryMask) {
  const Importance heads = {{5, 1, 4}, {9, 8, 0.5}}, ffn = {{1, 2, 3, 4}, {0.1, 0.2, 0.3, 0.4}};
  const ElementCosts costs{.fixed = 10,
                           .heads = [](int64_t k) { return 7.0 * static_cast<double>(k); },
                           .neurons = [](int64_t k) { return static_cast<double>(k); },
                           .unit = "parameters"};
  const CostRules rules{.heads = {.even = false}, .ffn = {.even = false, .multiple_of = 2}};
  const Masks full{full_mask(heads), full_mask(ffn)};
  for (double budget = 10 + 2 * 7 + 2 * 2; budget <= 70; budget += 3) {
    const Masks masks = choose_by_cost({heads, ffn}, full, costs, budget, rules);
    const auto lost = [&](const Masks& m) {
      double sum = 0;
      for (size_t l = 0; l < 2; ++l) {
        for (size_t i = 0; i < 3; ++i) sum += m.heads[l][i] ? 0 : heads[l][i];
        for (size_t i = 0; i < 4; ++i) sum += m.ffn[l][i] ? 0 : ffn[l][i];
      }
      return sum;
    };
    const auto cost = [&](const Masks& m) {
      return 10 + 7.0 * static_cast<double>(kept(m.heads)) + static_cast<double>(kept(m.ffn));
    };
    double best = std::numeric_limits<double>::infinity();
    for (uint32_t bits = 0; bits < 1u << 14; ++bits) {  // every mask of 2·3 heads and 2·4 neurons
      Masks m = full;
      for (size_t i = 0; i < 6; ++i) m.heads[i / 3][i % 3] = bits >> i & 1;
      for (size_t i = 0; i < 8; ++i) m.ffn[i / 4][i % 4] = bits >> (6 + i) & 1;
      bool allowed = cost(m) <= budget;
      for (const int64_t n : kept_per_layer(m.heads)) allowed &= n >= 1;
      for (const int64_t n : kept_per_layer(m.ffn)) allowed &= n >= 2 && n % 2 == 0;
      if (allowed) best = std::min(best, lost(m));
    }
    EXPECT_LE(cost(masks), budget);
    EXPECT_NEAR(lost(masks), best, 1e-12) << budget;
  }
  EXPECT_ERROR(choose_by_cost({heads, ffn}, full, costs, 27, rules),
               "the smallest that can be reached is 28 parameters");
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────

TEST(PruningTarget, Keys) {
  const PruningConfig c = config_from(
      R"({"target": {"speedup": 2, "batch": 8, "length": 64, "table": "t.json"},
          "recovery": {"epochs": 2, "distil": true, "temperature": 2}, "target_hidden_size": 8,
          "hidden_multiple_of": 4, "target_num_of_layers": 1, "drop_layers": [3, 1],
          "layer_importance": "loss"})");
  EXPECT_EQ(c.pruning_method, PruningMethod::iterative) << "TextPruner's default has no targets";
  EXPECT_FALSE(c.head_even_masking) << "a target is allocated over layers";
  EXPECT_EQ(c.drop_layers, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(
      PruningConfig::from_json(parse_json(c.to_json().to_string(), "x")).to_json().to_string(),
      c.to_json().to_string());
  const auto refused = [](const char* text, const char* part) {
    EXPECT_ERROR(config_from(text), part);
  };
  refused(R"({"target": {"parameter": 0.5}})", "did you mean 'parameters'?");
  refused(R"({"target": {}})", "expected one of parameters, megabytes");
  refused(R"({"target": {"speedup": 0.5}})", "speedup: expected a number above 1");
  refused(R"({"target": {"parameters": 0.5, "batch": 8}})", "batch: is of latency_ms and speedup");
  refused(R"({"target": {"parameters": 0.5}, "target_ffn_size": 8})",
          "expected no target_ffn_size");
  refused(R"({"target_hidden_size": 10, "hidden_multiple_of": 4})", "expected a divisor of");
  refused(R"({"drop_layers": [1, 1]})", "expected each layer once");
  refused(R"({"recovery": {"epochs": 0}, "target_ffn_size": 8})", "epochs");
  refused(R"({"recovery": {"temperature": 2}, "target": {"parameters": 0.5}})",
          "is for \"distil\": true");
  refused(R"({"recovery": {}, "use_logits": true, "target": {"parameters": 0.5}})",
          "only the model itself can teach");
  refused(R"({"compatible": true, "target": {"parameters": 0.5}})", "TextPruner cuts heads and");
}

// ── whole prunings ──────────────────────────────────────────────────────────────────────────────

TEST(ParameterTarget, IsReachedInEveryFamily) {
  for (const std::string& family : kPrunableFamilies) {
    const Model model = tiny_model(tiny_family(family), 3);
    const Batches batches = {random_batch({5, 1, 9}, 4)};
    ModelConfig least = model.config;
    std::ranges::fill(least.heads_per_layer, 1);
    std::ranges::fill(least.ffn_per_layer, 1);
    const int64_t all = model.parameters.elements(), fewest = parameter_count(least, model.heads),
                  wanted = (all + fewest) / 2;
    for (const int64_t n_iters : {1, 3}) {
      PruningConfig config = config_from(R"({"target": {"parameters": 10}})");
      config.target->value = static_cast<double>(wanted);
      config.n_iters = n_iters;
      const Pruning pruning = choose_masks(model, batches, config);
      EXPECT_EQ(std::ssize(pruning.steps), n_iters);
      const int64_t left = pruned_model(model, pruning.masks).parameters.elements();
      EXPECT_LE(left, wanted) << family;
      EXPECT_GT(left, wanted - (all - fewest) / 4) << family << ": less went than had to";
    }
  }
}

TEST(ParameterTarget, SharesAndMegabytes) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 3);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  const auto all = static_cast<double>(model.parameters.elements());
  const auto left = [&](const char* key, double value) {
    PruningConfig config = config_from(R"({"target": {")" + std::string(key) +
                                       "\": " + Json(value).to_string() + "}}");
    return pruned_model(model, choose_masks(model, batches, config).masks).parameters.elements();
  };
  EXPECT_EQ(left("parameters", 0.7), left("parameters", std::floor(0.7 * all)));
  EXPECT_EQ(left("parameters", 0.7), left("megabytes", 0.7 * all * 4 / 1e6));
  EXPECT_EQ(left("parameters", 1), model.parameters.elements());
  EXPECT_ERROR(left("parameters", 0.01), "the smallest that can be reached is");
}

// Before the first of several steps, each of which may train for hours.
TEST(ParameterTarget, OneThatCannotBeReachedIsRefusedBeforeAnyStep) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 3);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  PruningConfig config = config_from(R"({"target": {"parameters": 0.01}, "n_iters": 10})");
  std::string said;
  EXPECT_ERROR(choose_masks(model, batches, config, {}, [&](const std::string& s) { said += s; }),
               "the smallest that can be reached is");
  EXPECT_EQ(said, "");
}

TEST(ParameterTarget, SaysWhenNothingHasToGo) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 3);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  std::string said;
  const Pruning pruning =
      choose_masks(model, batches, config_from(R"({"target": {"parameters": 100000000}})"), {},
                   [&](const std::string& s) { said += s + '\n'; });
  EXPECT_NE(said.find("is within 100000000 parameters already"), std::string::npos) << said;
  EXPECT_NE(said.find("step 1 of 1: nothing goes"), std::string::npos) << said;
  EXPECT_EQ(pruned_model(model, pruning.masks).parameters.elements(), model.parameters.elements());
}

// A table by which a head takes 1 ms, a neuron 0.25 ms and the embeddings 2 ms.
std::filesystem::path table_file(const ModelConfig& c, const std::filesystem::path& folder) {
  create_folders(folder);
  const CostTable table{.batch = 2,
                        .length = 5,
                        .hidden_size = c.hidden_size,
                        .head_size = c.head_size,
                        .activation = name_of(c.hidden_act),
                        .kernels = simd::name_of(simd::level()),
                        .threads = threads(),
                        .rest = 2,
                        .attention = {{1, 1}, {4, 4}},
                        .ffn = {{1, 0.25}, {4, 1}, {8, 2}}};
  write_file(folder / "table.json", table.to_json().to_string());
  return folder / "table.json";
}

TEST(LatencyTarget, ByATable) {
  const std::filesystem::path folder = scratch_folder("ink_cost_table");
  const Model model = tiny_model(tiny_config(2, 4, 8), 3);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  const std::string file = table_file(model.config, folder).string();
  const auto pruned = [&](const std::string& target) {
    return choose_masks(model, batches,
                        config_from(R"({"target": {)" + target +
                                    R"(, "batch": 2, "length": 5, "table": ")" + file + "\"}}"));
  };
  // whole: 2 + 2·(4 + 2) = 14 ms
  const Pruning half = pruned("\"speedup\": 2");
  ASSERT_TRUE(half.costs.has_value());
  EXPECT_DOUBLE_EQ(half.costs->of_model(model.config), 14);
  EXPECT_LE(half.costs->of_model(pruned_config(model.config, half.masks)), 7);
  EXPECT_GT(half.costs->of_model(pruned_config(model.config, half.masks)), 6.5);
  const Pruning six = pruned("\"latency_ms\": 6");
  EXPECT_LE(six.costs->of_model(pruned_config(model.config, six.masks)), 6);
  EXPECT_ERROR(pruned("\"latency_ms\": 4"), "the smallest that can be reached is 4.5 ms");
  std::filesystem::remove_all(folder);
}

TEST(CostTable, InterpolatesAndSaysWhatDoesNotFit) {
  const std::filesystem::path folder = scratch_folder("ink_cost_table");
  const ModelConfig config = tiny_config(2, 4, 8);
  const CostTable table = CostTable::read(table_file(config, folder));
  EXPECT_DOUBLE_EQ(table.of_heads(2), 2);
  EXPECT_DOUBLE_EQ(table.of_neurons(6), 1.5);
  table.check_fits(config, 2, 5, "t");
  EXPECT_ERROR(table.check_fits(config, 1, 5, "t"), "t: batch: expected 1, got 2");
  EXPECT_ERROR(table.check_fits(tiny_config(2, 4, 8, 32), 2, 5, "t"), "hidden_size: expected 32");
  EXPECT_ERROR(table.check_fits(tiny_config(2, 4, 9), 2, 5, "t"),
               "expected times up to 4 heads and 9");
  write_file(folder / "bad.json", R"({"batch": 1, "lenght": 3})");
  EXPECT_ERROR(CostTable::read(folder / "bad.json"), "did you mean 'length'?");
  std::filesystem::remove_all(folder);
}

// What is measured is of this model and never falls; the times themselves are the machine's.
TEST(CostTable, MeasuresEverySizeUpToTheWidest) {
  const Model model = tiny_model(tiny_config(2, 4, 40), 3);
  const CostTable table = CostTable::measure(model.config, 2, 5);
  table.check_fits(model.config, 2, 5, "table");
  EXPECT_EQ(table.attention.front().size, 1);
  EXPECT_EQ(table.attention.back().size, 4);
  EXPECT_EQ(table.ffn.front().size, 16);
  EXPECT_EQ(table.ffn.back().size, 40);
  for (const auto* points : {&table.attention, &table.ffn}) {
    EXPECT_GT(points->front().milliseconds, 0);
    EXPECT_TRUE(std::ranges::is_sorted(*points, {}, &CostTable::Point::milliseconds));
  }
  EXPECT_ERROR(CostTable::measure(model.config, 2, 21), "a length of at most 20, got 21");
  EXPECT_ERROR(CostTable::measure(tiny_family("xlnet"), 1, 4), "not timed one by one");
}

TEST(ChooseMasks, LayersThenChannelsThenElements) {
  ModelConfig model_config = tiny_config(4, 4, 8);
  const Model model = tiny_model(model_config, 3);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  const PruningConfig config = config_from(
      R"({"drop_layers": [2], "target_num_of_layers": 2, "target_hidden_size": 8,
          "target_num_of_heads": 2, "target_ffn_size": 4, "head_even_masking": false,
          "n_iters": 2, "hidden_multiple_of": 4})");
  const Pruning pruning = choose_masks(model, batches, config);
  EXPECT_EQ(pruning.steps.size(), 1u + 2 + 2 + 2);
  const Model smaller = pruned_model(model, pruning.masks);
  EXPECT_EQ(smaller.config.layers(), 2);
  EXPECT_EQ(pruning.masks.layers[2], 0);
  EXPECT_EQ(smaller.config.hidden_size, 8);
  EXPECT_EQ(pruning.steps[3].importance.channels.size(), 16u);
  EXPECT_EQ(smaller.config.heads_per_layer[0] + smaller.config.heads_per_layer[1], 4);
  EXPECT_EQ(smaller.config.ffn_per_layer, (std::vector<int64_t>{4, 4}));
  // Cut step by step or all at once, the model is the same.
  const Pruning stepwise = choose_masks(model, batches, config, {}, {}, [](Model&, size_t) {});
  ASSERT_TRUE(stepwise.recovered);
  EXPECT_TRUE(equal_bits(classify(*stepwise.recovered, batches[0].inputs),
                         classify(smaller, batches[0].inputs)));
}

TEST(ChooseMasks, TheLeastImportantLayersAndChannelsGo) {
  const Model model = tiny_model(tiny_config(3, 4, 8), 3);
  const Batches batches = {random_batch({5, 1, 9}, 4)};
  for (const char* by : {"gate", "loss"}) {
    const Pruning pruning =
        choose_masks(model, batches,
                     config_from(R"({"target_num_of_layers": 2, "layer_importance": ")" +
                                 std::string(by) + "\"}"));
    const std::vector<double>& scores = pruning.steps[0].importance.layers;
    const auto least = static_cast<size_t>(std::ranges::min_element(scores) - scores.begin());
    for (size_t l = 0; l < 3; ++l) EXPECT_EQ(pruning.masks.layers[l], l != least) << by;
  }
}

TEST(ChooseMasks, SharedLayersAndRefusalsBeforeAnythingIsMeasured) {
  const Batches none;
  const auto choose = [&](const std::string& family, const char* config) {
    return choose_masks(tiny_model(tiny_family(family), 3), none, config_from(config));
  };
  EXPECT_ERROR(choose("xlnet", R"({"target_hidden_size": 8})"), "xlnet cannot be cut");
  EXPECT_ERROR(choose("bert", R"({"target_hidden_size": 17})"), "expected at most 16, got 17");
  EXPECT_ERROR(choose("bert", R"({"target_num_of_layers": 3})"), "expected at most 2, got 3");
  EXPECT_ERROR(choose("bert", R"({"drop_layers": [2]})"), "expected layers below 2, got 2");
  EXPECT_ERROR(choose("bert", R"({"drop_layers": [0, 1]})"), "leaves no layers");
  EXPECT_EQ(choose("albert", R"({"drop_layers": [1]})").masks.layers, (std::vector<uint8_t>{1, 0}));
}

}  // namespace
}  // namespace ink
