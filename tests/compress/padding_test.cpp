// Padded models: even, and the same numbers.
#include "compress/padding.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "nn/model_folder.h"
#include "tensor/op.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

ModelConfig uneven(int64_t hidden) {
  ModelConfig c = tiny_config(3, 4, 24, hidden);
  c.heads_per_layer = {1, 4, 0};
  c.ffn_per_layer = {24, 0, 7};
  return c;
}

Tensor hidden_of(const Model& model) {
  return model.body(pack(std::vector<std::vector<int32_t>>{{1, 2, 3, 4, 5}, {6, 7}})).hidden;
}

TEST(Padding, ComputesTheSame) {
  const Model model = tiny_model(uneven(32), 3), even = padded(model);
  EXPECT_EQ(even.config.heads_per_layer, (std::vector<int64_t>{4, 4, 4}));
  EXPECT_EQ(even.config.ffn_per_layer, (std::vector<int64_t>{24, 24, 24}));
  EXPECT_FALSE(even.config.to_json().has("heads_per_layer"));
  EXPECT_TRUE(equal_bits(hidden_of(even), hidden_of(model)));
}

TEST(Padding, OfALayerOfFourChannelsComputesTheSameButForRounding) {
  const Model model = tiny_model(uneven(16), 3), even = padded(model);
  EXPECT_LT(distance(hidden_of(even), hidden_of(model)), 2e-6);
}

TEST(Padding, LeavesAnEvenModelAsItIs) {
  const Model model = tiny_model(tiny_config(2, 4, 24), 3), even = padded(model);
  for (const Parameter& p : model.parameters)
    EXPECT_TRUE(equal_bits(even.parameters.at(p.name).value, p.value)) << p.name;
}

// Also where heads share a bottleneck and not the hidden size.
TEST(Padding, LeavesEvenModelsOfEveryFamilyAsTheyAre) {
  int models = 0;
  for (const auto& folder : std::filesystem::directory_iterator(
           std::filesystem::path(INK_SOURCE_DIR) / "tests/golden/families")) {
    if (!std::filesystem::exists(folder.path() / "config.json")) continue;
    const Model model = load_model(folder.path()), even = padded(model);
    EXPECT_EQ(even.config.heads_per_layer, model.config.heads_per_layer) << folder.path();
    EXPECT_FALSE(even.config.to_json().has("heads_per_layer")) << folder.path();
    for (const Parameter& p : model.parameters)
      EXPECT_TRUE(equal_bits(even.parameters.at(p.name).value, p.value)) << p.name;
    ++models;
  }
  EXPECT_GT(models, 30);
}

TEST(Padding, RefusesHeadsThatDoNotFit) {
  ModelConfig c = tiny_config(2, 4, 24);
  c.heads_per_layer = {5, 4};
  EXPECT_ERROR(padded(tiny_model(c, 3)),
               "layer 0 has 5 heads, an even model with 16 channels of attention");
  c.head_size = 3;
  EXPECT_ERROR(padded(tiny_model(c, 3)), "expected the channels of attention to be a multiple");
}

}  // namespace
}  // namespace ink
