// Students that find spans: what teacher and student say of starts and of ends, averaged.
#include <gtest/gtest.h>

#include <cmath>

#include "compress/distill.h"
#include "compress/labelled.h"
#include "compress/prune.h"
#include "compress/pruning_measure.h"
#include "compress/scoring.h"
#include "compress/values.h"
#include "nn/ragged.h"
#include "tasks/question_features.h"
#include "tensor/file.h"
#include "tensor/ops.h"
#include "tests/compress/distill_options.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_reading.h"

namespace ink {
namespace {

class DistilledReading : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    toy = new ToyReading("distilled_reading");
    teacher_score = finetune(toy->options("teacher")).dev.score;
  }
  static void TearDownTestSuite() {
    delete toy;
    toy = nullptr;
  }
  static DistillOptions options(const std::string& out) {
    DistillOptions o = distillation_like(toy->options(out), toy->folder / "teacher");
    o.task = &reading_task();
    o.config.temperature = 2;
    return o;
  }
  static std::string weights(const char* out) {
    return read_file(toy->folder / out / "model.safetensors", 1 << 26);
  }
  static inline ToyReading* toy = nullptr;
  static inline double teacher_score = 0;
};

TEST_F(DistilledReading, AStudentLearnsFromSpansAndHiddenStates) {
  DistillOptions o = options("student");
  o.student.folder = toy->folder / "model";  // which has no head yet
  o.config.hard_label_weight = 0.5;
  o.match_evenly = MatchLoss::hidden_mse;
  const DistillResult result = distill(o);
  EXPECT_EQ(result.teachers.each.at(0).score, teacher_score);
  EXPECT_GT(result.student.dev.score, 0.85);
  EXPECT_TRUE(reading_task().done_by(ModelConfig::read(o.out / "config.json")));
}

// Of the first batch, from scratch: sequence by sequence, softmaxes over its own tokens.
TEST_F(DistilledReading, LossesAreMeansOverStartsAndEnds) {
  const Model teacher = load_model(toy->folder / "teacher"),
              student = tiny_model(teacher.config, 7, {.span = true});
  const Tokenizer tokenizer = Tokenizer::load(toy->folder / "teacher");
  const TaskSet data = reading_task().read(toy->folder / "dev.json", {}, {}, {tokenizer, 16});
  const std::vector<int64_t> rows = {0, 1, 2, 3, 4};
  const FeatureBatch batch = data.features->batch(rows);
  const Labelled known = labelled(batch, reading_task());
  const Tensor s = student.span->logits(student.body(batch.inputs).hidden),
               t = teacher.span->logits(teacher.body(batch.inputs).hidden);
  const ModelOutputs of_student = known.of({.logits = s, .hidden = {}}),
                     of_teacher = known.of({.logits = t, .hidden = {}});
  const double soft = kd_loss(of_student.logits, of_teacher.logits, KdLoss::ce, 2).item(),
               hard = hard_label_loss(of_student.logits, known.labels).item();
  const AnswerEnds truth = answer_ends(batch);
  double expected_soft = 0, expected_hard = 0;
  for (int64_t b = 0; b < 5; ++b) {
    const int64_t begin = batch.inputs.offsets.data<int32_t>()[b],
                  end = batch.inputs.offsets.data<int32_t>()[b + 1];
    for (const int64_t which : {0, 1}) {
      const auto of = [&](const Tensor& z) {
        return reshape(slice(slice(z, 0, begin, end), 1, which, which + 1), {1, end - begin});
      };
      expected_soft += kd_loss(of(s), of(t), KdLoss::ce, 2).item() / 10;
      const int32_t at = (which ? truth.ends : truth.starts).data<int32_t>()[b];
      expected_hard += cross_entropy(of(s), from(std::vector<int32_t>{at})).item() / 10;
    }
  }
  EXPECT_NEAR(soft, expected_soft, 1e-5);
  EXPECT_NEAR(hard, expected_hard, 1e-5);
}

TEST_F(DistilledReading, CachedTeachersGiveTheSameStudent) {
  const auto student = [&](const char* out, const auto& change) {
    DistillOptions o = options(out);
    o.student.layers_from_teacher = {1};
    o.fit.epochs = 1;
    change(o);
    distill(o);
    return weights(out);
  };
  const std::string computed = student("computed", [](DistillOptions&) {});
  EXPECT_EQ(student("memory", [](DistillOptions& o) { o.config.is_caching_logits = true; }),
            computed);
  EXPECT_EQ(
      student("disk", [&](DistillOptions& o) { o.teacher_cache.folder = toy->folder / "cache"; }),
      computed);
}

TEST_F(DistilledReading, WhatHasNoMeaningIsRefused) {
  const auto refused = [&](const char* message, const auto& change) {
    DistillOptions o = options("never");
    o.student.layers_from_teacher = {1};
    change(o);
    EXPECT_ERROR(distill(o), message);
  };
  refused("expected kd_loss_type ce or kl, got mse",
          [](DistillOptions& o) { o.config.kd_loss_type = KdLoss::mse; });
  refused("expected temperature_scheduler \"none\" for the task reading", [](DistillOptions& o) {
    o.config.temperature_scheduler = {.kind = TemperatureSchedule::Kind::flsw};
  });
  refused(
      "not for the task reading, as nothing says which of their tokens to compare; expected a "
      "task about whole texts, or neither",
      [](DistillOptions& o) { o.more.augmentation = {.copies = 1, .masking = 0.1}; });
  refused("expected top_k 0 in teacher_cache",
          [&](DistillOptions& o) { o.teacher_cache = {.folder = toy->folder / "c", .top_k = 1}; });
  refused("does not do the task tagging", [](DistillOptions& o) { o.task = &tagging_task(); });
}

