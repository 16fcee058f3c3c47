// No verb writes over what it reads, or over a model that is not its own.
#include "tests/cli/program.h"

namespace ink {
namespace {

TEST_F(Cli, InputsAreNotOverwritten) {
  const std::string text = read_file(folder_ / "text.txt", 1 << 20);
  expect_failure("vocab --text text.txt --size 50 --out text.txt", 2, {"belongs to the input"});
  expect_failure("dictionary --words text.txt --text text.txt --out ./text.txt", 2,
                 {"belongs to the input"});
  EXPECT_EQ(read_file(folder_ / "text.txt", 1 << 20), text);
  ASSERT_EQ(pretrain().status, 0);
  expect_failure("embed --model base --out base/model.safetensors", 2, {"belongs to the input"});
}

TEST_F(Cli, ModelsAreNotOverwritten) {
  ASSERT_EQ(pretrain().status, 0);
  const std::string data = " --train train.tsv --dev train.tsv ";
  ASSERT_EQ(run("convert --model base --out other").status, 0);
  const std::string before = read_file(folder_ / "other" / "config.json", 1 << 20);
  const std::vector<std::string> parts{"holds a model already", "another folder"};
  expect_failure("convert --model base --out other", 1, parts);
  expect_failure("finetune --model base --out other --epochs 1" + data, 1, parts);
  ASSERT_EQ(run("finetune --model base --out teacher --epochs 1" + data).status, 0);
  write_file(folder_ / "p.json", R"({"target_num_of_heads":1,"pruning_method":"iterative"})");
  const std::string prune = "prune --model teacher --configurations p.json --data train.tsv --out ";
  expect_failure(prune + "base", 1, parts);
  ASSERT_EQ(run(prune + "pruned").status, 0);
  expect_failure(prune + "pruned", 1, parts);
  EXPECT_EQ(read_file(folder_ / "other" / "config.json", 1 << 20), before);
}

}  // namespace
}  // namespace ink
