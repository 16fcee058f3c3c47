// Mistakes that users make with models and data: each is told in words that help.
#include <algorithm>
#include <limits>

#include "nn/model_folder.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

class Messages : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
  }
  void finetune() const {
    const Finished f =
        run("finetune --model base --train train.tsv --dev train.tsv --out teacher --epochs 1 "
            "--max-length 32");
    ASSERT_EQ(f.status, 0) << f.error;
  }
};

TEST_F(Messages, OneClassIsNothingToLearn) {
  write_file(folder_ / "food.tsv", "food\t砚台好\nfood\t墨好\nfood\t纸坏\n");
  expect_failure("finetune --model base --train food.tsv --dev food.tsv --out x", 1,
                 {"expected at least two labels, found only 'food' in food.tsv"});
}

TEST_F(Messages, DamagedWeightsAreNamedAsTheCause) {
  finetune();
  Model model = load_model(folder_ / "teacher");
  model.parameters.own();
  for (Parameter& p : model.parameters)
    std::fill_n(p.value.data<float>(), p.value.size(), std::numeric_limits<float>::quiet_NaN());
  save_model(model, folder_ / "damaged", folder_ / "teacher");
  expect_failure("predict --model damaged", 1,
                 {"predict: the model gives nan for line 1; its weights may be damaged"}, "砚台\n");
  expect_failure("evaluate --model damaged --data train.tsv", 1, {"gives nan for line 1"});
}

TEST_F(Messages, NameTheOptionsThatHelp) {
  finetune();
  write_file(folder_ / "comma.tsv", "good,砚台好\nbad,砚台坏\n");
  expect_failure("evaluate --model teacher --data comma.tsv", 1,
                 {"comma.tsv:1: expected fields separated by tabs, found none (is it CSV?)"});
  write_file(folder_ / "bare.jsonl", "{\"text\": \"砚\"}\n");
  expect_failure("evaluate --model teacher --data bare.jsonl", 1,
                 {"has no label; call its field one of label, class, category", "--columns"});
  write_file(folder_ / "wide.tsv", "a\tb\tc\td\n");
  expect_failure("evaluate --model teacher --data wide.tsv", 1, {"`columns` (--columns)"});
  const auto prune = [&](const std::string& json, const std::vector<std::string>& parts) {
    write_file(folder_ / "p.json", json);
    expect_last_line("prune --model teacher --configurations p.json --out pruned", 1, parts);
  };
  prune(R"({"pruning_method": "masks"})", {"(--masks)", R"("pruning_method": "iterative")"});
  prune(R"({"target_ffn_size": 8, "pruning_method": "iterative"})", {"(--data)"});
}

TEST_F(Messages, PruningTargetsAreOfOneLayer) {
  finetune();
  for (const char* key : {"target_num_of_heads", "target_ffn_size"}) {
    write_file(folder_ / "p.json",
               "{\"pruning_method\": \"iterative\", \"" + std::string(key) + "\": 90}");
    expect_failure(
        "prune --model teacher --configurations p.json --data train.tsv --out pruned", 1,
        {std::string("inkstone: prune: ") + key + ": expected at most ", " per layer (", "got 90"});
  }
}

TEST_F(Messages, ModelsWithoutHeadsSayWhatToDo) {
  const std::string advice = "run inkstone finetune first";
  expect_failure("predict --model base", 1, {advice}, "砚\n");
  expect_failure("evaluate --model base --data train.tsv", 1, {advice});
  write_file(folder_ / "d.json", R"({"student":{"layers_from_teacher":[0]}})");
  expect_failure("distill --config d.json --teacher base --train train.tsv --out s", 1, {advice});
  write_file(folder_ / "p.json", R"({"target_ffn_size": 8, "pruning_method": "iterative"})");
  expect_failure("prune --model base --configurations p.json --data train.tsv --out pruned", 1,
                 {advice});
  expect_failure("embed --model base --pooling pooler", 1,
                 {"this model has no pooler; use mean or cls"}, "砚\n");
}

TEST_F(Messages, AFailedWriterLeavesNoFolder) {
  for (const char* verb : {"convert --model base", "convert --pad --model base"}) {
    const Finished f = shell("ulimit -f 1; $INK " + std::string(verb) + " --out deep/copy");
    EXPECT_EQ(f.status, 1) << verb;
    EXPECT_NE(f.error.find("deep/copy"), std::string::npos) << f.error;
    EXPECT_FALSE(fs::exists(folder_ / "deep")) << verb;
  }
}

TEST_F(Messages, NothingToResumeIsSaid) {
  fs::remove_all(folder_ / "base");
  const Finished f = pretrain("--resume");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.error.find("inkstone: pretrain: nothing to resume in base"), std::string::npos)
      << f.error;
}

TEST_F(Cli, MessagesHoldNoControlCharactersAndNoLongQuotes) {
  write_file(folder_ / "evil.json", "{\"hidden\\u001b[31mred\\u0085\": 1}");
  expect_failure("tokenize --config evil.json", 2, {R"('hidden\x1b[31mred\x85')"});
  const std::string twenty = "砚台砚台砚台砚台砚台砚台砚台砚台砚台砚台";
  expect_failure("tokenize --vocab vocab.txt --max-length " + twenty + twenty + twenty, 2,
                 {"got '" + twenty + twenty + "…'"});
  create_folders(folder_ / "garbage");
  write_file(folder_ / "garbage" / "config.json",
             R"({"model_type": ")" + std::string(500, 'z') + "\"}");
  expect_failure("info garbage", 1, {"got '" + std::string(40, 'z') + "…'"});
}

TEST_F(Cli, AnAbsentFolderIsNamedBeforeTheHubIsWaitedFor) {
  const Finished f = shell(
      "unset HF_HUB_OFFLINE\nHF_ENDPOINT=http://127.0.0.1:9 HF_HUB_CACHE=cache timeout 3 $INK "
      "tokenize --model pruned");
  EXPECT_TRUE(
      f.error.starts_with("inkstone: there is no folder pruned; looking for a model of "
                          "that name at http://127.0.0.1:9\n"))
      << f.error;
}

TEST_F(Cli, WordsAreNotSaidTwice) {
  EXPECT_TRUE(run("foo").error.starts_with("inkstone: 'foo' is no verb")) << run("foo").error;
  const std::string same = "prune --model . --out . --configurations p.json";
  write_file(folder_ / "p.json", R"({"target_ffn_size": 8, "pruning_method": "iterative"})");
  write_file(folder_ / "config.json", read_file(folder_ / "small.json", 1 << 20));
  const Finished f = run(same);
  EXPECT_EQ(f.error.find("prune: prune"), std::string::npos) << f.error;
}

TEST_F(Cli, WholeWordsNameTheOptionsAboutDictionaries) {
  ::setenv("INK_DICTIONARY", "/absent/words.txt", 1);
  expect_failure("corrupt --vocab vocab.txt --text text.txt", 1,
                 {"/absent/words.txt", "--objective mlm needs none"});
  ::unsetenv("INK_DICTIONARY");
}

}  // namespace
}  // namespace ink
