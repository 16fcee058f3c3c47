// The program as its users meet it: results on stdout; for what goes wrong one line and a status.
#include "tests/cli/program.h"

#include <cstdio>

#include "tensor/json.h"

namespace ink {
namespace {

TEST_F(Cli, HelpNamesEveryVerbAndOption) {
  const Finished all = run("--help");
  EXPECT_EQ(all.status, 0);
  EXPECT_NE(all.out.find("\ndevices:   cpu"), std::string::npos);
  for (const char* verb :
       {"info", "vocab", "dictionary", "tokenize", "segment", "corrupt", "pretrain", "finetune",
        "evaluate", "predict", "embed", "distill", "prune", "convert", "report"}) {
    EXPECT_NE(all.out.find(verb), std::string::npos) << verb;
    const Finished one = run(std::string(verb) + " --help");
    EXPECT_EQ(one.status, 0) << verb;
    EXPECT_NE(one.out.find("--json"), std::string::npos) << verb;
  }
  EXPECT_EQ(run("--version").status, 0);
  EXPECT_EQ(run("").status, 2);
}

TEST_F(Cli, TakesAModelByName) {
  ::setenv("HF_HUB_CACHE", (folder_ / "cache").c_str(), 1);
  expect_failure("tokenize --model org/tiny --offline", 1,
                 {"there is no folder org/tiny", "nothing is downloaded offline"});
  const std::string commit(40, 'c');
  const fs::path model = folder_ / "cache" / "models--org--tiny";
  const fs::path snapshot = model / "snapshots" / commit;
  create_folders(snapshot);
  create_folders(model / "refs");
  write_file(model / "refs" / "main", commit);
  for (const char* file : {"config.json", "model.safetensors"}) write_file(snapshot / file, "{}");
  fs::copy(folder_ / "vocab.txt", snapshot / "vocab.txt");
  for (const char* flags : {"", "--offline", "--revision main"}) {
    const Finished f = run(std::string("tokenize --model org/tiny ") + flags, "砚\n");
    EXPECT_EQ(f.status, 0) << f.error;
    EXPECT_NE(f.out.find(R"("[CLS]", "砚", "[SEP]")"), std::string::npos) << f.out;
  }
  ::unsetenv("HF_HUB_CACHE");
}

TEST_F(Cli, TheWholeRoad) {
  ASSERT_EQ(pretrain().status, 0) << pretrain().error;
  Finished f =
      run("finetune --max-length 32 --task classification --model base --train train.tsv --dev "
          "train.tsv --out teacher --epochs 2");
  ASSERT_EQ(f.status, 0) << f.error;
  f = run("evaluate --max-length 32 --model teacher --data train.tsv --predictions p.jsonl --json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("\"accuracy\""), std::string::npos);
  EXPECT_TRUE(fs::exists(folder_ / "p.jsonl"));
  f = run("predict --max-length 32 --model teacher", "砚台好\n");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("\"probabilities\""), std::string::npos);
  f = run("embed --max-length 32 --model teacher --normalize --out e.safetensors", "砚台\n墨\n");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_TRUE(fs::exists(folder_ / "e.safetensors"));
  f = run("embed --model teacher --pooling pooler --out pooled.safetensors", "砚台\n墨\n");
  EXPECT_NE(f.out.find("2 vectors of 16 numbers"), std::string::npos) << f.out << f.error;
  write_file(folder_ / "distill.json",
             R"({"teacher":"teacher","student":{"layers_from_teacher":[0]},"train":"train.tsv",
    "dev":"train.tsv","max_length":32,"TrainingConfig":{"output_dir":"student","num_epochs":1}})");
  f = run("distill --config distill.json");
  ASSERT_EQ(f.status, 0) << f.error;
  write_file(
      folder_ / "prune.json",
      R"({"target_num_of_heads":1,"target_ffn_size":16,"pruning_method":"iterative","n_iters":2})");
  f =
      run("prune --max-length 32 --model teacher --configurations prune.json --data train.tsv "
          "--out pruned");
  ASSERT_EQ(f.status, 0) << f.error;
  f = run("info pruned --json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("\"heads_per_layer\": [1, 1]"), std::string::npos) << f.out;
  f =
      run("report --max-length 32 --out r.html --train train.tsv --data train.tsv --model "
          "a=teacher b=pruned --run one=teacher");
  ASSERT_EQ(f.status, 0) << f.error;
  const std::string page = read_file(folder_ / "r.html", 1 << 24);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("naive Bayes"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos) << "the page refers to nothing outside itself";
}

