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

TEST_F(Cli, MessagesHoldNoControlCharactersAndNoLongQuotes) {
  write_file(folder_ / "evil.json", "{\"hidden\\u001b[31mred\\u0085\": 1}");
  expect_failure("tokenize --config evil.json", 2, {R"('hidden\x1b[31mred\x85')"});
  const std::string twenty = "砚台砚台砚台砚台砚台砚台砚台砚台砚台砚台";
  expect_failure("tokenize --vocab vocab.txt --max-length " + twenty + twenty + twenty, 2,
                 {"got '" + twenty + twenty + "…'"});
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
