// Numbers and several labels of whole texts: learned, saved as transformers does, judged, said.
#include "tasks/text_task.h"

#include <gtest/gtest.h>

#include <cmath>

#include "nn/session.h"
#include "tests/tasks/helpers.h"
#include "tests/tasks/relabelled.h"

namespace ink {
namespace {

FinetuneOptions options_for(const ToyTask& toy, const Task& task, const std::string& out) {
  FinetuneOptions options = toy.options(out);
  options.task = &task;
  return options;
}

std::string key_text(int key) { return ToyTask::character(ToyTask::kCharacters + key); }

ModelConfig whole_text_config(const char* type, std::vector<std::string> labels) {
  ModelConfig c;
  c.architectures = {"BertForSequenceClassification"};
  c.problem_type = type;
  c.labels = std::move(labels);
  return c;
}

TEST(Regression, LearnsSavesAndSaysNumbers) {
  const ToyTask toy("regression");
  relabel(toy, kAsNumbers);
  const FinetuneResult result = finetune(options_for(toy, regression_task(), "out"));
  EXPECT_GT(result.dev.metric("pearson"), 0.9);
  EXPECT_GT(result.dev.metric("spearman"), 0.8);
  EXPECT_EQ(result.dev.score, result.dev.metric("pearson"));
  EXPECT_LT(result.dev.metric("loss"), 0.3);
  const Json config =
      parse_json(read_file(toy.folder / "out" / "config.json", 1 << 20), "config.json");
  EXPECT_EQ(config.string("problem_type"), "regression");
  EXPECT_EQ(config["id2label"].to_string(), R"({"0": "LABEL_0"})");

  const Session session(toy.folder / "out");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "out");
  const std::vector<Json> said =
      regression_task().predict(session.model(), {key_text(0), key_text(2)}, 1, {tokenizer, 16});
  EXPECT_NEAR(said.at(0).real("score"), -1, 0.7);
  EXPECT_NEAR(said.at(1).real("score"), 2, 0.7);

  // it goes on learning, and its head is replaced for another task
  FinetuneOptions again = options_for(toy, regression_task(), "again");
  again.model = toy.folder / "out";
  again.fit.epochs = 1;
  again.fit.learning_rate = 1e-4;
  EXPECT_GT(finetune(again).dev.score, 0.9);
  relabel(toy, {{"-1", "a"}, {"0.5", "b"}, {"2", "c"}});
  again.task = &classification_task();
  again.out = toy.folder / "classes";
  EXPECT_EQ(finetune(again).labels.size(), 3);
}

TEST(Regression, JudgesByCorrelationAndSquaredErrors) {
  const ToyTask toy("regression_scores");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "model");
  write_file(toy.folder / "three.tsv", "1\tx\n2\ty\n4\tz\n");
  const TaskSet set =
      regression_task().read(toy.folder / "three.tsv", {}, label_of_numbers(), {tokenizer, 16});
  const auto says = [](std::vector<float> numbers) {
    return [numbers](const FeatureBatch& batch) {
      Tensor said({std::ssize(batch.rows), 1});
      for (size_t b = 0; b < batch.rows.size(); ++b)
        said.data<float>()[b] = numbers.at(static_cast<size_t>(batch.rows[b]));
      return said;
    };
  };
  const Judged judged = set.judge_logits(says({3, 5, 9}));  // twice, and one more
  EXPECT_NEAR(judged.scores.metric("pearson"), 1, 1e-12);
  EXPECT_NEAR(judged.scores.metric("loss"), (4 + 9 + 25) / 3.0, 1e-6);
  EXPECT_EQ(judged.prediction(1).to_string(), R"({"line": 2, "score": 2.0, "predicted": 5.0})");
  EXPECT_EQ(set.judge_logits(says({1, 1, 1})).scores.score, 0);
  EXPECT_ERROR(set.judge_logits(says({1, NAN, 1})), "the model gives nan for line 2");
  EXPECT_EQ(regression_task().trivial(set).score, 0);
}

TEST(MultiLabel, LearnsSavesAndSaysLabels) {
  const ToyTask toy("multi_label");
  relabel(toy, kAsLists);
  const FinetuneResult result = finetune(options_for(toy, multi_label_task(), "out"));
  EXPECT_EQ(result.labels.names(), (std::vector<std::string>{"first", "last"}));
  EXPECT_GT(result.dev.metric("micro_f1"), 0.9);
  EXPECT_GT(result.dev.metric("exact_match"), 0.85);
  EXPECT_EQ(result.dev.score, result.dev.metric("micro_f1"));
  EXPECT_EQ(result.dev.classes.size(), 2u);
  EXPECT_EQ(ModelConfig::read(toy.folder / "out" / "config.json").problem_type,
            "multi_label_classification");

  const Session session(toy.folder / "out");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "out");
  const auto said = [&](double threshold) {
    return multi_label_task().predict(session.model(), {key_text(1), key_text(2)}, 1,
                                      {tokenizer, 16, threshold});
  };
  EXPECT_EQ(said(0.5).at(0)["labels"].to_string(), R"(["first", "last"])");
  EXPECT_EQ(said(0.5).at(1)["labels"].to_string(), "[]");
  EXPECT_EQ(said(0).at(1)["labels"].size(), 2u);
  EXPECT_LT(said(0.5).at(1)["probabilities"].real("first"), 0.5);
}

