// Studies: what they run, that they go on where they stopped, what they refuse before they begin.
#include <cmath>

#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

class Studies : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    std::string text;
    const std::vector<std::string> words = {"砚台", "墨", "纸", "好纸", "好墨", "坏"};
    for (size_t i = 0; i < 216; ++i)
      text += words[i % 6] + words[i / 6 % 6] + words[i / 36] + "台好。\n\n";
    write_file(folder_ / "order.txt", text);
    write_study(kVariants);
  }

  static constexpr const char* kVariants =
      R"([{"name": "characters", "options": {"objective": "mlm"}}, {"name": "words"}])";
  static constexpr const char* kTasks =
      R"([{"name": "moods", "train": "train.tsv", "test": "train.tsv", "epochs": 2},
          {"name": "word order", "task": "word-order", "text": "order.txt", "dictionary":
           "words.txt", "train-sentences": 40, "learning_rate": 0.001, "epochs": 1}])";

  void write_study(const std::string& variants, const std::string& tasks = kTasks,
                   const std::string& more = R"("steps_scored": [0, 3, 6])",
                   const std::string& base = R"("steps": 6)") const {
    write_file(folder_ / "study.json",
               R"({"title": "Masks & more", "out": "study", "seeds": [1, 2], "base": {
                  "architecture": "small.json", "vocab": "vocab.txt", "text": ["order.txt"],
                  "dictionary": "words.txt", "batch-tokens": 128, )" +
                   base + R"(}, "variants": )" + variants + R"(, "tasks": )" + tasks + ", " + more +
                   "}");
  }
  Json results() const {
    return parse_json(read_file(folder_ / "study" / "results.json", 1 << 24), "results.json");
  }
  void expect_refused(int status, const std::vector<std::string>& parts) const {
    expect_failure("study study.json", status, parts);
    EXPECT_FALSE(fs::exists(folder_ / "study")) << "something was run";
  }
};

// How often a line of stdout tells of a new score.
int64_t scored(const Finished& f) {
  int64_t count = 0;
  for (size_t at = f.out.find(", seed "); at != std::string::npos;
       at = f.out.find(", seed ", at + 1))
    ++count;
  return count;
}

