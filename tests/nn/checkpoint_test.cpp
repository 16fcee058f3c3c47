// Folders shaped like those that are published: which heads a model gets, and what is said of the
// rest.
#include "nn/checkpoint.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::small_config;

using Names = std::vector<std::string>;

ModelConfig golden_config(const char* name) {
  return ModelConfig::read(fs::path(INK_SOURCE_DIR) / "tests/golden/families" / name /
                           "config.json");
}

// A saved model, and what was done to its folder.
class Published : public ::testing::Test {
 protected:
  Model save(const Heads& heads, const ModelConfig& config = small_config()) {
    Model model(config, heads, random_values(Random(3)));
    save_model(model, folder_.path());
    return model;
  }
  // What config.json says of its class; nothing for no names.
  void call_it(const Names& architectures) {
    Json json = parse_json(read_file(folder_ / "config.json", 1 << 20), "config.json");
    json.erase("architectures");
    if (!architectures.empty())
      json.set("architectures", Json::make_array({architectures.begin(), architectures.end()}));
    write_file(folder_ / "config.json", json.to_string());
  }
  // Every tensor under the name that `name` gives it, none for "", and `more`.
  void rename(const std::function<std::string(const std::string&)>& name, const Names& more = {}) {
    const SafeTensors file(folder_ / "model.safetensors");
    std::vector<NamedTensor> tensors;
    for (const auto& entry : file.entries())
      if (!name(entry.name).empty()) tensors.push_back({name(entry.name), file.tensor(entry)});
    for (const std::string& other : more) tensors.push_back({other, zeros({3})});
    write_safetensors(folder_ / "model.safetensors", tensors);
  }
  Model load() {
    said_.clear();
    return load_model(folder_.path(),
                      {.notice = [&](const std::string& sentence) { said_ += sentence + '\n'; }});
  }
  void expect_loads(const Model& saved, const Heads& heads, const std::string& said = "") {
    const Model read = load();
    EXPECT_EQ(read.heads, heads) << architectures_of(*read.config.family, read.heads).front();
    for (const Parameter& p : read.parameters)
      EXPECT_TRUE(equal_bits(p.value, saved.parameters.at(p.name).value)) << p.name;
    EXPECT_EQ(said_, said);
  }
  testing::TemporaryFolder folder_;
  std::string said_;
};

std::string unchanged(const std::string& name) { return name; }

// hfl/chinese-bert-wwm, hfl/chinese-macbert-base, bert-base-chinese
TEST_F(Published, AMaskedLmWithPoolerAndPairs) {
  const Heads all{.pooler = true, .masked_lm = true, .pair = true};
  const Model saved = save(all);
  call_it({"BertForMaskedLM"});
  expect_loads(saved, all);
  save_model(load(), folder_.path());
  EXPECT_EQ(ModelConfig::read(folder_ / "config.json").architectures,
            (Names{"BertForPreTraining"}));
  expect_loads(saved, all);
}

TEST_F(Published, ARobertaWithAPooler) {
  const Heads all{.pooler = true, .masked_lm = true};
  const Model saved = save(all, golden_config("roberta-MaskedLM"));
  call_it({"RobertaForMaskedLM"});
  expect_loads(saved, all);
}

TEST_F(Published, AnAlbertWithSentenceOrder) {
  const Heads all{.pooler = true, .masked_lm = true, .pair = true};
  const Model saved = save(all, golden_config("albert-PreTraining"));
  call_it({"AlbertForMaskedLM"});
  expect_loads(saved, all);
}

// TinyBERT: no class, and the layer that distillation needed
TEST_F(Published, HeadsWithoutAClass) {
  const Heads all{.pooler = true, .masked_lm = true, .pair = true};
  const Model saved = save(all);
  call_it({});
  rename(unchanged, {"fit_dense.weight", "fit_dense.bias"});
  expect_loads(saved, all, "model.safetensors: left out fit_dense.bias, fit_dense.weight\n");
  save(Heads{});
  call_it({});
  expect_loads(saved, {});
}

TEST_F(Published, ABodyWithoutPooler) {
  const Model saved = save({});
  call_it({"BertModel"});
  expect_loads(saved, {},
               "model.safetensors: config.json names BertModel, the file has no pooler\n");
  EXPECT_ERROR(load_model(folder_.path(), {.heads = Heads{.pooler = true}}), "has no pooler");
}

// PERT
TEST_F(Published, AMaskedLmThatIsABodyAlone) {
  const Model saved = save({.pooler = true});
  call_it({"BertForMaskedLM"});
  const std::string said =
      "model.safetensors: config.json names BertForMaskedLM, the file has no masked-LM head\n";
  expect_loads(saved, {.pooler = true}, said);
  rename([](const std::string& name) { return "bert." + name; });
  expect_loads(saved, {.pooler = true}, said);
  EXPECT_ERROR(load_model(folder_.path(), {.heads = Heads{.masked_lm = true}}),
               "missing cls.predictions.bias");
}

TEST_F(Published, ClassesWithoutTheirHead) {
  const Model saved = save({.pooler = true});
  call_it({"BertForSequenceClassification"});
  expect_loads(saved, {.pooler = true},
               "model.safetensors: config.json names BertForSequenceClassification, the file has "
               "no classification head\n");
}

// What config.json does not name stays where its name could mean three things.
TEST_F(Published, AClassifierThatIsNotNamed) {
  const Model saved = save({.classification = true});
  call_it({"BertModel"});
  expect_loads(saved, {.pooler = true},
               "model.safetensors: left out classifier.bias, classifier.weight\n");
}

TEST_F(Published, PairsNeedAPooler) {
  const Model saved = save({.masked_lm = true, .pair = true});
  call_it({"BertForMaskedLM"});
  rename([](const std::string& name) { return name.starts_with("bert.pooler") ? "" : name; });
  expect_loads(saved, {.masked_lm = true},
               "model.safetensors: left out cls.seq_relationship.bias, "
               "cls.seq_relationship.weight\n");
}

TEST_F(Published, TensorsOfDataParallelTraining) {
  const Heads heads{.pooler = true, .masked_lm = true, .pair = true};
  const Model saved = save(heads);
  rename([](const std::string& name) { return "module." + name; });
  expect_loads(saved, heads);
}

// A head of another kind is left out; the body is not guessed at.
TEST_F(Published, AMisspelledBodyIsRefused) {
  const auto misspell = [](const std::string& name) {
    const size_t at = name.find("layer.1.output.dense.bias");
    return at == std::string::npos ? name : name.substr(0, at) + "layer.1.output.dense.bais";
  };
  save({.masked_lm = true});
  rename(misspell);
  EXPECT_ERROR(load(),
               "missing bert.encoder.layer.1.output.dense.bias; unexpected "
               "bert.encoder.layer.1.output.dense.bais");
  save({.pooler = true});  // without prefix
  rename(misspell);
  EXPECT_ERROR(load(), "unexpected bert.encoder.layer.1.output.dense.bais");
  save({.pooler = true});
  rename(unchanged, {"encoder.layer.3.output.dense.bias", "fit_dense.bias"});
  EXPECT_ERROR(load(), "unexpected bert.encoder.layer.3.output.dense.bias");
}

}  // namespace
}  // namespace ink
