// Model folders: saved models come back bit for bit, and what does not fit is named.
#include "nn/model_folder.h"

#include <gtest/gtest.h>

#include <set>

#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

using testing::small_config;
using testing::TemporaryFolder;

Model model_with(const Heads& heads, const ModelConfig& config = small_config()) {
  return Model(config, heads, random_values(Random(3)));
}

void expect_equal(const Parameters& a, const Parameters& b) {
  EXPECT_EQ(a.size(), b.size());
  for (const Parameter& p : a)
    EXPECT_TRUE(b.find(p.name) && equal_bits(p.value, b.at(p.name).value)) << p.name;
}

// Rewrites the tensors of a folder under other names; an empty name drops one.
void rename(const std::filesystem::path& folder,
            const std::function<std::string(const std::string&)>& name) {
  const SafeTensors file(folder / "model.safetensors");
  std::vector<NamedTensor> tensors;
  for (const auto& entry : file.entries()) {
    if (!name(entry.name).empty()) tensors.push_back({name(entry.name), file.tensor(entry)});
  }
  write_safetensors(folder / "model.safetensors", tensors);
}

TEST(ModelFolder, EveryCombinationOfHeadsComesBack) {
  const std::vector<Heads> all{{},
                               {.pooler = true},
                               {.masked_lm = true},
                               {.masked_lm = true, .pair = true},
                               {.pair = true},
                               {.classification = true},
                               {.tagging = true},
                               {.span = true},
                               {.position = true},
                               {.masked_lm = true, .pair = true, .position = true}};
  for (const Heads& heads : all) {
    const TemporaryFolder folder;
    const Model model = model_with(heads, testing::uneven_config());
    save_model(model, folder / "m");
    const Model read =
        load_model(folder / "m", heads == Heads{} ? LoadOptions{.heads = heads} : LoadOptions{});
    EXPECT_EQ(read.heads, model.heads) << architectures_of(bert_family(), heads).front();
    expect_equal(model.parameters, read.parameters);
    EXPECT_EQ(read.config.heads_per_layer, model.config.heads_per_layer);
  }
}

TEST(ModelFolder, UsesHuggingFacesNames) {
  const Model model = model_with({.masked_lm = true, .pair = true});
  for (const char* name :
       {"bert.embeddings.word_embeddings.weight", "bert.embeddings.position_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight", "bert.embeddings.LayerNorm.bias",
        "bert.encoder.layer.2.attention.self.query.weight",
        "bert.encoder.layer.0.attention.self.key.bias",
        "bert.encoder.layer.0.attention.self.value.bias",
        "bert.encoder.layer.0.attention.output.dense.weight",
        "bert.encoder.layer.0.attention.output.LayerNorm.weight",
        "bert.encoder.layer.0.intermediate.dense.weight",
        "bert.encoder.layer.0.output.dense.weight", "bert.encoder.layer.0.output.LayerNorm.weight",
        "bert.pooler.dense.weight", "cls.predictions.bias",
        "cls.predictions.transform.dense.weight", "cls.predictions.transform.LayerNorm.weight",
        "cls.seq_relationship.weight"}) {
    EXPECT_NE(model.parameters.find(name), nullptr) << name;
  }
  EXPECT_EQ(model.parameters.size(), 5u + 3u * 16u + 2u + 5u + 2u);
  EXPECT_NE(model_with({.classification = true}).parameters.find("classifier.weight"), nullptr);
  EXPECT_NE(model_with({.tagging = true}).parameters.find("classifier.bias"), nullptr);
  EXPECT_NE(model_with({.span = true}).parameters.find("qa_outputs.weight"), nullptr);
  EXPECT_ERROR(model_with({.classification = true, .tagging = true}),
               "share the name 'classifier'");
}

TEST(ModelFolder, ABodyAloneIsWrittenWithoutPrefix) {
  const TemporaryFolder folder;
  save_model(model_with({.pooler = true}), folder.path());
  EXPECT_NE(SafeTensors(folder / "model.safetensors").find("embeddings.word_embeddings.weight"),
            nullptr);
  EXPECT_EQ(ModelConfig::read(folder / "config.json").architectures,
            (std::vector<std::string>{"BertModel"}));
}

