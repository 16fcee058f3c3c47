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
                           "<td>characters</td>", "<th>step 6</th>", " ± ", "<polyline",
                           "every seed, and the mean", "<circle", "<th>options</th>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

// The untrained model is scored once, not for every objective; each variant has its row.
TEST_F(Studies, AVariantMayBeScoredAtItsOwnSteps) {
  write_study(R"([{"name": "untrained", "options": {"steps": 1}, "steps_scored": [0]},
                  {"name": "characters", "options": {"objective": "mlm"}}, {"name": "words"}])",
              kTasks, R"("steps_scored": [6])");
  const Finished size = run("study study.json --check");
  EXPECT_NE(size.out.find("6 models to pre-train, 12 scores"), std::string::npos) << size.out;
  const Finished f = run("study study.json");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(scored(f), 12);
  const auto models = folder_ / "study" / "models";
  EXPECT_TRUE(fs::exists(models / "untrained-seed-1" / "step-0"));
  EXPECT_FALSE(fs::exists(models / "words-seed-1" / "step-0"));
  const Json summary = results().array("summary");
  const auto steps_of = [&](const char* name) {
    std::vector<int64_t> steps;
    for (const Json& s : summary.items())
      if (s.string("variant") == name && s.string("task") == "moods")
        steps.push_back(s.integer("step"));
    return steps;
  };
  EXPECT_EQ(steps_of("untrained"), std::vector<int64_t>{0});
  EXPECT_EQ(steps_of("words"), std::vector<int64_t>{6});
  const std::string page = read_file(folder_ / "study" / "report.html", 1 << 24);
  EXPECT_EQ(page.find("<polyline"), std::string::npos) << "a curve of single points";
  write_study(R"([{"name": "a", "steps_scored": [7]}])", kTasks, R"("steps_scored": [6])");
  expect_failure("study study.json", 2, {"steps_scored: expected at most the 6 steps of a, got 7"});
}

// A page that was written before all seeds were done.
TEST_F(Studies, SayOfHowManySeedsAMeanIs) {
  write_study(R"([{"name": "words"}])", kTasks, R"("steps_scored": [6])");
  const fs::path second = folder_ / "study" / "models" / "words-seed-2";
  create_folders(second.parent_path());
  write_file(second, "no folder");
  EXPECT_EQ(run("study study.json").status, 1);
  const auto page = [&] { return read_file(folder_ / "study" / "report.html", 1 << 24); };
  EXPECT_NE(page().find(" (of 1)</td>"), std::string::npos) << page();
  fs::remove(second);
  ASSERT_EQ(run("study study.json").status, 0);
  EXPECT_EQ(page().find("(of "), std::string::npos) << page();
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

// Only scores are asked for; a model is made for those that are missing.
TEST_F(Studies, NeedNoModelWhoseScoresAreAllThere) {
  EXPECT_EQ(run("study study.json").status, 0);
  fs::remove_all(folder_ / "study" / "models");
  const Finished again = run("study study.json");
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(scored(again), 0);
  EXPECT_FALSE(fs::exists(folder_ / "study" / "models"));
}

// A fine-tuning that was interrupted is begun anew when its options are other ones now.
TEST_F(Studies, AnInterruptedFineTuningMayBeChanged) {
  const fs::path tuned = folder_ / "study" / "models" / "characters-seed-1" / "tuned-0-moods";
  fs::create_directories(tuned / "training");
  write_file(tuned / "study.json", R"({"epochs": 400})");
  write_file(tuned / "training" / "remains.txt", "of a run of 400 epochs");
  EXPECT_EQ(run("study study.json").status, 0);
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
                 {"the scores of words were made with learning-rate 1e-04, now 0.01"});
  fs::remove(folder_ / "study" / "results.json");
  expect_last_line("study study.json", 1, {"words-seed-1", "learning-rate 1e-04, now 0.01"});
  write_study(R"([{"name": "words"}])", kTasks, R"("steps_scored": [2])");
  expect_last_line("study study.json", 1, {"was trained without keeping step 2"});
}

