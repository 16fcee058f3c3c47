// Layer-wise decay of the learning rate: ELECTRA's exponents, in every family.
#include "tasks/layer_rates.h"

#include <gtest/gtest.h>

#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

// The number of decays of each parameter whose name holds `part`.
void expect_decays(const Model& model, const std::string& part, double decays) {
  size_t found = 0;
  for (const Parameter& p : model.parameters) {
    if (p.name.find(part) == std::string::npos) continue;
    EXPECT_NEAR(p.rate, std::pow(0.5, decays), 1e-12) << p.name;
    ++found;
  }
  EXPECT_GT(found, 0u) << part;
}

TEST(LayerRates, FallFromTheHeadToTheEmbeddings) {
  for (std::string type : {"bert", "roberta", "electra", "distilbert", "mobilebert", "xlnet"}) {
    Model model = tiny_model(tiny_family(type), 1);
    decay_rates_by_layer(model.parameters, model.config, 0.5);
    const std::string layers = std::string(model.config.family->layers) + '.';
    expect_decays(model, type == "xlnet" ? "word_embedding" : "word_embeddings", 4);
    expect_decays(model, layers + "0.", 3);
    expect_decays(model, layers + "1.", 2);
    for (const Parameter& p : model.parameters)
      if (!p.name.starts_with(std::string(model.config.family->prefix) + '.')) {
        EXPECT_EQ(p.rate, 1) << p.name;
      }
  }
  Model bert = tiny_model(tiny_family("bert"), 1);
  decay_rates_by_layer(bert.parameters, bert.config, 0.5);
  expect_decays(bert, "pooler", 0);
  expect_decays(bert, "classifier", 0);
}

TEST(LayerRates, ErrorsSayWhatWasExpected) {
  Model albert = tiny_model(tiny_family("albert"), 1);
  EXPECT_ERROR(decay_rates_by_layer(albert.parameters, albert.config, 0.8),
               "layers of albert share their weights; expected a layer_decay of 1");
  EXPECT_ERROR(decay_rates_by_layer(albert.parameters, albert.config, 0),
               "expected a layer_decay above 0 and at most 1, got 0");
  decay_rates_by_layer(albert.parameters, albert.config, 1);
}

// With so small a decay the body stays nearly as it is, and a run resumes with the same one only.
TEST(LayerRates, AreUsedByFineTuning) {
  const ToyTask task("layer_rates");
  FinetuneOptions options = task.options("slow");
  options.fit.epochs = 1;
  options.layer_decay = 1e-4;
  finetune(options);
  const Model before = load_model(task.folder / "model"), after = load_model(options.out);
  const auto moved = [&](const std::string& name) {
    return distance(before.parameters.at(name).value, after.parameters.at(name).value);
  };
  const std::string dense = "intermediate.dense.weight";
  EXPECT_GT(moved("bert.pooler.dense.weight"), 1e-3);
  EXPECT_LT(moved("bert.encoder.layer.1." + dense), 1e-6);
  EXPECT_LT(moved("bert.embeddings.word_embeddings.weight"), 1e-12);
  options.fit.resume = true;
  options.layer_decay = 0.5;
  std::filesystem::remove(options.out / "config.json");
  EXPECT_ERROR(finetune(options), "layer_decay");
}

}  // namespace
}  // namespace ink