// transformers 4.44 has zeros for the bias of RoBERTa and ALBERT where the decoder's is not there.
TEST(ModelFolder, RepeatsTheBiasForTheDecoder) {
  const TemporaryFolder folder;
  for (const char* family : {"bert", "roberta", "xlm-roberta"}) {
    const std::filesystem::path from = std::filesystem::path(INK_SOURCE_DIR) /
                                       "tests/golden/families" /
                                       (std::string(family) + "-MaskedLM");
    const Model model = load_model(from);
    save_model(model, folder.path());
    const SafeTensors file(folder / "model.safetensors");
    const MaskedLmNames& names = model.config.family->masked_lm;
    const Tensor head = file.tensor(std::string(names.bias) + ".bias");
    EXPECT_TRUE(equal_bits(head, model.masked_lm->bias.value)) << family;
    EXPECT_TRUE(equal_bits(head, file.tensor(std::string(names.decoder) + ".bias"))) << family;
    expect_equal(model.parameters, load_model(folder.path()).parameters);
  }
}

TEST(ModelFolder, ReadsOldNamesAndRedundantTensors) {
  const TemporaryFolder folder;
  const Model model = model_with({.masked_lm = true});
  save_model(model, folder.path());
  rename(folder.path(), [](const std::string& name) {
    const size_t norm = name.find("LayerNorm.");
    if (norm == std::string::npos) return name;
    return name.substr(0, norm + 10) + (name.ends_with("weight") ? "gamma" : "beta");
  });
  expect_equal(model.parameters, load_model(folder.path()).parameters);

  const SafeTensors file(folder / "model.safetensors");
  std::vector<NamedTensor> tensors;
  for (const auto& entry : file.entries()) tensors.push_back({entry.name, file.tensor(entry)});
  tensors.push_back({"bert.embeddings.position_ids", arange(40)});
  tensors.push_back({"cls.predictions.decoder.weight", model.body.words().value});
  write_safetensors(folder / "model.safetensors", tensors);
  expect_equal(model.parameters, load_model(folder.path()).parameters);

  tensors.push_back({"bert.embeddings.LayerNorm.weight", zeros({60})});
  write_safetensors(folder / "model.safetensors", tensors);
  EXPECT_ERROR(load_model(folder.path()), "is there twice");
}

TEST(ModelFolder, ReadsHalfPrecision) {
  const TemporaryFolder folder;
  const Model model = model_with({.masked_lm = true});
  save_model(model, folder.path());
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    std::vector<NamedTensor> tensors;
    for (const Parameter& p : model.parameters)
      tensors.push_back({p.name, converted(p.value, dtype)});
    write_safetensors(folder / "model.safetensors", tensors);
    const Model read = load_model(folder.path());
    for (const Parameter& p : read.parameters) {
      EXPECT_TRUE(equal_bits(
          p.value, converted(converted(model.parameters.at(p.name).value, dtype), Dtype::f32)));
    }
  }
}

TEST(ModelFolder, NamesEverythingThatDoesNotFit) {
  const TemporaryFolder folder;
  save_model(model_with({.classification = true}), folder.path());
  rename(folder.path(), [](const std::string& name) {
    if (name == "bert.encoder.layer.1.output.dense.bias") return std::string();
    return name == "classifier.bias" ? "classifier.extra" : name;
  });
  ModelConfig config = ModelConfig::read(folder / "config.json");
  config.type_vocab_size = 3;
  write_file(folder / "config.json", config.to_json().to_string());
  const LoadOptions none;
  EXPECT_ERROR(load_model(folder.path(), none),
               "missing bert.encoder.layer.1.output.dense.bias, classifier.bias; unexpected "
               "classifier.extra; of the "
               "wrong shape or type bert.embeddings.token_type_embeddings.weight (2, 60) of f32 "
               "instead of (3, 60)");
}

TEST(ModelFolder, MakesNewHeadsOnlyWhenAsked) {
  const TemporaryFolder folder;
  const Model model = model_with({.masked_lm = true});
  save_model(model, folder.path());
  const std::vector<std::string> labels{"a", "b", "c"};
  LoadOptions options{.heads = Heads{.classification = true}, .labels = labels};
  EXPECT_ERROR(load_model(folder.path(), options), "missing bert.pooler.dense.weight");
  options.new_heads = true;
  options.random = Random(5);
  const Model tuned = load_model(folder.path(), options);
  EXPECT_EQ(tuned.classification->scores.classes.weight.value.shape(), (Shape{3, 60}));
  EXPECT_TRUE(equal_bits(tuned.body.words().value, model.body.words().value));
  EXPECT_TRUE(
      equal_bits(tuned.classification->scores.classes.weight.value,
                 random_values(Random(5))("classifier.weight", {3, 60}, Initial::normal())));
  save_model(tuned, folder.path());
  EXPECT_EQ(load_model(folder.path()).config.labels, labels);
}