TEST_F(Studies, ScoreEveryVariantSeedStepAndTask) {
  const Finished f = run("study study.json --json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(scored(f), 2 * 2 * 3 * 2);
  const Json r = results();
  ASSERT_EQ(r.array("scores").size(), 24u);
  ASSERT_EQ(r.array("summary").size(), 12u);
  for (const Json& average : r.array("summary").items()) {
    std::vector<double> values;
    for (const Json& s : r.array("scores").items()) {
      EXPECT_EQ(s.real("score"),
                s.object("metrics").real(s.string("task") == "moods" ? "accuracy" : "f1"));
      if (s.string("variant") == average.string("variant") &&
          s.string("task") == average.string("task") &&
          s.integer("step") == average.integer("step"))
        values.push_back(s.real("score"));
    }
    ASSERT_EQ(values.size(), 2u);
    EXPECT_DOUBLE_EQ(average.real("mean"), (values[0] + values[1]) / 2);
    EXPECT_NEAR(average.real("deviation"), std::abs(values[0] - values[1]) / std::sqrt(2.0), 1e-12);
  }
  const std::string page = read_file(folder_ / "study" / "report.html", 1 << 24);
  for (const char* part : {"<h1>Masks &amp; more</h1>", "<h2>word order</h2>",
                           "<td>characters</td>", "<th>step 6</th>", " ± ", "<polyline"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST_F(Studies, UntrainedModelsOfASeedAreAlike) {
  ASSERT_EQ(run("study study.json").status, 0);
  const auto weights = [&](const char* cell) {
    return read_file(folder_ / "study" / "models" / cell / "model.safetensors", 1 << 26);
  };
  EXPECT_EQ(weights("words-seed-1/step-0"), weights("characters-seed-1/step-0"));
  EXPECT_NE(weights("words-seed-1/step-0"), weights("words-seed-2/step-0"));
  EXPECT_NE(weights("words-seed-1/step-3"), weights("characters-seed-1/step-3"));
  EXPECT_EQ(weights("words-seed-1/step-6"), weights("words-seed-1"));
}

TEST_F(Studies, DoNothingTwiceAndGoOnWithMore) {
  write_study(R"([{"name": "words"}])");
  ASSERT_EQ(scored(run("study study.json")), 12);
  const std::string before = read_file(folder_ / "study" / "results.json", 1 << 24);
  EXPECT_EQ(scored(run("study study.json")), 0);
  EXPECT_EQ(read_file(folder_ / "study" / "results.json", 1 << 24), before);
  write_study(kVariants);
  const Finished size = run("study study.json --check");
  EXPECT_NE(size.out.find("4 models to pre-train, 24 scores, 12 of them done"), std::string::npos)
      << size.out;
  EXPECT_EQ(scored(run("study study.json")), 12);
}

TEST_F(Studies, GoOnWhereTheyWereInterrupted) {
  write_study(R"([{"name": "words"}])", kTasks, R"("steps_scored": [400])", R"("steps": 400)");
  ASSERT_EQ(run("study study.json").status, 0);
  const Json undisturbed = results();
  fs::remove_all(folder_ / "study");
  const Finished stopped = shell(
      "$INK study study.json --json & pid=$!\nuntil [ -s "
      "study/models/words-seed-1/training/log.jsonl"
      " ] || ! kill -0 $pid; do sleep 0.01; done\nkill -INT $pid\nwait $pid\n");
  EXPECT_EQ(stopped.status, 130) << stopped.error;
  EXPECT_NE(stopped.error.find("study: stopped; the same command goes on"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "study/models/words-seed-1/config.json"));
  const Finished f = run("study study.json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.error.find("resumed at step"), std::string::npos) << f.error;
  EXPECT_EQ(results(), undisturbed);
}

TEST_F(Studies, RefuseOtherOptionsInTheSameFolder) {
  write_study(R"([{"name": "words"}])");
  ASSERT_EQ(run("study study.json").status, 0);
  write_study(R"([{"name": "words", "options": {"learning_rate": 0.01}}])");
  expect_failure("study study.json", 1,
                 {"the scores of words on moods were made with other options"});
  fs::remove(folder_ / "study" / "results.json");
  expect_last_line("study study.json", 1, {"words-seed-1", "learning-rate"});
  write_study(R"([{"name": "words"}])", kTasks, R"("steps_scored": [2])");
  expect_last_line("study study.json", 1, {"was trained without keeping step 2"});
}

TEST_F(Studies, RefuseNonsenseBeforeAnythingRuns) {
  write_study(R"([{"name": "a", "options": {"objectiv": "mlm"}}])");
  expect_refused(2,
                 {"study.json: a: 'objectiv' is no option of 'pretrain'; did you mean objective?"});
  write_study(R"([{"name": "a", "options": {"objective": "mlm,wwm"}}])");
  expect_refused(2, {"study.json: a: "});
  write_study(R"([{"name": "a", "options": {"objective": "mlm", "granularity": "word"}}])");
  expect_refused(2, {"study.json: a: ", "--granularity"});
  write_study(R"([{"name": "a", "options": {"mask_fraction": 2}}])");
  expect_refused(2, {"study.json: a: mask-fraction: expected a number from 0 to 1, got '2'"});
  write_study(R"([{"name": "a", "options": {"out": "x"}}])");
  expect_refused(2, {"study.json: a: 'out' is what the study itself decides"});
  write_study(R"([{"name": "a"}, {"name": "a"}])");
  expect_refused(2, {"variants", "expected different names, got 'a' twice"});
  write_study(R"([{"name": "a/b"}])");
  expect_refused(2, {"expected a name without '/'"});
  write_study(R"([{"name": "a", "option": {}}])");
  expect_refused(2, {"unknown key 'option'; did you mean 'options'?"});
  write_study(R"([])");
  expect_refused(2, {"expected one or more variants and tasks"});
  write_study(kVariants, kTasks, R"("steps_scored": [7])");
  expect_refused(2, {"steps_scored: expected at most the 6 steps of 'characters', got 7"});
  write_study(kVariants, kTasks, R"("step_scored": [6])");
  expect_refused(2, {"unknown key 'step_scored'; did you mean 'steps_scored'?"});
  write_study(kVariants, R"([{"name": "t", "train": "train.tsv", "test": "absent.tsv"}])");
  expect_refused(2, {"t: test: there is no file absent.tsv"});
  write_study(kVariants, R"([{"name": "t", "train": "train.tsv"}])");
  expect_refused(2, {"t: expected a test or dev file to score"});
  write_study(kVariants,
              R"([{"name": "t", "train": "train.tsv", "dev": "train.tsv", "epoch": 1}])");
  expect_refused(2, {"study.json: t: 'epoch' is no option of 'finetune'; did you mean epochs?"});
  write_study(kVariants, R"([{"name": "t", "text": "order.txt"}])");
  expect_refused(2, {"t: text goes with task \"word-order\""});
  write_study(kVariants, kTasks, R"("steps_scored": [6])", R"("steps": 6, "steps": 7)");
  expect_refused(2, {"steps"});
  expect_failure("study absent.json", 2, {"absent.json"});
}

TEST_F(Studies, ThoseOfTheExamplesAreAccepted) {
  create_folders(folder_ / "demo" / "text");
  for (const char* name : {"architecture.json", "vocab.txt", "words.txt", "similar.txt",
                           "text/text.txt", "text/train.tsv", "text/dev.tsv", "text/test.tsv"})
    write_file(folder_ / "demo" / name, "");
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(INK_SOURCE_DIR) / "examples/studies")) {
    const Finished f = run("study '" + entry.path().string() + "' --check");
    EXPECT_EQ(f.status, 0) << f.error;
    ++count;
  }
  EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace ink
