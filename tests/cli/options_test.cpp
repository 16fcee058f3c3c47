// Options from the command line and from a file: read strictly, explained, and wrong ones named.
#include "tests/cli/program.h"

namespace ink {
namespace {

// A verb that would work but for the option under test.
constexpr const char* kPretrain =
    "pretrain --objective mlm --architecture small.json --vocab vocab.txt --text text.txt --out "
    "base ";

TEST_F(Cli, WrongUseSuggestsTheNearestName) {
  expect_failure("pretain", 2, {"pretain", "did you mean pretrain?"});
  expect_failure("tokenize --vocob vocab.txt", 2, {"--vocob", "did you mean --vocab?"});
  expect_failure("tokenize", 2, {"--model", "--vocab"});
  expect_failure("info", 2, {"expected model"});
  expect_failure("info a b", 2, {"'b'"});
  expect_failure("tokenize --vocab", 2, {"--vocab: expected a value"});
  expect_failure("tokenize --vocab --max-length 3", 2, {"--vocab: expected a value"});
  expect_failure("tokenize --vocab a --vocab b", 2, {"--vocab: expected once"});
  expect_failure(
      "pretrain --text text.txt --out x --architecture small.json --vocab vocab.txt "
      "--objective wwwm",
      2, {"wwwm"});
  for (const char* device : {"cuda", "emulated"})
    expect_failure("tokenize --vocab vocab.txt --device " + std::string(device), 2,
                   {"--device: expected cpu", device});
  expect_failure("embed --model m --out x --dtype bf16", 2,
                 {"--dtype: expected f32 or int8 on the CPU"});
  for (const char* verb : {"finetune", "pretrain", "distill", "prune", "study"})
    expect_failure(std::string(verb) + " --dtype int8", 2,
                   {"--dtype: expected f32, f16 or bf16, got 'int8'; int8 is for embed, predict "
                    "and evaluate"});
  for (const char* word : {"gpu", "GPU", "CUDA", "cuda:0"})
    expect_failure("embed --model m --out x --device " + std::string(word), 2,
                   {"--device: expected cpu or cuda", "; did you mean cuda?"});
  expect_failure("embed --model m --out x --device CPU", 2, {"; did you mean cpu?"});
}

TEST_F(Cli, ChoicesSuggestTheNearest) {
  const std::string pretrain = kPretrain;
  expect_failure(pretrain + "--optimizer adm", 2,
                 {"--optimizer: expected adamw, lamb or sgd, got 'adm'; did you mean adamw?"});
  expect_failure(pretrain + "--schedule cosin", 2, {"--schedule", "did you mean cosine?"});
  expect_failure("embed --model base --pooling max", 2,
                 {"inkstone: embed: --pooling: expected mean, cls, pooler or tokens, got 'max'"});
  expect_failure("evaluate --model base --data x --task clasification", 2,
                 {"--task", "did you mean classification?"});
  expect_failure("convert --model base --out x --dtype f64", 2, {"--dtype", "f32, f16 or bf16"});
}

TEST_F(Cli, NumbersAreReadStrictly) {
  const auto refused = [&](const std::string& option, const std::string& value) {
    expect_failure(kPretrain + option + " " + value, 2, {option + ": expected a "});
  };
  refused("--seed", "99999999999999999999");
  refused("--seed", "-1");
  refused("--steps", "-5");
  refused("--steps", "0");
  refused("--steps", "2.0");
  refused("--steps", "1e3");
  refused("--threads", "-3");
  refused("--threads", "257");
  refused("--max-predictions", "-1");
  refused("--checkpoint-every", "-1");
  refused("--held-out-tokens", "-1");
  refused("--held-out", "1.5");
  refused("--learning-rate", "0");
  refused("--learning-rate", "nan");
  refused("--learning-rate", "0x1p-3");
  refused("--learning-rate", "1e-4x");
  for (const char* size : {"0x100", "''", "-5", "many", "' 5'", "5k"})
    expect_failure("vocab --text text.txt --size " + std::string(size), 2, {"--size: expected a "});
  expect_failure("corrupt --vocab vocab.txt --objective mlm --text text.txt --limit -1", 2,
                 {"--limit"});
  EXPECT_EQ(run("vocab --text text.txt --size 50 --min-frequency=1").status, 0);
}

TEST_F(Cli, WrongOptionsAreReportedBeforeAnythingIsRead) {
  for (const char* option : {"--steps -5", "--learning-rate -1"})
    expect_failure(
        "pretrain --objective mlm --architecture absent.json --vocab absent.txt --text "
        "absent --out base " +
            std::string(option),
        2, {"expected a "});
}

TEST_F(Cli, OptionsComeFromAFileToo) {
  write_file(folder_ / "options.json", R"({"vocab": "vocab.txt", "max_length": 3})");
  const Finished f = run("tokenize --config options.json", "砚台好\n");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find(R"("tokens": ["[CLS]", "砚", "[SEP]"])"), std::string::npos) << f.out;
  const Finished flag = run("tokenize --config options.json --max-length 4", "砚台好\n");
  EXPECT_NE(flag.out.find(R"("[CLS]", "砚", "台", "[SEP]")"), std::string::npos)
      << "a flag wins: " << flag.out;
  ASSERT_EQ(pretrain().status, 0);
  write_file(folder_ / "model.json", R"({"model": "base", "json": true})");
  EXPECT_NE(run("info --config model.json").out.find("\"layers\": 2"), std::string::npos);
}

TEST_F(Cli, WrongFilesAreNamedWithTheirKey) {
  const auto refused = [&](const std::string& content, const std::vector<std::string>& parts) {
    write_file(folder_ / "o.json", content);
    expect_failure(kPretrain + std::string("--config o.json"), 2, parts);
  };
  refused(R"({"max_lenght": 3})", {"o.json: 'max_lenght'", "did you mean max-length?"});
  refused(R"({"vocab": )", {"o.json"});
  refused("[]", {"o.json: expected an object"});
  refused(R"({"steps": 2.0})", {"o.json: steps: expected a whole number", "'2.0'"});
  refused(R"({"steps": [1, 2]})", {"o.json: steps: expected one value, got 2"});
  refused(R"({"steps": null})", {"o.json: steps"});
  refused(R"({"cased": "yes"})", {"o.json: cased: expected true or false, got 'yes'"});
  refused(R"({"optimizer": "adm"})", {"o.json: optimizer", "did you mean adamw?"});
  expect_failure("tokenize --config absent.json", 2, {"absent.json"});
}

TEST_F(Cli, DistillationTakesItsOptionsFromTheFileToo) {
  fs::create_directory(folder_ / "t");
  const auto refused = [&](const std::string& content, const std::vector<std::string>& parts) {
    write_file(folder_ / "d.json", content);
    expect_failure("distill --config d.json --teacher t --train train.tsv --out s", 2, parts);
  };
  refused(R"({"student": "x", "TrainingConfig": 3})", {"d.json: TrainingConfig"});
  refused(R"({"student": "x", "TrainingConfig": {"num_epoch": 3}})", {"d.json", "num_epochs"});
  refused(R"({"student": "x", "threads": -3})", {"d.json: threads"});
  refused(R"({"studnet": "x"})", {"d.json", "did you mean student?"});
}

TEST_F(Cli, LengthFollowsTheModel) {
  ASSERT_EQ(run(std::string(kPretrain) + "--steps 2 --held-out 0 --batch-tokens 32").status, 0)
      << "the default fits a model of 32 positions";
  expect_failure(std::string(kPretrain) + "--max-length 128", 2,
                 {"--max-length", "32 tokens", "got 128"});
  const std::string data = " --train train.tsv --dev train.tsv ";
  ASSERT_EQ(run("finetune --model base --out teacher --epochs 1" + data).status, 0);
  EXPECT_EQ(run("evaluate --model teacher --data train.tsv").status, 0);
  EXPECT_EQ(run("predict --model teacher", "砚台\n").status, 0);
  EXPECT_EQ(run("embed --model teacher", "砚台\n").status, 0);
  EXPECT_EQ(run("corrupt --objective mlm --model base --text text.txt").status, 0);
  EXPECT_EQ(run("report --model a=teacher --data train.tsv").status, 0);
  write_file(folder_ / "d.json", R"({"student":{"layers_from_teacher":[0]},"resume":false,
    "TrainingConfig":{"num_epochs":1}})");
  const Finished distilled = run("distill --config d.json --teacher teacher --out student" + data);
  EXPECT_EQ(distilled.status, 0) << distilled.error;
  write_file(folder_ / "p.json", R"({"target_num_of_heads":1,"pruning_method":"iterative"})");
  const Finished pruned =
      run("prune --model teacher --configurations p.json --data train.tsv --out pruned");
  EXPECT_EQ(pruned.status, 0) << pruned.error;
  for (const char* verb : {"evaluate --data train.tsv", "predict", "embed"})
    expect_failure(std::string(verb) + " --model teacher --max-length 33", 2,
                   {"--max-length", "32 tokens", "got 33"});
}