TEST_F(Studies, NoticeFilesThatHaveChanged) {
  write_study(R"([{"name": "words"}])");
  ASSERT_EQ(run("study study.json").status, 0);
  const auto with = [&](const char* file, const std::string& more, const std::string& message) {
    const std::string before = read_file(folder_ / file, 1 << 24);
    write_file(folder_ / file, before + more);
    expect_failure("study study.json --check", 1, {message});
    write_file(folder_ / file, before);
  };
  with("order.txt", "砚。\n", "the scores of words were made with another order.txt");
  with("words.txt", "坏纸 5\n", "the scores of words were made with another words.txt");
  with("small.json", "\n", "the scores of words were made with another small.json");
  with("train.tsv", "good\t好\n", "the scores of moods were made with another train.tsv");
  EXPECT_EQ(run("study study.json --check").status, 0);
  fs::remove(folder_ / "study" / "results.json");
  write_file(folder_ / "order.txt", read_file(folder_ / "order.txt", 1 << 24) + "砚。\n");
  expect_last_line("study study.json", 1, {"word order was made with another order.txt"});
}

// Options that are the same in another order, or said though they are the defaults, are the same.
TEST_F(Studies, GoOnWithTheSameOptionsInOtherWords) {
  write_study(R"([{"name": "words", "options": {"warmup": 0.5, "clip": 2}}])");
  ASSERT_EQ(run("study study.json").status, 0);
  write_study(R"([{"name": "words", "options": {"clip": 2.0, "log-every": 3, "objective": "wwm",
                   "mask_fraction": 0.15, "warmup": 0.5, "optimizer": "adamw"}}])",
              R"([{"epochs": 2, "test": "train.tsv", "task": "classification", "train": "train.tsv",
                   "name": "moods"},
                  {"name": "word order", "task": "word-order", "text": ["order.txt"], "dictionary":
                   "words.txt", "learning-rate": 1e-3, "train-sentences": 40, "epochs": 1}])");
  const Finished f = run("study study.json");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(scored(f), 0);
}

// A sixth of the tokens is XLNet's default, not the 0.15 of the others.
TEST_F(Studies, KnowWhatADefaultDependsOn) {
  write_file(folder_ / "xlnet.json",
             R"({"model_type": "xlnet", "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 32})");
  const std::string base = R"("steps": 6, "architecture": "xlnet.json")";
  const std::string
      plain = R"([{"name": "a", "options": {"objective": "plm", )" + base + "}}]",
      said = R"([{"name": "a", "options": {"objective": "plm", "mask-fraction": 0.15, )" + base +
             "}}]";
  const std::string tasks = R"([{"name": "m", "train": "train.tsv", "test": "train.tsv"}])";
  write_study(plain, tasks);
  ASSERT_EQ(run("study study.json").status, 0) << run("study study.json").error;
  write_study(said, tasks);
  expect_failure("study study.json", 1, {"mask_fraction 0.1666", "now 0.15"});
}

TEST_F(Studies, AVariantThatFailedCanBeMended) {
  const std::string tasks = R"([{"name": "m", "train": "train.tsv", "test": "train.tsv"}])";
  // Only when it is read does the text show that it is too short.
  const std::string text = read_file(folder_ / "order.txt", 1 << 24);
  write_file(folder_ / "order.txt", "砚台。\n");
  write_study(R"([{"name": "words", "options": {"held-out": 0}}])", tasks);
  expect_last_line("study study.json", 1,
                   {"study.json: variants[0] (words): pre-training: the text has 5 tokens"});
  EXPECT_TRUE(fs::exists(folder_ / "study/models/words-seed-1/study.json"));
  write_file(folder_ / "order.txt", text);
  write_study(R"([{"name": "words", "options": {"held-out": 0, "clip": 2}}])", tasks);
  const Finished f = run("study study.json");
  EXPECT_EQ(f.status, 0) << f.error;
}

