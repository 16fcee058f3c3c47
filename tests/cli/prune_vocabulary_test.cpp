// inkstone prune in its modes vocabulary and pipeline: options, files of configuration, output.
#include "tests/cli/small_classifier.h"

namespace ink {
namespace {

class PruneVerb : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    save_small_classifier(folder_);
    write_file(folder_ / "vc.json",
               R"({"config_class": "VocabularyPruningConfig", "min_count": 1})");
    write_file(folder_ / "tc.json",
               R"({"config_class": "TransformerPruningConfig", "pruning_method": "iterative",
                   "target_num_of_heads": 1, "target_ffn_size": 16})");
  }
  int64_t tokens_of(const std::string& model) const {
    return ModelConfig::read(folder_ / model / "config.json").vocab_size;
  }
};

TEST_F(PruneVerb, VocabularyFromTextsPipesAndLists) {
  const std::string prune = "prune --mode vocabulary --model teacher --out ";
  Finished f = run(prune + "a --text text.txt --configurations vc.json --json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(tokens_of("a"), 5 + 7);  // without ink and ##stone
  for (const char* part : {"a: ", " parameters", "tokens:", "12 of 14",
                           "coverage:", "unknown:", "special", "\"tokens_after\": 12", "MiB"})
    EXPECT_NE(f.out.find(part), std::string::npos) << part << " in\n" << f.out;
  EXPECT_EQ(run("predict --model a", "砚台好\n").status, 0);

  f = run(prune + "b --text -", "ink 砚\n");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(tokens_of("b"), 5 + 2);
  write_file(folder_ / "ids.txt", "12\n13\n");
  f = run(prune + "c --tokens ids.txt");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(read_file(folder_ / "c" / "vocab.txt", 1 << 20),
            "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nink\n##stone\n");
}

TEST_F(PruneVerb, PipelineCutsBoth) {
  const Finished f =
      run("prune --mode pipeline --model teacher --configurations tc.json vc.json --text text.txt "
          "--data train.tsv --max-length 16 --out both --json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(tokens_of("both"), 12);
  EXPECT_EQ(ModelConfig::read(folder_ / "both" / "config.json").heads_per_layer,
            (std::vector<int64_t>{1, 1}));
  for (const char* part : {"heads per layer: 1 1", "12 of 14", "\"ffn_per_layer\": [16, 16]"})
    EXPECT_NE(f.out.find(part), std::string::npos) << part << " in\n" << f.out;
  for (const char* name : {"pruning.json", "vocabulary_pruning.json", "tokenizer.json"})
    EXPECT_TRUE(fs::exists(folder_ / "both" / name)) << name;
}

TEST_F(PruneVerb, ConfigurationsBelongToTheMode) {
  const auto prune = [&](const std::string& mode, const std::string& files, const char* part) {
    expect_failure("prune --mode " + mode + " --model teacher --text text.txt --out out " + files,
                   2, {part});
    EXPECT_FALSE(fs::exists(folder_ / "out")) << part;
  };
  prune("vocabulary", "--configurations tc.json", "tc.json: prunes the transformer, but --mode is");
  prune("transformer", "--configurations vc.json", "vc.json: prunes the vocabulary, but --mode is");
  prune("transformer", "", "--configurations: expected a file of class TransformerPruningConfig");
  prune("pipeline", "--configurations vc.json", "expected a file of class Transformer");
  prune("vocabulary", "--configurations vc.json vc.json", "expected one file of each class");
  write_file(folder_ / "plain.json", R"({"min_count": 1})");
  prune("pipeline", "--configurations tc.json plain.json", "plain.json: expected a config_class");
  write_file(folder_ / "typo.json", R"({"min_cuont": 1})");
  prune("vocabulary", "--configurations typo.json", "did you mean 'min_count'?");
  write_file(folder_ / "other.json", R"({"config_class": "DistillationConfig"})");
  prune("vocabulary", "--configurations other.json", "config_class");
  prune("vocabulary", "--configurations absent.json", "absent.json");
}

TEST_F(PruneVerb, WhatTextPrunersGeneralConfigSaysIsSaidElsewhere) {
  write_file(folder_ / "gc.json",
             R"({"config_class": "GeneralConfig", "use_device": "auto", "output_dir": "x"})");
  const Finished f = run(
      "prune --mode vocabulary --model teacher --text text.txt --configurations gc.json vc.json "
      "--out out");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.error.find("gc.json: --out says where the result goes"), std::string::npos)
      << f.error;
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

TEST_F(PruneVerb, ErrorsComeBeforeAnythingIsWritten) {
  const auto refused = [&](const std::string& options, const char* part) {
    expect_failure("prune --mode vocabulary --model teacher " + options, 1, {part});
    EXPECT_FALSE(fs::exists(folder_ / "out")) << part;
  };
  refused("--out out", "expected texts (--text)");
  refused("--out out --text absent.txt", "absent.txt");
  write_file(folder_ / "tokens.txt", "砚\nimk\n");
  refused("--out out --tokens tokens.txt", "tokens.txt:2: 'imk' is no token of this vocabulary");
  refused("--out teacher --text text.txt", "teacher");
  EXPECT_EQ(tokens_of("teacher"), 14);
}

}  // namespace
}  // namespace ink
