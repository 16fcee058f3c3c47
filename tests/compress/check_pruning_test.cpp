// Prunings that cannot be done are refused before anything is measured: there are no examples here.
#include "compress/check_pruning.h"

#include <gtest/gtest.h>

#include "compress/choose_masks.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tests/compress/helpers.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

PruningConfig config_from(const std::string& text) {
  return PruningConfig::from_json(parse_json(text, "tc.json"));
}

void expect_refusal(const ModelConfig& model, const std::string& config, const std::string& part) {
  std::vector<std::string> said;
  EXPECT_ERROR(choose_masks(tiny_model(model, 3), {}, config_from(config), {},
                            [&](const std::string& s) { said.push_back(s); }),
               part);
  EXPECT_TRUE(said.empty()) << "a step was taken before: " << said[0];
}

ModelConfig uneven_config() {
  ModelConfig config = tiny_config(3, 4, 8);
  config.heads_per_layer = {4, 2, 3};
  config.ffn_per_layer = {8, 6, 4};
  return config;
}

TEST(CheckPruning, TargetsAboveWhatIsLeft) {
  const ModelConfig bert = tiny_config(3, 4, 8);
  expect_refusal(bert, R"({"pruning_method": "iterative", "target_num_of_heads": 5})",
                 "target_num_of_heads: expected at most 4");
  expect_refusal(bert, R"({"drop_layers": [0], "target_num_of_heads": 5})",
                 "at most 4 per layer (");
  expect_refusal(bert, R"({"target_num_of_layers": 1, "target_ffn_size": 9})",
                 "target_ffn_size: expected at most 8 per layer (");
  expect_refusal(bert, R"({"target_hidden_size": 8, "target_num_of_heads": 5})", "at most 4");
  expect_refusal(tiny_family("mobilebert"), R"({"drop_layers": [0], "target_ffn_size": 9})",
                 "target_ffn_size: expected at most 8");
}

// Which layers go is not known yet: the narrowest may be left.
TEST(CheckPruning, LayersOfSeveralSizes) {
  expect_refusal(uneven_config(),
                 R"({"target_num_of_layers": 1, "target_num_of_heads": 3,
                     "head_even_masking": false})",
                 "target_num_of_heads: expected at most 2 per layer (");
  expect_refusal(uneven_config(), R"({"pruning_method": "iterative", "target_num_of_heads": 3})",
                 "but one has 2 heads; expected at most 2, or \"head_even_masking\": false");
  expect_refusal(uneven_config(),
                 R"({"pruning_method": "iterative", "target_num_of_heads": 3,
                     "head_even_masking": false, "min_heads": 3})",
                 "min_heads: every layer should keep 3 or more, but one has 2 heads");
  expect_refusal(uneven_config(), R"({"target": {"parameters": 0.9}, "multiple_of": 5})",
                 "multiple_of: every layer should keep 5 or more, but one has 4 neurons");
  expect_refusal(uneven_config(), R"({"target": {"parameters": 0.9}, "min_heads": 5})",
                 "expected at most 2");
}

TEST(CheckPruning, MultiplesThatDoNotDivideLayersAreMet) {
  const std::vector<FeatureBatch> batches = {random_batch({5, 1, 9}, 4)};
  const Model model = tiny_model(uneven_config(), 3);
  for (const char* text : {R"({"pruning_method": "iterative", "target_ffn_size": 4,
                               "ffn_even_masking": false, "multiple_of": 4})",
                           R"({"target": {"parameters": 0.95}, "multiple_of": 4})",
                           R"({"target": {"parameters": 1}, "multiple_of": 4})"})
    for (const int64_t n :
         pruned_config(model.config, choose_masks(model, batches, config_from(text)).masks)
             .ffn_per_layer)
      EXPECT_EQ(n % 4, 0) << text;
}

TEST(CheckPruning, ParametersThatLayersAndChannelsDoNotReach) {
  expect_refusal(tiny_config(3, 4, 8),
                 R"({"target": {"parameters": 0.05}, "target_num_of_layers": 2,
                     "target_hidden_size": 8, "n_iters": 3, "recovery": {}})",
                 "target: the smallest that can be reached is");
}