TEST_F(Studies, RefuseNonsenseBeforeAnythingRuns) {
  write_study(R"([{"name": "a", "options": {"objectiv": "mlm"}}])");
  expect_refused(2, {"study.json: variants[0]: options: 'objectiv' is no option of 'pretrain'; did "
                     "you mean objective?"});
  write_study(R"([{"name": "a", "options": {"objective": "mlm,wwm"}}])");
  expect_refused(2, {"study.json: variants[0] (a): "});
  write_study(R"([{"name": "a", "options": {"objective": "mlm", "granularity": "word"}}])");
  expect_refused(2, {"study.json: variants[0] (a): ", "--granularity"});
  write_study(R"([{"name": "a", "options": {"mask_fraction": 2}}])");
  expect_refused(2, {"study.json: variants[0]: options: mask_fraction: expected a number from 0 to "
                     "1, got '2'"});
  write_study(R"([{"name": "a", "options": {"out": "x"}}])");
  expect_refused(2, {"variants[0]: options: out: this is what the study itself decides"});
  write_study(R"([{"name": "a"}, {"name": "a"}])");
  expect_refused(2, {"variants", "expected different names, got 'a' twice"});
  write_study(R"([{"name": "a/b"}])");
  expect_refused(2, {"expected a name without '/'"});
  write_study(R"([{"name": "a", "option": {}}])");
  expect_refused(2, {"unknown key 'option'; did you mean 'options'?"});
  write_study(R"([])");
  expect_refused(2, {"expected one or more variants and tasks"});
  write_study(kVariants, kTasks, R"("steps_scored": [7])");
  expect_refused(2, {"steps_scored: expected at most the 6 steps of characters, got 7"});
  write_study(kVariants, kTasks, R"("step_scored": [6])");
  expect_refused(2, {"unknown key 'step_scored'; did you mean 'steps_scored'?"});
  write_study(kVariants, R"([{"name": "t", "train": "train.tsv", "test": "absent.tsv"}])");
  expect_refused(2, {"tasks[0] (t): test: there is no file absent.tsv"});
  write_study(kVariants, R"([{"name": "t", "train": "train.tsv"}])");
  expect_refused(2, {"tasks[0] (t): expected a test or dev file to score"});
  write_study(kVariants,
              R"([{"name": "t", "train": "train.tsv", "dev": "train.tsv", "epoch": 1}])");
  expect_refused(2, {"study.json: tasks[0]: 'epoch' is no option of 'finetune'; did you mean "
                     "epochs?"});
  write_study(kVariants, R"([{"name": "t", "text": "order.txt"}])");
  expect_refused(2, {"tasks[0] (t): text goes with task \"word-order\""});
  write_study(kVariants, kTasks, R"("steps_scored": [6])", R"("steps": 6, "steps": 7)");
  expect_refused(2, {"steps"});
  write_study(kVariants, kTasks, R"("steps_scored": [6])", R"("max-length": 8, "max_length": 9)");
  expect_refused(2, {"study.json: base: max_length: expected once, got twice"});
  expect_failure("study absent.json", 2, {"absent.json"});
}

// What pre-training would find out only when the turn of the variant comes.
TEST_F(Studies, TryEveryVariantAsItsJobWill) {
  const auto refused = [&](const std::string& options, const std::string& part) {
    write_study(R"([{"name": "good"}, {"name": "bad", "options": {)" + options + "}}]");
    expect_refused(2, {"study.json: variants[1] (bad): ", part});
  };
  refused(R"("objective": "rtd")", "rtd needs a discriminator's head");
  refused(R"("objective": "plm")", "plm needs a model of two streams");
  refused(R"("objective": "perlm,mlm", "granularity": "word")", "single tokens are selected");
  refused(R"("mask-share": 0.8, "keep-share": 0.3)", "shares");
  refused(R"("objective": "ngram", "ngram": "0.5,0.3")", "sum of 1");
  refused(R"("stages": "4:0.5,32:0.5", "objective": "wwm,nsp")",
          "expected sequences of at least 5 tokens for two texts");
  refused(R"("stages": "8:0.5,32:0.4")", "add up to 1");
  refused(R"("batch-tokens": 31, "max-length": 32)", "batch_tokens");
  refused(R"("objective": "mac", "similar": "train.tsv")",
          "train.tsv:1: expected a finite number behind each");
  refused(R"("dictionary": "train.tsv")", "train.tsv");
  refused(R"("architecture": "train.tsv")", "train.tsv");
  refused(R"("text": "absent.txt")", "text: there is no file absent.txt");
}