TEST(ModelFolder, SavingOverTheFolderThatIsBeingReadIsSafe) {
  const TemporaryFolder folder;
  save_model(model_with({.masked_lm = true}), folder.path());
  const Model mapped = load_model(folder.path());
  save_model(mapped, folder.path());
  expect_equal(mapped.parameters, load_model(folder.path()).parameters);
}

TEST(ModelFolder, CopiesTheVocabulary) {
  const TemporaryFolder folder;
  create_folders(folder / "from");
  write_file(folder / "from/vocab.txt", "[PAD]\n");
  write_file(folder / "from/other.txt", "x");
  save_model(model_with({}), folder / "to", folder / "from");
  EXPECT_EQ(read_file(folder / "to/vocab.txt", 100), "[PAD]\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "to/other.txt"));
}

// A save that is broken off leaves the earlier model, not its config with other weights.
TEST(ModelFolder, IsReplacedAsAWhole) {
  const TemporaryFolder folder;
  save_model(model_with({.pooler = true}), folder.path());
  const std::string before = read_file(folder / "model.safetensors", 1 << 24);
  std::filesystem::rename(folder / "config.json", folder / "kept.json");
  create_folders(folder / "config.json" / "in the way");
  const Model other(small_config(), {.pooler = true}, random_values(Random(4)));
  EXPECT_ERROR(save_model(other, folder.path()), "config.json");
  EXPECT_EQ(read_file(folder / "model.safetensors", 1 << 24), before);
  std::filesystem::remove_all(folder / "config.json");
  std::filesystem::rename(folder / "kept.json", folder / "config.json");
  expect_equal(load_model(folder.path()).parameters, model_with({.pooler = true}).parameters);

  // over the folder that it was loaded from, whose weights it still reads
  const Model loaded = load_model(folder.path());
  save_model(loaded, folder.path(), folder.path());
  expect_equal(load_model(folder.path()).parameters, loaded.parameters);
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{"config.json", "model.safetensors"}));
}

TEST(ModelFolder, NothingOfAnEarlierModelIsReadWithANewOne) {
  const TemporaryFolder folder, tokens;
  create_folders(tokens.path());
  write_file(tokens / "vocab.txt", "new");
  for (const char* name : {"tokenizer.json", "vocab.txt", "pytorch_model.bin",
                           "model.safetensors.index.json", "model-00001-of-00002.safetensors"})
    write_file(folder / name, "old");
  write_file(folder / "README.md", "mine");
  save_model(model_with({.pooler = true}), folder.path());
  EXPECT_TRUE(std::filesystem::exists(folder / "tokenizer.json")) << "no new one was given";
  save_model(model_with({.pooler = true}), folder.path(), tokens.path());
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    left.insert(entry.path().filename().string());
  EXPECT_EQ(left,
            (std::set<std::string>{"README.md", "config.json", "model.safetensors", "vocab.txt"}));
  EXPECT_EQ(read_file(folder / "vocab.txt", 100), "new");
  EXPECT_ERROR(check_no_model("prune", folder.path()), "holds a model already");
  EXPECT_NO_THROW(check_no_model("prune", tokens.path()));
  write_file(tokens / "pytorch_model.bin.index.json", "{}");
  EXPECT_ERROR(check_no_model("prune", tokens.path()), "holds a model already");
}

TEST(ModelFolder, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_ERROR(load_model(folder / "none"), "there is no such folder");
  EXPECT_ERROR(load_model(folder.path()), "config.json: No such file");
  save_model(model_with({}), folder.path());
  std::filesystem::remove(folder / "config.json");
  EXPECT_ERROR(load_model(folder.path()), "config.json: No such file");
  write_file(folder / "config.json", "{\"vocab_size\": ");
  EXPECT_ERROR(load_model(folder.path()), "config.json:1:");
}

// A small file with a huge config must not make us allocate what the config says.
TEST(ModelFolder, AHugeConfigIsRefusedWithoutAllocating) {
  const TemporaryFolder folder;
  save_model(model_with({}), folder.path());
  ModelConfig config = ModelConfig::read(folder / "config.json");
  config.vocab_size = 10'000'000;
  config.hidden_size = 1 << 20;
  config.set_layers(1000, 1024, 1 << 20);
  write_file(folder / "config.json", config.to_json().to_string());
  const size_t before = pool_statistics().in_use;
  reset_peak();
  EXPECT_ERROR(load_model(folder.path()), "wrong shape");
  EXPECT_LT(pool_statistics().peak - before, size_t{64} << 20);
}

}  // namespace
}  // namespace ink