TEST(CheckPruning, TablesThatAreMissingOrDoNotFit) {
  const std::filesystem::path folder = scratch_folder("ink_check_pruning");
  create_folders(folder);
  const std::string file = (folder / "table.json").string();
  const std::string latency = R"({"drop_layers": [0], "target": {"latency_ms": 1, "batch": 2,
      "length": 5, "table": ")" +
                              file + "\"}}";
  expect_refusal(tiny_config(3, 4, 8), latency,
                 "table.json; leave \"table\" out to have one measured");
  const ModelConfig config = tiny_config(3, 4, 8);
  const CostTable table{.batch = 2,
                        .length = 5,
                        .hidden_size = 8,
                        .head_size = config.head_size,
                        .activation = name_of(config.hidden_act),
                        .kernels = simd::name_of(simd::level()),
                        .threads = threads(),
                        .rest = 2,
                        .attention = {{1, 1}, {4, 4}},
                        .ffn = {{1, 0.25}, {8, 2}}};
  write_file(file, table.to_json().to_string());
  expect_refusal(config, latency, "hidden_size: expected 16, got 8");
  expect_refusal(tiny_config(3, 4, 8),
                 R"({"target_hidden_size": 8, "target_num_of_layers": 2, "target": {"latency_ms": 4,
                     "batch": 2, "length": 5, "table": ")" +
                     file + "\"}}",
                 "the smallest that can be reached is 4.5 ms");
  for (const char* family : {"mobilebert", "xlnet"})
    expect_refusal(tiny_family(family), latency, "are not timed one by one");
  expect_refusal(config, R"({"drop_layers": [0], "target": {"speedup": 2, "length": 21}})",
                 "target: length: expected at most 20, which the model can read, got 21");
  std::filesystem::remove_all(folder);
}

TEST(CheckPruning, KeysThatNothingHeeds) {
  const auto refused = [](const char* text, const char* part) {
    EXPECT_ERROR(config_from(text), part);
  };
  refused(R"({"target_ffn_size": 8, "head_multiple_of": 2})",
          "head_multiple_of: has no effect without target_num_of_heads or a target; expected that "
          "beside it, or leave head_multiple_of out");
  refused(R"({"target_ffn_size": 8, "min_heads": 2})", "min_heads: has no effect");
  refused(R"({"target_num_of_heads": 2, "multiple_of": 8})", "multiple_of: has no effect");
  refused(R"({"target_num_of_heads": 2, "hidden_multiple_of": 8})",
          "hidden_multiple_of: has no effect without target_hidden_size");
  refused(R"({"target_num_of_heads": 2, "layer_importance": "loss"})",
          "layer_importance: has no effect without target_num_of_layers");
  refused(R"({"target_num_of_heads": 2, "pruning_order": "head-first"})",
          "pruning_order: has no effect without");
  refused(R"({"drop_layers": [1], "n_iters": 4})", "n_iters: has no effect");
  refused(R"({"drop_layers": [1], "use_logits": true})", "use_logits: has no effect");
  refused(R"({"pruning_method": "masks", "per": "example"})", "per: has no effect");
  refused(R"({"target_num_of_heads": 2, "min_heads": 3})",
          "min_heads: leaves every layer 3 or more; expected at most target_num_of_heads");
  refused(R"({"target_ffn_size": 4, "ffn_even_masking": false, "multiple_of": 8})",
          "multiple_of: leaves every layer 8 or more");
}

TEST(CheckPruning, StepsAreCounted) {
  EXPECT_EQ(config_from(R"({"target_ffn_size": 8, "n_iters": 1000})").n_iters, 1000);
  for (const char* n : {"0", "1001", "1000000000000"})
    EXPECT_ERROR(
        config_from((R"({"target_ffn_size": 8, "n_iters": )" + std::string(n) + "}").c_str()),
        "n_iters: expected 1 to 1000 steps, each of which measures importance anew, got " +
            std::string(n));
}

TEST(CheckPruning, ValuesThatDoNothing) {
  EXPECT_ERROR(config_from(R"({"drop_layers": [1], "recovery": {"learning_rate": 0}})"),
               "learning_rate: at 0 nothing would be learnt");
  EXPECT_ERROR(config_from(R"({"target": {"parameters": 1.5}})"),
               "parameters: expected a share of at most 1, or above 1 a whole number");
}

}  // namespace
}  // namespace ink