TEST_F(Cli, BadInputGetsOneLine) {
  expect_failure("info absent", 1, {"absent"});
  expect_failure("vocab --text absent.txt", 1, {"absent.txt"});
  write_file(folder_ / "empty.txt", "\n\n");
  expect_failure("vocab --text empty.txt", 1, {"empty.txt"});
  write_file(folder_ / "bad.txt", "砚\xff台\n");
  expect_failure("vocab --text bad.txt", 1, {"bad.txt", "UTF-8"});
  write_file(folder_ / "no_unk.txt", "[PAD]\n[CLS]\n[SEP]\n[MASK]\n砚\n");
  expect_failure("tokenize --vocab no_unk.txt", 1, {"no_unk.txt", "[UNK]"});
  expect_failure(
      "pretrain --objective wwm --architecture small.json --vocab vocab.txt --dictionary "
      "absent.txt --text text.txt --out base",
      1, {"absent.txt"});
  write_file(folder_ / "wide.json",
             R"({"hidden_size":99999999999,"num_hidden_layers":2,"num_attention_heads":2,)"
             R"("intermediate_size":32})");
  expect_failure(
      "pretrain --architecture wide.json --vocab vocab.txt --objective mlm --text text.txt --out "
      "base",
      1, {"wide.json", "hidden_size"});
}

TEST_F(Cli, DamagedModelsAreRefusedAndNothingIsLost) {
  ASSERT_EQ(pretrain().status, 0);
  const fs::path weights = folder_ / "base" / "model.safetensors";
  const std::string whole = read_file(weights, 1 << 26);
  write_file(folder_ / "labels.tsv", "good\t砚台好\nugly\t砚台坏\n");
  ASSERT_EQ(run("finetune --max-length 32 --model base --train train.tsv --dev train.tsv --out "
                "teacher --epochs 1")
                .status,
            0);
  expect_failure("evaluate --max-length 32 --model teacher --data labels.tsv", 1,
                 {"labels.tsv:2", "ugly", "good"});
  write_file(weights, whole.substr(0, whole.size() / 2));
  expect_failure("info base", 1, {"model.safetensors"});
  write_file(weights, std::string(8, '\xff') + whole.substr(8));
  expect_failure("info base", 1, {"model.safetensors"});
  write_file(weights, whole);
  EXPECT_EQ(run("info base").status, 0);
}

TEST_F(Cli, VocabulariesThatDoNotFitAreRefused) {
  ASSERT_EQ(pretrain().status, 0);
  fs::remove(folder_ / "base" / "tokenizer.json");
  write_file(folder_ / "base" / "vocab.txt",
             read_file(folder_ / "vocab.txt", 1 << 20) + "更\n多\n");
  const std::string finetune =
      "finetune --model base --train train.tsv --dev train.tsv --out teacher --epochs 1";
  expect_last_line(finetune, 1, {"14", "16"});
  expect_last_line("embed --model base", 1, {"14", "16"}, "更多\n");
  write_file(folder_ / "sized.json",
             R"({"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,)"
             R"("intermediate_size":32,"vocab_size":13})");
  expect_last_line(
      "pretrain --objective mlm --architecture sized.json --vocab vocab.txt --text text.txt --out "
      "other --steps 1",
      1, {"13", "14"});
}

// /proc takes no files, not even from root; an ordinary user is also stopped by permissions.
TEST_F(Cli, FoldersThatTakeNoFilesAreNamed) {
  std::vector<std::string> folders = {"/proc"};
  if (::geteuid() != 0) {
    fs::create_directory(folder_ / "locked");
    fs::permissions(folder_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
    folders.emplace_back("locked");
  }
  for (const std::string& folder : folders) {
    expect_last_line("vocab --text text.txt --out " + folder + "/v.txt", 1, {folder + "/v.txt"});
    expect_last_line(
        "pretrain --objective mlm --architecture small.json --vocab vocab.txt --text text.txt "
        "--steps 1 --held-out 0 --batch-tokens 32 --out " +
            folder + "/model",
        1, {folder + "/model"});
    ASSERT_EQ(pretrain(fs::exists(folder_ / "base") ? "--resume" : "").status, 0);
    expect_last_line("embed --model base --out " + folder + "/e.safetensors", 1,
                     {folder + "/e.safetensors"}, "砚台\n");
  }
}

TEST_F(Cli, AFullDiskLeavesTheOldFile) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers use files of their own";
#endif
  ASSERT_EQ(run("vocab --text text.txt --min-frequency 1 --out v.txt").status, 0);
  const std::string before = read_file(folder_ / "v.txt", 1 << 20);
  const std::string limited =
      "sh -c 'ulimit -f 0; exec " + std::string(INK_PROGRAM) +
      " vocab --text text.txt --min-frequency 1 --out v.txt' 2>&1 >/dev/null | cat";
  FILE* pipe = popen(("cd '" + folder_.string() + "' && " + limited).c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string message;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) message += static_cast<char>(c);
  pclose(pipe);
  EXPECT_NE(message.find("v.txt"), std::string::npos) << message;
  EXPECT_EQ(read_file(folder_ / "v.txt", 1 << 20), before);
}

}  // namespace
}  // namespace ink