TEST_F(Studies, TryEveryTaskAsItWillBeRead) {
  write_file(folder_ / "other.tsv", "good\t砚\nugly\t墨\n");
  const auto refused = [&](const std::string& options, const std::string& part) {
    write_study(kVariants, R"([{"name": "t", )" + options + "}]");
    expect_refused(2, {"study.json: tasks[0] (t): ", part});
  };
  refused(R"("train": "train.tsv", "test": "other.tsv")", "ugly");
  refused(R"("train": "order.txt", "test": "train.tsv")", "order.txt");
  refused(R"("train": "train.tsv", "test": "train.tsv", "max-length": 33)", "from 4 to 32 tokens");
}

TEST_F(Studies, SayWhereAValueIsOfAnotherKind) {
  const auto refused = [&](const std::string& part) { expect_refused(2, {"study.json: " + part}); };
  write_study(R"(["a"])");
  refused("variants[0]: expected an object, got \"a\"");
  write_study(R"([{"name": 3}])");
  refused("variants[0]: name: expected a string, got 3");
  write_study(R"([{"name": "a", "options": {"steps": "six"}}])");
  refused("variants[0]: options: steps: expected a whole number of at least 1, got 'six'");
  write_study(R"([{"name": "a", "options": {"steps": {"of": 6}}}])");
  refused("variants[0]: options: steps: expected a string, a number, true, false or a list");
  write_study(kVariants, R"([{"name": "t", "train": "train.tsv", "test": ["train.tsv"]}])");
  refused("tasks[0]: test: expected a string, got an array of 1");
  write_study(kVariants,
              R"([{"name": "t", "train": "train.tsv", "test": "train.tsv", "epochs": {}}])");
  refused("tasks[0]: epochs: expected a string, a number");
  write_study(kVariants, kTasks, R"("steps_scored": ["3"])");
  refused("steps_scored[0]: expected an integer, got \"3\"");
  write_study(R"([{"name": "a"},])");
  expect_refused(2, {"study.json:", "not valid JSON: there is a comma before the closing ]"});
}

// On small files of the names that `make demo` and tools/study.sh give theirs.
TEST_F(Studies, ThoseOfTheExamplesAreAccepted) {
  create_folders(folder_ / "demo" / "text");
  create_folders(folder_ / "study" / "text");
  const auto place = [&](const char* from, const char* to) {
    fs::copy_file(folder_ / from, folder_ / to);
  };
  place("small.json", "demo/architecture.json");
  place("vocab.txt", "demo/vocab.txt");
  place("words.txt", "demo/words.txt");
  place("order.txt", "demo/text/text.txt");
  for (const char* name : {"demo/text/train.tsv", "demo/text/dev.tsv", "demo/text/test.tsv"})
    place("train.tsv", name);
  const std::string layers = R"("hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,)"
                             R"("intermediate_size":32,"max_position_embeddings":64)";
  write_file(folder_ / "study/bert.json", '{' + layers + '}');
  write_file(folder_ / "study/electra.json",
             R"({"model_type":"electra","embedding_size":16,)" + layers + '}');
  write_file(folder_ / "study/xlnet.json",
             R"({"model_type":"xlnet","d_model":16,"n_layer":1,"n_head":2,"d_inner":32})");
  place("vocab.txt", "study/vocab.txt");
  place("words.txt", "study/words.txt");
  place("order.txt", "study/order.txt");
  place("order.txt", "study/text/text.txt");
  const Finished vectors =
      run("vectors --text study/text --dictionary study/words.txt --out study/vectors.txt "
          "--neighbours study/similar.txt");
  ASSERT_EQ(vectors.status, 0) << vectors.error;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(INK_SOURCE_DIR) / "examples/studies")) {
    const Finished f = run("study '" + entry.path().string() + "' --check");
    EXPECT_EQ(f.status, 0) << f.error;
    ++count;
  }
  EXPECT_EQ(count, 4);
}

}  // namespace
}  // namespace ink