TEST_F(DistilledReading, PruningMeasuresAndRecovers) {
  const auto pruned = [&](const std::string& out, const std::string& keys) {
    PruneOptions o;
    o.model = toy->folder / "teacher";
    o.out = toy->folder / out;
    o.data = toy->folder / "train.json";
    o.task = &reading_task();
    o.max_length = 16;
    o.config = PruningConfig::from_json(parse_json(
        R"({"pruning_method": "iterative", "target_num_of_heads": 2, "target_ffn_size": 32)" +
            keys + "}",
        "p.json"));
    EXPECT_EQ(prune(o).heads_per_layer, (std::vector<int64_t>{2, 2}));
    const Tokenizer tokenizer = Tokenizer::load(o.out);
    return reading_task()
        .read(toy->folder / "dev.json", {}, {}, {tokenizer, 16})
        .judge(load_model(o.out))
        .scores.score;
  };
  pruned("by_examples", R"(, "per": "example")");
  pruned("by_itself", R"(, "use_logits": true)");
  EXPECT_GT(pruned("recovered", R"(, "recovery":
      {"epochs": 3, "learning_rate": 3e-3, "batch_size": 16, "distil": true})"),
            0.85);
}

// The gradient of an example's loss does not depend on how long the others are.
TEST_F(DistilledReading, EveryExampleCountsAlike) {
  const Model model = load_model(toy->folder / "teacher");
  const Tokenizer tokenizer = Tokenizer::load(toy->folder / "teacher");
  const TaskSet data = reading_task().read(toy->folder / "dev.json", {}, {}, {tokenizer, 16});
  const std::vector<int64_t> rows = {0, 1, 2};
  const std::vector<FeatureBatch> batches = {data.features->batch(rows)};
  EXPECT_EQ(label_loss(reading_task(), batches)(model, 0, {}).scales,
            (std::vector<double>{3, 3, 3}));
  const std::vector<FeatureBatch> mixed = {batches[0]};
  for (int32_t t = 0; t < mixed[0].inputs.offsets.data<int32_t>()[1]; ++t)
    Tensor(mixed[0].labels).data<int32_t>()[t] = kIgnore;
  EXPECT_EQ(label_loss(reading_task(), mixed)(model, 0, {}).scales, (std::vector<double>{2, 2, 2}))
      << "the mean is over the two with an answer";
}

TEST_F(DistilledReading, AnswersThatStandNowhereMeasureNothing) {
  write_file(toy->folder / "lost.json", R"({"data": [{"paragraphs": [{"context": "a b", "qas": [
      {"question": "?", "answers": [{"text": "b", "answer_start": 2}]},
      {"question": "?", "answers": [{"text": "c", "answer_start": 0}]}]}]}]})");
  PruneOptions o;
  o.model = toy->folder / "teacher";
  o.out = toy->folder / "never";
  o.data = toy->folder / "lost.json";
  o.task = &reading_task();
  o.max_length = 16;
  o.config = PruningConfig::from_json(
      parse_json(R"({"pruning_method": "iterative", "target_num_of_heads": 2})", "p.json"));
  EXPECT_ERROR(prune(o), "lost.json: question 2: expected an answer that stands in the context");
}

TEST_F(DistilledReading, AHeadOfZerosMeasuresNothing) {
  const Model trained = load_model(toy->folder / "teacher");
  const Model model(trained.config, trained.heads,
                    [&](const std::string& name, const Shape& shape, const Initial&) {
                      return name.starts_with("qa_outputs") ? zeros(shape)
                                                            : trained.parameters.at(name).value;
                    });
  const Tokenizer tokenizer = Tokenizer::load(toy->folder / "teacher");
  const TaskSet data = reading_task().read(toy->folder / "dev.json", {}, {}, {tokenizer, 16});
  const std::vector<FeatureBatch> batches = {data.features->batch(std::vector<int64_t>{0, 1})};
  const PruningConfig config{.target_num_of_heads = 2, .pruning_method = PruningMethod::iterative};
  EXPECT_ERROR(PruningMeasure(model, batches, config, {.task = &reading_task()}).elements(model),
               "nothing that could go has any influence on what the model says");
}

TEST_F(DistilledReading, RecoveryDropsWhatTheHeadReads) {
  Model model = load_model(toy->folder / "teacher");
  model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0;
  const Tokenizer tokenizer = Tokenizer::load(toy->folder / "teacher");
  const TaskSet data = reading_task().read(toy->folder / "dev.json", {}, {}, {tokenizer, 16});
  const Packed batch = data.features->batch(std::vector<int64_t>{0, 1}).inputs;
  const Random random(3);
  const auto starts = [&](double dropout, const Random* draws) {
    Model copy(model.config, model.heads, values_of(model.parameters));
    reading_task().set_dropout(copy, dropout);
    return to_vector<float>(contiguous(decision_logits(copy, batch, {.random = draws}).front()));
  };
  EXPECT_NE(starts(0.5, &random), starts(0.5, nullptr));
  EXPECT_EQ(starts(0, &random), starts(0, nullptr));
}

// Also in f16, where −1e30 would be −∞, and 0 times it no number.
TEST(StartsAndEnds, LacksAreNumbers) {
  const Tensor scores = full({3, 2}, 1), offsets = from(std::vector<int32_t>{0, 2, 3});
  const Tensor starts = contiguous(starts_and_ends(scores, offsets).starts);
  const Tensor half = converted(converted(starts, Dtype::f16), Dtype::f32);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(half.data<float>()[i], 1);
  EXPECT_TRUE(std::isfinite(half.data<float>()[3]));
  EXPECT_EQ(softmax(starts).data<float>()[3], 0);
}

}  // namespace
}  // namespace ink
