// Architecture files: every family's keys are known, a misspelt one is not.
#include "tasks/architecture.h"

#include <gtest/gtest.h>

#include "nn/parameter_count.h"
#include "tasks/classification.h"
#include "tensor/file.h"
#include "tests/tasks/helpers.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

TEST(Architecture, TheKeysOfEveryFamilyAreKnown) {
  int count = 0;
  for (const auto& entry :
       fs::directory_iterator(fs::path(INK_SOURCE_DIR) / "tests/golden/families")) {
    const ModelConfig config = ModelConfig::read(entry.path() / "config.json");
    EXPECT_EQ(read_architecture(entry.path() / "config.json", 7).to_json(), config.to_json());
    ++count;
  }
  EXPECT_GT(count, 20);
}

// transformers leaves two labels without names of their own out of config.json.
TEST(Architecture, ClassifiersWithoutNamesHaveTheUsualTwo) {
  const fs::path families = fs::path(INK_SOURCE_DIR) / "tests/golden/families";
  for (const char* family : {"bert", "xlnet", "mobilebert"}) {
    ModelConfig config =
        ModelConfig::read(families / (std::string(family) + "-SequenceClassification/config.json"));
    config.labels.clear();
    EXPECT_EQ(labels_of(config).names(), (std::vector<std::string>{"LABEL_0", "LABEL_1"}));
  }
  ModelConfig tagger = ModelConfig::read(families / "electra-TokenClassification/config.json");
  EXPECT_ERROR(labels_of(tagger),
               "(its config.json names ElectraForTokenClassification, not "
               "ElectraForSequenceClassification)");
}

TEST(Architecture, SizesOfTheVocabularyAndWordsThatNobodyKnows) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder / "architecture.json";
  const auto read = [&](const std::string& text) {
    write_file(file, text);
    return read_architecture(file, 7);
  };
  const std::string sizes =
      R"("num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16)";
  EXPECT_EQ(read("{\"hidden_size\": 8, " + sizes + "}").vocab_size, 7);
  EXPECT_EQ(read("{\"hidden_size\": 8, \"vocab_size\": 9, " + sizes + "}").vocab_size, 9);
  EXPECT_ERROR(read("{\"hiden_size\": 8, " + sizes + "}"),
               "architecture.json: unknown key 'hiden_size'; did you mean 'hidden_size'?");
  EXPECT_ERROR(read("{\"hidden_size\": 8, \"zebra\": 1, " + sizes + "}"), "unknown key 'zebra'");
  EXPECT_ERROR(read("[]"), "expected a JSON object of sizes");
}

TEST(ParameterCount, IsKnownBeforeAnythingIsAllocated) {
  ModelConfig c;
  c.vocab_size = 30;
  c.hidden_size = 8;
  c.max_position_embeddings = 10;
  c.set_layers(2, 2, 16);
  const Heads heads{.pooler = true, .classification = true};
  EXPECT_EQ(parameter_count(c, heads),
            Model(c, heads, random_values(Random(1))).parameters.elements());
  check_trainable_here(c, heads);
  c.vocab_size = 10'000'000;
  c.hidden_size = 1 << 20;
  c.set_layers(1000, 1024, 1 << 20);
  EXPECT_GT(parameter_count(c, heads), int64_t{1} << 40);
  EXPECT_ERROR(check_trainable_here(c, heads), "this config asks for");
}

}  // namespace
}  // namespace ink