TEST_F(Cli, HelpShowsWhatMustBeGivenAndRead) {
  const std::string help = run("vocab --help").out;
  EXPECT_NE(help.find("\nusage: inkstone vocab --text PATH... [options]\n"), std::string::npos)
      << help;
  EXPECT_EQ(run("help vocab").out, help);
  EXPECT_EQ(run("help").out, run("--help").out);
  EXPECT_NE(run("info --help").out.find("usage: inkstone info model [options]\n"),
            std::string::npos);
  expect_failure("help vocap", 2, {"inkstone: 'vocap' is no verb; did you mean vocab?"});
  for (const char* verb : {"predict", "embed", "tokenize", "segment"})
    EXPECT_NE(run("help " + std::string(verb)).out.find("eads lines from standard input"),
              std::string::npos);
}

TEST_F(Cli, HelpIsPlain) {
  const std::string help = run("pretrain --help").out;
  EXPECT_TRUE(help.starts_with("inkstone pretrain: pre-trains a model on text\n")) << help;
  EXPECT_NE(help.find("--text PATH..."), std::string::npos) << help;
  EXPECT_NE(help.find("--steps N "), std::string::npos) << help;
  EXPECT_NE(help.find("--optimizer adamw|lamb|sgd"), std::string::npos) << help;
  EXPECT_NE(help.find("--learning-rate REAL"), std::string::npos) << help;
  EXPECT_NE(help.find("(default 0.0001)"), std::string::npos) << help;
  EXPECT_EQ(help.find("[]"), std::string::npos) << help;
  EXPECT_EQ(help.find("\n\n\n"), std::string::npos) << help;
  for (size_t at = 0; at < help.size();) {
    const size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 100U) << help.substr(at, end - at);
    at = end + 1;
  }
}

