// Distillation of tasks about tokens: which rows are compared, by what, and what is refused.
#include <gtest/gtest.h>

#include "autograd/tape.h"
#include "autograd/training_log.h"
#include "compress/distill.h"
#include "compress/teacher.h"
#include "nn/session.h"
#include "tasks/tagged.h"
#include "tensor/ops.h"
#include "tests/compress/distill_options.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_tagging.h"

namespace ink {
namespace {

class DistilledTags : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    task = new ToyTagging("distilled_tags");
    teacher = finetune(task->options("teacher")).dev;
  }
  static void TearDownTestSuite() {
    delete task;
    task = nullptr;
  }
  static DistillOptions options(const std::string& out) {
    DistillOptions o = distillation_like(task->options(out), task->folder / "teacher");
    o.task = &tagging_task();
    o.config.temperature = 2;
    o.student.layers_from_teacher = {1};
    return o;
  }
  // A copy of the teacher under other labels.
  static std::filesystem::path with_labels(const char* name, std::vector<std::string> labels) {
    Model model = load_model(task->folder / "teacher");
    model.config.labels = std::move(labels);
    save_model(model, task->folder / name, task->folder / "model");
    return task->folder / name;
  }

  static inline ToyTagging* task = nullptr;
  static inline Scores teacher;
};

TEST_F(DistilledTags, StudentLearnsTagsAndIsJudgedByF1) {
  DistillOptions o = options("student");
  o.match_evenly = MatchLoss::hidden_mse;
  o.fit.epochs = 4;
  EXPECT_EQ(explanation(plan_distillation(o)).substr(0, 19), "task       tagging\n");
  const DistillResult result = distill(o);
  EXPECT_EQ(result.teachers.each[0].metric("f1"), teacher.metric("f1"));
  EXPECT_GT(result.student.dev.metric("f1"), 0.9);
  EXPECT_EQ(result.student.dev.score, result.student.dev.metric("f1"));
  const Model saved = load_model(o.out);
  EXPECT_TRUE(saved.tagging.has_value());
  EXPECT_EQ(saved.config.architectures, std::vector<std::string>{"BertForTokenClassification"});
  EXPECT_EQ(saved.config.labels, load_model(o.teacher).config.labels);
}

// The loss of the first step, by hand: only tokens with a tag count, [CLS] and [SEP] do not.
TEST_F(DistilledTags, TokensWithoutATagAreLeftOut) {
  DistillOptions o = options("rows");
  o.fit.epochs = 1;
  o.fit.batch_size = 400;  // one batch, one step
  o.config.hard_label_weight = 0.25;
  ModelConfig config = ModelConfig::read(o.teacher / "config.json");
  config.set_layers(1, 4, 64);
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  o.student = {.architecture = config,
               .init_from_teacher = TeacherInit{.from = TeacherInit::From::listed, .layers = {1}}};
  distill(o);
  const std::vector<Json> log = read_training_log(o.out / "training" / "log.jsonl");

  const Model of_teacher = load_model(o.teacher), of_student = model_from_layers(of_teacher, {1});
  const Tokenizer tokenizer = Tokenizer::load(o.teacher);
  const TaskSet train = tagging_task().read(o.data.train, {}, Labels(of_teacher.config.labels),
                                            {tokenizer, o.max_length});
  double soft = 0, hard = 0;
  int64_t count = 0, tokens = 0;
  for (const auto& rows : train.features->plan({.sequences = 1})) {
    const FeatureBatch batch = train.features->batch(rows);
    const auto log_q = to_vector<float>(log_softmax(tag_logits(of_student, batch.inputs))),
               tempered_log_q =
                   to_vector<float>(log_softmax(scale(tag_logits(of_student, batch.inputs), 0.5))),
               p = to_vector<float>(softmax(scale(tag_logits(of_teacher, batch.inputs), 0.5)));
    const auto labels = to_vector<int32_t>(batch.labels);
    tokens += std::ssize(labels);
    for (size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == kIgnore) continue;
      ++count;
      for (size_t c = 0; c < 5; ++c) soft -= p[i * 5 + c] * tempered_log_q[i * 5 + c];
      hard -= log_q[i * 5 + static_cast<size_t>(labels[i])];
    }
  }
  ASSERT_EQ(tokens, count + 2 * train.features->size());
  const auto n = static_cast<double>(count);
  EXPECT_NEAR(log.front().real("kd_loss"), soft / n, 1e-5);
  EXPECT_NEAR(log.front().real("hard_label_loss"), hard / n, 1e-5);
  EXPECT_NEAR(log.front().real("loss"), soft / n + 0.25 * hard / n, 1e-5);
}

TEST_F(DistilledTags, CachedTeacherGivesTheSameStudent) {
  DistillOptions o = options("computed");
  o.fit.epochs = 1;
  distill(o);
  o.out = task->folder / "cached";
  o.config.is_caching_logits = true;
  distill(o);
  const auto weights = [&](const char* out) {
    return read_file(task->folder / out / "model.safetensors", 1 << 26);
  };
  EXPECT_EQ(weights("computed"), weights("cached"));
}

TEST_F(DistilledTags, WhatCannotBeComparedIsRefusedBeforeTraining) {
  DistillOptions o = options("never");
  o.task = &classification_task();
  EXPECT_ERROR(distill(o),
               "does not do the task classification: labels: this model does not "
               "classify");
  o.task = &word_order_task();
  EXPECT_ERROR(distill(o), "does not correct word order");
  o.task = &tagging_task();
  o.student = {.folder = with_labels("other", {"B-PER", "B-LOC", "I-LOC", "I-PER", "O"})};
  EXPECT_ERROR(distill(o), "other is 'B-PER', of the teacher");
  EXPECT_ERROR(plan_distillation(o), "expected the same labels in the same order");
  // One with the same labels goes on learning; a body without a head gets one.
  o.student.folder = task->folder / "model";
  o.fit.epochs = 1;
  distill(o);
  std::vector<std::string> tokens = Tokenizer::load(o.teacher).vocabulary().tokens();
  std::reverse(tokens.begin() + 5, tokens.end());
  save_model(load_model(task->folder / "model"), task->folder / "reversed");
  Tokenizer(Vocabulary(tokens)).save(task->folder / "reversed");
  o.student.folder = task->folder / "reversed";
  o.out = task->folder / "never";
  std::filesystem::remove_all(o.out);
  EXPECT_ERROR(distill(o), "expected a student with the tokenizer of its teacher");
  EXPECT_FALSE(std::filesystem::exists(o.out));
}

// A student that classifies has weights named as a tagger's; they are not taken for tags.
TEST_F(DistilledTags, AHeadOfAnotherTaskIsReplaced) {
  ModelConfig c = ModelConfig::read(task->folder / "model" / "config.json");
  c.labels = {"1", "2", "3", "4", "5"};
  const Model classifier(c, {.pooler = true, .classification = true}, random_values(Random(3)));
  save_model(classifier, task->folder / "classifier", task->folder / "model");
  const Model teacher_model = load_model(task->folder / "teacher");
  const Model student =
      make_student({.folder = task->folder / "classifier"}, teacher_model, Random(1));
  EXPECT_EQ(student.config.labels, teacher_model.config.labels);
  EXPECT_FALSE(equal_bits(student.parameters.at("classifier.weight").value,
                          classifier.parameters.at("classifier.weight").value));
  EXPECT_TRUE(
      equal_bits(student.parameters.at("bert.encoder.layer.0.output.dense.weight").value,
                 classifier.parameters.at("bert.encoder.layer.0.output.dense.weight").value));
}

}  // namespace
}  // namespace ink
