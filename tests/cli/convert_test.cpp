// inkstone convert: other element types, padding to even layers, and what it refuses.
#include <cmath>

#include "nn/model_folder.h"
#include "tests/cli/program.h"
#include "text/tokenizer.h"

namespace ink {
namespace {

class Convert : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
  }
  Model load(const char* name) const { return load_model(folder_ / name); }
};

TEST_F(Convert, WritesOtherElementTypes) {
  const Model base = load("base");
  const auto bytes = [&](const char* name) {
    return fs::file_size(folder_ / name / "model.safetensors");
  };
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    const Finished f =
        run(std::string("convert --model base --json --out ") + dtype + " --dtype " + dtype);
    ASSERT_EQ(f.status, 0) << f.error;
    EXPECT_NE(f.out.find("\"dtype\": \"" + std::string(dtype) + '"'), std::string::npos) << f.out;
    EXPECT_TRUE(fs::exists(folder_ / dtype / "vocab.txt"));
    const Model converted = load(dtype);
    const double step = dtype[0] == 'b' ? 0x1p-8 : dtype[1] == '1' ? 0x1p-11 : 0;
    for (const Parameter& p : base.parameters) {
      const std::vector<float> before = to_vector<float>(p.value),
                               after = to_vector<float>(converted.parameters.at(p.name).value);
      for (size_t i = 0; i < before.size(); ++i)
        ASSERT_NEAR(after[i], before[i], step * std::abs(before[i]) + step * 1e-4) << p.name;
    }
  }
  EXPECT_LT(bytes("f16"), bytes("f32") * 2 / 3);
  EXPECT_LT(bytes("bf16"), bytes("f32") * 2 / 3);
}

TEST_F(Convert, PadsLayersOfDifferentSizes) {
  ModelConfig config = load("base").config;
  config.heads_per_layer = {2, 1};
  config.ffn_per_layer = {32, 20};
  save_model(Model(config, {.pooler = true}, random_values(Random(1))), folder_ / "uneven",
             folder_ / "base");
  ASSERT_EQ(run("convert --model uneven --out same").status, 0);
  EXPECT_EQ(load("same").config.heads_per_layer, (std::vector<int64_t>{2, 1}));
  const Finished f = run("convert --model uneven --pad --out even");
  ASSERT_EQ(f.status, 0) << f.error;
  const Model even = load("even");
  EXPECT_EQ(even.config.heads_per_layer, (std::vector<int64_t>{2, 2}));
  EXPECT_NE(f.out.find(std::to_string(even.parameters.elements()) + " parameters"),
            std::string::npos)
      << f.out;
  EXPECT_EQ(load("even").config.ffn_per_layer, (std::vector<int64_t>{32, 32}));
}

// Old programs read vocab.txt, new ones tokenizer.json; what was there stays to the byte.
TEST_F(Convert, WritesBothFormsOfTheTokenizer) {
  const auto text = [&](const fs::path& file) { return read_file(folder_ / file, 1 << 24); };
  const std::string vocabulary = text("base/vocab.txt"), whole = text("base/tokenizer.json");
  fs::remove(folder_ / "base/tokenizer.json");
  ASSERT_EQ(run("convert --model base --out with-json").status, 0);
  fs::remove(folder_ / "with-json/vocab.txt");
  const Tokenizer made = Tokenizer::load(folder_ / "with-json");
  EXPECT_EQ(made.encode("砚台[MASK]inkstone").ids,
            Tokenizer::load(folder_ / "base").encode("砚台[MASK]inkstone").ids);
  write_file(folder_ / "base/tokenizer.json", whole + "\n");
  fs::remove(folder_ / "base/vocab.txt");
  ASSERT_EQ(run("convert --model base --out with-words").status, 0);
  EXPECT_EQ(text("with-words/vocab.txt"), vocabulary);
  EXPECT_EQ(text("with-words/tokenizer.json"), whole + "\n");
  EXPECT_FALSE(fs::exists(folder_ / "with-words/.tokenizer"));
  ASSERT_EQ(
      run("finetune --model base --train train.tsv --dev train.tsv --out tuned --max-length 32 "
          "--epochs 1")
          .status,
      0);
  EXPECT_EQ(text("tuned/vocab.txt"), vocabulary);
  write_file(folder_ / "base/tokenizer.json", "{}");
  const Finished f = run("convert --model base --out broken");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.error.find("copied as they were"), std::string::npos) << f.error;
}

// A class that the file has no head of is said, and no reason to refuse the rest.
TEST_F(Convert, TakesWhatAFileHolds) {
  fs::copy(folder_ / "base", folder_ / "other", fs::copy_options::recursive);
  ModelConfig config = load("other").config;
  config.architectures = {"BertForTokenClassification"};
  write_file(folder_ / "other" / "config.json", config.to_json().to_string());
  for (const char* command : {"info other", "convert --model other --out converted"}) {
    const Finished f = run(command);
    EXPECT_EQ(f.status, 0) << f.error;
    EXPECT_NE(f.error.find("names BertForTokenClassification, the file has no tagging head"),
              std::string::npos)
        << f.error;
  }
  EXPECT_EQ(load("converted").body.words().value.shape(), load("base").body.words().value.shape());
}

TEST_F(Convert, RefusesItsOwnFolderAndUnknownModels) {
  const std::string before = read_file(folder_ / "base" / "model.safetensors", 1 << 26);
  for (const char* out : {"base", "./base/", "base/../base"})
    expect_failure(std::string("convert --model base --dtype f16 --out ") + out, 1,
                   {"convert: expected another folder", "base"});
  EXPECT_EQ(read_file(folder_ / "base" / "model.safetensors", 1 << 26), before);
  expect_failure("convert --model org/absent --offline --out x", 1,
                 {"there is no folder org/absent", "nothing is downloaded offline"});
  expect_failure("convert --model base", 2, {"--out"});
}

TEST_F(Convert, TakesAModelByName) {
  ::setenv("HF_HUB_CACHE", (folder_ / "cache").c_str(), 1);
  const std::string commit(40, 'c');
  const fs::path model = folder_ / "cache" / "models--org--tiny";
  create_folders(model / "refs");
  write_file(model / "refs" / "main", commit);
  create_folders(model / "snapshots");
  fs::copy(folder_ / "base", model / "snapshots" / commit, fs::copy_options::recursive);
  const Finished f = run("convert --model org/tiny --offline --revision main --out named");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(load("named").parameters.elements(), load("base").parameters.elements());
  ::unsetenv("HF_HUB_CACHE");
}

}  // namespace
}  // namespace ink