TEST_F(Cli, OptionsThatSayNothingHereAreRefused) {
  const std::string other =
      "pretrain --architecture small.json --vocab vocab.txt --text text.txt --out base ";
  const auto refused = [&](const std::string& options, const std::vector<std::string>& parts,
                           int status = 2) { expect_failure(other + options, status, parts); };
  refused("--objective perlm --space global --pert-label forward",
          {"--pert-label: says nothing about --space global"});
  refused("--objective perlm --space global --scale 0",
          {"--scale: says nothing about --space global"});
  refused("--objective mlm --dictionary absent.txt",
          {"--dictionary: expected a file at absent.txt"}, 1);
  refused("--objective mlm --optimizer sgd --no-bias-correction",
          {"--no-bias-correction: says nothing about --optimizer sgd"});
  expect_failure("pretrain --model base --architecture small.json --text text.txt --out x", 2,
                 {"--architecture: says nothing about --model"});
  refused("--objective mlm --optimizer sgd --beta2 0.98",
          {"--beta2: says nothing about --optimizer sgd"});
  refused("--objective mlm --short-probability 0.2", {"--short-probability: is about two texts"});
  refused("--objective mac --replace random --fallback-share 0.2", {"leave out --fallback-share"});
  refused("--objective perlm --granularity ngram --ngram 1", {"n-grams of one word"}, 1);
  refused("--objective perlm,mlm --granularity ngram", {"single tokens are selected"}, 1);
  refused("--objective mlm --stages 3:0.5,8:0.5", {"--stages: expected from 4 to 32 tokens"});
  refused("--objective mlm --stages 8:0.5,33:0.5", {"--stages: expected from 4 to 32 tokens"});
}

// Each would do all of the work, and write the same file.
TEST_F(Cli, OtherVerbsThanPretrainRefuseToBeSeveralProcesses) {
  ::setenv("OMPI_COMM_WORLD_RANK", "0", 1);
  ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  expect_failure("vocab --text text.txt --size 50 --out made.txt", 2,
                 {"vocab: mpirun has started 2 processes, among which only pretrain shares"});
  expect_failure("study absent.json", 2, {"mpirun has started 2 processes"});
  ::setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
  EXPECT_EQ(run("vocab --text text.txt --size 50 --out made.txt").status, 0);
  ::unsetenv("OMPI_COMM_WORLD_RANK");
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
}

}  // namespace
}  // namespace ink
