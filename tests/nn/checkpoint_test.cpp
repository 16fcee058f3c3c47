// Folders shaped like those that are published: which heads a model gets, and what is said of the
// rest.
#include "nn/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>

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

// A decoder's class, or a company's own: transformers does not read the field either.
TEST_F(Published, AForeignClass) {
  const Heads all{.pooler = true, .masked_lm = true, .pair = true};
  const Model saved = save(all);
  for (const char* name : {"BertLMHeadModel", "CompanyBert"}) {
    call_it({name});
    expect_loads(saved, all,
                 "model.safetensors: config.json names " + std::string(name) +
                     ", which is no class of bert's; taking the heads that the file holds\n");
  }
  call_it({"CompanyBert", "BertForMaskedLM"});
  load();
  EXPECT_EQ(heads_from(bert_family(), {"CompanyBert", "BertForMaskedLM"}),
            (Heads{.masked_lm = true}));
}

// A safetensors file whose one tensor of a type that we have not is a buffer that nobody reads.
TEST_F(Published, ABufferOfAForeignType) {
  const Model saved = save({.pooler = true});
  const auto with = [&](const std::string& name, const char* type, size_t number) {
    save_model(saved, folder_.path());
    const std::string bytes = read_file(folder_ / "model.safetensors", 1 << 24);
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const uint64_t data = bytes.size() - 8 - length, end = data + 4 * number;
    std::string header = bytes.substr(8, length);
    header.erase(header.rfind('}'));
    header += ",\"" + name + R"(":{"dtype":")" + type + R"(","shape":[1,4],"data_offsets":[)" +
              std::to_string(data) + ',' + std::to_string(end) + "]}}";
    const uint64_t longer = header.size();
    std::string file(8, '\0');
    std::memcpy(file.data(), &longer, sizeof longer);
    file += header + bytes.substr(8 + length) + std::string(4 * number, '\1');
    write_file(folder_ / "model.safetensors", file);
  };
  for (const auto& [type, number] :
       {std::pair("BOOL", 1), {"I16", 2}, {"U16", 2}, {"U32", 4}, {"U64", 8}, {"F8_E4M3", 1}}) {
    with("embeddings.position_ids", type, static_cast<size_t>(number));
    expect_loads(saved, {.pooler = true});
    EXPECT_ERROR(Weights::open(folder_.path()).tensor("embeddings.position_ids"),
                 std::string("embeddings.position_ids: dtype: expected F32, F64, F16, BF16, I64, "
                             "I32, I8 or U8, got ") +
                     type);
  }
  with("encoder.layer.0.extra", "U64", 8);
  EXPECT_ERROR(load(), "unexpected bert.encoder.layer.0.extra");
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
