// Reading comprehension through the program: training, measuring, answering, a student.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

TEST_F(Cli, QuestionsAreLearnedMeasuredAndAnswered) {
  ASSERT_EQ(pretrain().status, 0);
  write_file(folder_ / "qa.json", R"({"data": [{"paragraphs": [
      {"context": "砚台好。墨坏。", "qas": [
        {"id": "1", "question": "好", "answers": [{"text": "砚台", "answer_start": 0}]},
        {"id": "2", "question": "坏", "answers": [{"text": "墨", "answer_start": 4}]}]}]}]})");
  const std::string data = " --task reading --train qa.json --dev qa.json ";
  const Finished tuned = run("finetune --model base --epochs 1 --out reader" + data);
  ASSERT_EQ(tuned.status, 0) << tuned.error;
  EXPECT_NE(tuned.out.find("exact match "), std::string::npos) << tuned.out;
  const Finished measured =
      run("evaluate --task reading --model reader --data qa.json --predictions p.jsonl --json");
  ASSERT_EQ(measured.status, 0) << measured.error;
  EXPECT_NE(measured.out.find("\"examples\": 2"), std::string::npos) << measured.out;
  EXPECT_TRUE(read_file(folder_ / "p.jsonl", 1 << 20)
                  .starts_with(R"({"id": "1", "answers": ["砚台"], "predicted": ")"));
  const Finished said = run("predict --task reading --model reader", "好\t砚台好。\n");
  EXPECT_TRUE(said.out.starts_with(R"({"answer": ")")) << said.out << said.error;
  expect_failure("predict --task reading --model reader", 1,
                 {"line 1: expected a question and behind a tab the text"}, "好\n");
  expect_failure("evaluate --task reading --model reader --data train.tsv", 1, {"train.tsv"});
  expect_failure("evaluate --task reading --model reader --data qa.json --threshold 0.9", 2,
                 {"--threshold: says nothing about --task reading; it is for --task multi-label"});
  expect_failure("predict --task reading --model reader --columns text", 2,
                 {"--columns: says nothing about --task reading, whose files have no such fields"});
  expect_failure("evaluate --task reading --model base --data qa.json", 1,
                 {"does not answer questions", "--task reading first"});
  write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]}, "task": "reading",
      "TrainingConfig": {"num_epochs": 1}})");
  const Finished student =
      run("distill --config d.json --teacher reader --out student --json" + data);
  ASSERT_EQ(student.status, 0) << student.error;
  EXPECT_NE(student.out.find("\"exact_match\": "), std::string::npos) << student.out;
  EXPECT_EQ(run("evaluate --task reading --model student --data qa.json").status, 0);
}

}  // namespace
}  // namespace ink
