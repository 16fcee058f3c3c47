// Tagging and word order through the program: data, training, measuring, predicting.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

class Tagging : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
    std::string sentences;
    for (int i = 0; i < 20; ++i)
      sentences += i % 2 ? "砚 B-PER\n台 I-PER\n好 O\n\n" : "墨 O\n纸 B-LOC\n\n";
    write_file(folder_ / "ner.txt", sentences);
  }
  Finished tune(const std::string& task, const std::string& data, const std::string& out) const {
    return run("finetune --model base --epochs 1 --task " + task + " --train " + data + " --dev " +
               data + " --out " + out);
  }
};

TEST_F(Tagging, TrainsMeasuresAndPredicts) {
  const Finished tuned = tune("tagging", "ner.txt", "ner");
  ASSERT_EQ(tuned.status, 0) << tuned.error;
  EXPECT_NE(tuned.out.find(" %, recall "), std::string::npos) << tuned.out;
  const Finished measured =
      run("evaluate --task tagging --model ner --data ner.txt --predictions p.jsonl --json");
  ASSERT_EQ(measured.status, 0) << measured.error;
  for (const char* part : {"\nPER ", "\nLOC ", "\"f1\": ", "\"examples\": 20"})
    EXPECT_NE(measured.out.find(part), std::string::npos) << part << " in\n" << measured.out;
  EXPECT_NE(read_file(folder_ / "p.jsonl", 1 << 20).find(R"("tags": ["O", "B-LOC"])"),
            std::string::npos);
  const Finished said = run("predict --task tagging --model ner", "砚台好\n\n");
  EXPECT_EQ(said.status, 0) << said.error;
  EXPECT_TRUE(said.out.starts_with(R"({"entities": )")) << said.out;
  EXPECT_EQ(std::count(said.out.begin(), said.out.end(), '\n'), 2);
}

TEST_F(Tagging, SaysWhatAModelWasNotTrainedFor) {
  ASSERT_EQ(tune("tagging", "ner.txt", "ner").status, 0);
  expect_failure("evaluate --model ner --data train.tsv", 1, {"does not classify"});
  expect_failure("evaluate --task word-order --model ner --data ner.txt", 1,
                 {"does not correct word order", "--task word-order"});
  expect_failure("predict --task tagging --model base", 1, {"does not tag", "--task tagging"},
                 "砚");
  expect_failure("finetune --task tagging --model base --train train.tsv --dev train.tsv --out x",
                 1, {"train.tsv: expected tags O, B-TYPE and I-TYPE"});
  expect_failure("finetune --task word-order --model base --train ner.txt --out x", 1,
                 {"ner.txt:2: unknown label 'B-LOC'; known labels: O, B, I, E"});
  expect_failure(
      "finetune --task taging --model base --train ner.txt --out x", 2,
      {"--task: expected classification, multi-label, reading, regression, tagging or word-order",
       "did you mean tagging"});
}

TEST_F(Tagging, AStudentLearnsIt) {
  ASSERT_EQ(tune("tagging", "ner.txt", "ner").status, 0);
  write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]}, "task": "tagging",
      "TrainingConfig": {"num_epochs": 1}})");
  const std::string distill =
      "distill --config d.json --teacher ner --train ner.txt --dev ner.txt --out ";
  const Finished f = run(distill + "student --json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find(R"("f1": )"), std::string::npos) << f.out;
  EXPECT_EQ(run("evaluate --task tagging --model student --data ner.txt").status, 0);
  expect_failure(distill + "other --task word-order", 1,
                 {"ner does not do the task word-order", "does not correct word order"});
  expect_failure(distill + "other --task taging", 2, {"did you mean tagging"});
}

TEST_F(Tagging, WordOrderFromTextToCorrections) {
  std::string text;
  const std::vector<std::string> words = {"砚台", "墨", "纸", "好纸", "好墨", "坏"};
  for (size_t i = 0; i < 216; ++i)
    text += words[i % 6] + words[i / 6 % 6] + words[i / 36] + "台好。\n\n";
  write_file(folder_ / "order.txt", text);
  const std::string make = "word-order --text order.txt --dictionary words.txt --out data ";
  const Finished made = run(make + "--corrupt 0.9 --test-sentences 5 --json");
  ASSERT_EQ(made.status, 0) << made.error;
  EXPECT_NE(made.out.find("data/test.txt: 5 sentences, "), std::string::npos) << made.out;
  EXPECT_NE(made.out.find(R"("documents": 216)"), std::string::npos) << made.out;
  const Finished tuned = tune("word-order", "data/train.txt", "corrector");
  ASSERT_EQ(tuned.status, 0) << tuned.error;
  EXPECT_NE(tuned.out.find("sentence accuracy"), std::string::npos) << tuned.out;
  ASSERT_EQ(run("evaluate --task word-order --model corrector --data data/test.txt").status, 0);
  write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]}, "task": "word-order",
      "TrainingConfig": {"num_epochs": 1}})");
  const Finished distilled =
      run("distill --config d.json --teacher corrector --train data/train.txt --dev data/dev.txt "
          "--out student");
  ASSERT_EQ(distilled.status, 0) << distilled.error;
  EXPECT_NE(distilled.out.find("sentence accuracy"), std::string::npos) << distilled.out;
  const Finished said = run("predict --task word-order --model corrector", "砚 台好\n");
  EXPECT_TRUE(said.out.starts_with(R"({"corrected": ")")) << said.out;
  expect_failure(make + "--dev-share 0.6 --test-share 0.5", 1, {"shares of dev and test"});
  expect_failure("word-order --text text.txt --dictionary absent --out x", 1, {"absent"});
}

}  // namespace
}  // namespace ink