TEST(MultiLabel, CountsLabelsOneByOneAndTogether) {
  const ToyTask toy("multi_label_scores");
  write_file(toy.folder / "four.tsv", "a\tx\na,b\ty\n\tz\nb\tw\n");
  const Tokenizer tokenizer = Tokenizer::load(toy.folder / "model");
  const Labels labels({"a", "b", "never"});
  const TaskSet set =
      multi_label_task().read(toy.folder / "four.tsv", {}, labels, {tokenizer, 16, 0.7});
  // probabilities σ(1) = 0.73 of a and b everywhere, σ(0.5) = 0.62 of the third: a, b are said
  const Judged judged = set.judge_logits([](const FeatureBatch& batch) {
    Tensor said({std::ssize(batch.rows), 3});
    for (int64_t i = 0; i < said.size(); ++i) said.data<float>()[i] = i % 3 == 2 ? 0.5F : 1.0F;
    return said;
  });
  const Scores& s = judged.scores;
  EXPECT_NEAR(s.metric("micro_f1"), 2 * 4.0 / (4 + 8), 1e-12);
  EXPECT_NEAR(s.metric("macro_f1"), 2.0 / 3, 1e-12) << "of the labels that occur";
  EXPECT_NEAR(s.metric("exact_match"), 0.25, 1e-12);
  const double loss = (8 * std::log1p(std::exp(1.0)) - 4 + 4 * std::log1p(std::exp(0.5))) / 12;
  EXPECT_NEAR(s.metric("loss"), loss, 1e-6);
  EXPECT_EQ(s.classes.at(0).second.support, 2);
  EXPECT_EQ(judged.prediction(0).to_string(),
            R"({"line": 1, "labels": ["a"], "predicted": ["a", "b"]})");
  const Trivial trivial = multi_label_task().trivial(set);
  EXPECT_NEAR(trivial.score, 2.0 / 3, 1e-12);
  EXPECT_EQ(trivial.says, "always a, b");
}

TEST(TextTasks, HeadsAreKnownByTheirProblemType) {
  const ModelConfig number = whole_text_config("regression", {"LABEL_0"}),
                    untold = whole_text_config("", {"LABEL_0"}),
                    several = whole_text_config("multi_label_classification", {}),
                    one = whole_text_config("", {"a", "b", "c"});
  EXPECT_EQ(regression_task().labels_of(number).size(), 1);
  EXPECT_EQ(regression_task().labels_of(untold).size(), 1) << "transformers leaves the type open";
  EXPECT_EQ(multi_label_task().labels_of(several).names(),
            (std::vector<std::string>{"LABEL_0", "LABEL_1"}));
  EXPECT_TRUE(classification_task().done_by(one));
  EXPECT_FALSE(classification_task().done_by(untold));
  EXPECT_FALSE(multi_label_task().done_by(one));
  EXPECT_ERROR(regression_task().labels_of(several),
               "expected a model of the task regression, got problem_type "
               "multi_label_classification; its task (--task) is multi-label");
  EXPECT_ERROR(multi_label_task().labels_of(one),
               "got problem_type single_label_classification (several labels); its task (--task) "
               "is classification");
  EXPECT_ERROR(regression_task().labels_of(whole_text_config("regression", {"x", "y"})),
               "expected a model that gives each text one number, got 2 labels");
  EXPECT_ERROR(regression_task().labels_of(ModelConfig()),
               "run inkstone finetune --task regression first");
}

TEST(TextTasks, NothingToLearnIsNoticedBeforeTraining) {
  const ToyTask toy("nothing_to_learn");
  const auto refused = [&](const Task& task, const std::string& data, const char* message) {
    for (const char* file : {"train.tsv", "dev.tsv"}) write_file(toy.folder / file, data);
    EXPECT_ERROR(finetune(options_for(toy, task, "out")), message);
  };
  refused(regression_task(), "2\tx\n2\ty\n", "found only 2");
  refused(regression_task(), "2\tx\ngood\ty\n", "train.tsv:2: expected a number as label");
  refused(multi_label_task(), "[]\tx\n\ty\n", "found examples without any only");
  EXPECT_FALSE(std::filesystem::exists(toy.folder / "out"));
}

TEST(Features, NumbersAreBatchedAndForgotten) {
  const ToyTask toy("number_features");
  const Features f(parse_examples("a\tx\nb\ty\n", "d.tsv", false, {.kind = LabelKind::several}),
                   Tokenizer::load(toy.folder / "model"), 16);
  const std::vector<int64_t> rows = {1, 0};
  const FeatureBatch batch = f.batch(rows);
  EXPECT_EQ(batch.labels.shape(), (Shape{2, 2}));
  EXPECT_EQ(to_vector<float>(batch.labels), (std::vector<float>{0, 1, 1, 0}));
  EXPECT_EQ(f.decisions(0), 1);
  EXPECT_TRUE(f.labelled(0));
  Feature copy = f[0];
  forget_label(copy, f[0]);
  EXPECT_FALSE(Features({copy}).labelled(0));
  EXPECT_NE(Features({copy}).digest(), Features({f[0]}).digest());
}

}  // namespace
}  // namespace ink
