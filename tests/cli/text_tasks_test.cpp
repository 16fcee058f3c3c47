// Regression and several labels through the program: training, measuring, predicting, a student.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

class TextTasks : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
    write_file(folder_ / "scores.tsv",
               "score\tsentence1\tsentence2\n5\t砚台好\t砚好\n0.5\t砚台坏\t墨\n4.5\t墨好\t好墨\n"
               "1\t纸坏\t好\n");
    write_file(
        folder_ / "lists.jsonl",
        "{\"text\": \"砚台好\", \"labels\": [\"stone\", \"good\"]}\n"
        "{\"text\": \"墨坏\", \"labels\": []}\n"
        "{\"text\": \"砚坏\", \"labels\": \"stone\"}\n{\"text\": \"好\", \"labels\": \"good\"}\n");
  }
  Finished tune(const std::string& task, const std::string& data) const {
    return run("finetune --model base --epochs 2 --task " + task + " --train " + data + " --dev " +
               data + " --out " + task);
  }
};

TEST_F(TextTasks, NumbersAreLearnedMeasuredAndSaid) {
  const Finished tuned = tune("regression", "scores.tsv");
  ASSERT_EQ(tuned.status, 0) << tuned.error;
  EXPECT_TRUE(tuned.out.starts_with("regression: pearson ")) << tuned.out;
  EXPECT_EQ(tuned.out.find('%'), std::string::npos) << tuned.out;
  const Finished measured =
      run("evaluate --task regression --model regression --data scores.tsv --predictions p.jsonl "
          "--json");
  ASSERT_EQ(measured.status, 0) << measured.error;
  EXPECT_NE(measured.out.find("\"spearman\": "), std::string::npos) << measured.out;
  EXPECT_TRUE(read_file(folder_ / "p.jsonl", 1 << 20)
                  .starts_with(R"({"line": 2, "score": 5.0, "predicted": )"));
  const Finished said = run("predict --task regression --model regression", "砚台好\t砚好\n好\n");
  EXPECT_TRUE(said.out.starts_with(R"({"score": )")) << said.out << said.error;
  EXPECT_EQ(std::count(said.out.begin(), said.out.end(), '\n'), 2);

  write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]}, "task": "regression",
      "TrainingConfig": {"num_epochs": 1}})");
  const std::string distill =
      "distill --config d.json --teacher regression --train scores.tsv --dev scores.tsv ";
  const Finished explained = run(distill + "--explain --out student");
  EXPECT_NE(explained.out.find("kd_loss_type \"regression\""), std::string::npos)
      << explained.out << explained.error;
  const Finished student = run(distill + "--out student --json");
  ASSERT_EQ(student.status, 0) << student.error;
  EXPECT_NE(student.out.find("\"pearson\": "), std::string::npos) << student.out;
  EXPECT_EQ(run("evaluate --task regression --model student --data scores.tsv").status, 0);
}

TEST_F(TextTasks, SeveralLabelsAreLearnedMeasuredAndSaid) {
  const Finished tuned = tune("multi-label", "lists.jsonl");
  ASSERT_EQ(tuned.status, 0) << tuned.error;
  EXPECT_NE(tuned.out.find(" %, exact match "), std::string::npos) << tuned.out;
  const Finished measured =
      run("evaluate --task multi-label --model multi-label --data lists.jsonl --threshold 0");
  ASSERT_EQ(measured.status, 0) << measured.error;
  EXPECT_NE(measured.out.find("micro F1 66.67 %"), std::string::npos) << "all labels are said";
  EXPECT_NE(measured.out.find("\nstone "), std::string::npos) << measured.out;
  const Finished said =
      run("predict --task multi-label --model multi-label --threshold 1", "砚台好\n");
  EXPECT_TRUE(said.out.starts_with(R"({"labels": [], "probabilities": {"good": )"))
      << said.out << said.error;
  write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]}, "task": "multi-label",
      "TrainingConfig": {"num_epochs": 1}})");
  const Finished student = run(
      "distill --config d.json --teacher multi-label --train lists.jsonl --dev lists.jsonl --out "
      "student");
  ASSERT_EQ(student.status, 0) << student.error;
  EXPECT_NE(student.out.find("exact match"), std::string::npos) << student.out;
}

TEST_F(TextTasks, SaysWhatIsWrongWithLabelsAndModels) {
  ASSERT_EQ(tune("multi-label", "lists.jsonl").status, 0);
  write_file(folder_ / "odd.tsv", "stone\t砚\nstone, sky\t墨\n");
  expect_failure("evaluate --task multi-label --model multi-label --data odd.tsv", 1,
                 {"odd.tsv:2: unknown label 'sky'; known labels: good, stone"});
  expect_failure("finetune --task regression --model base --train odd.tsv --out x", 1,
                 {"odd.tsv:1: expected a number as label, such as 3.8, got 'stone'"});
  expect_failure(
      "evaluate --model multi-label --data train.tsv", 1,
      {"expected a model of the task classification", "its task (--task) is multi-label"});
  expect_failure("predict --task regression --model multi-label", 1,
                 {"expected a model of the task regression"}, "砚\n");
  expect_failure("predict --task multi-label --model multi-label --threshold 2", 2, {"--threshold"},
                 "砚\n");
}

TEST_F(TextTasks, AnotherTaskLeavesNothingOfTheFormer) {
  ASSERT_EQ(tune("multi-label", "lists.jsonl").status, 0);
  write_file(folder_ / "qa.json", R"({"data": [{"paragraphs": [{"context": "砚台好", "qas": [
      {"question": "好", "answers": [{"text": "砚", "answer_start": 0}]}]}]}]})");
  const Finished tuned =
      run("finetune --task reading --model multi-label --train qa.json --dev qa.json --epochs 1 "
          "--out reader");
  ASSERT_EQ(tuned.status, 0) << tuned.error;
  const Json config =
      parse_json(read_file(folder_ / "reader" / "config.json", 1 << 20), "config.json");
  for (const char* key : {"problem_type", "id2label", "label2id"})
    EXPECT_FALSE(config.has(key)) << key;
}

}  // namespace
}  // namespace ink
