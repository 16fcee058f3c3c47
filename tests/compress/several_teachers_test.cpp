// Students of several teachers: what is averaged, reported, resumed and refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "compress/distill.h"
#include "tests/compress/distill_options.h"
#include "tests/compress/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

// Two teachers, of two layers and of one.
class SeveralTeachers : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    task = new ToyTask("several_teachers");
    finetune(task->options("first"));
    FinetuneOptions second = task->options("second");
    second.fit.seed = 2;
    second.fit.epochs = 1;
    second.fit.learning_rate = 2e-3;  // so that it is the worse
    finetune(second);
  }
  static void TearDownTestSuite() {
    delete task;
    task = nullptr;
  }
  static DistillOptions options(const std::string& out) {
    DistillOptions o = distillation_like(task->options(out), task->folder / "first");
    o.other_teachers = {task->folder / "second"};
    o.fit.epochs = 2;
    o.config.temperature = 2;
    o.student.layers_from_teacher = {1};
    o.match_evenly = MatchLoss::hidden_mse;
    return o;
  }
  static std::string weights(const std::filesystem::path& out) {
    return read_file(out / "model.safetensors", 1 << 26);
  }
  // The untrained model with an untrained head.
  static std::filesystem::path guesses(const char* name, const std::vector<std::string>& labels,
                                       int64_t hidden = 32, int64_t layers = 2) {
    ModelConfig c = ModelConfig::read(task->folder / "model" / "config.json");
    c.labels = labels;
    c.hidden_size = hidden;
    c.set_layers(layers, c.heads_per_layer[0], c.ffn_per_layer[0]);
    save_model(Model(c, {.pooler = true, .classification = true}, random_values(Random(9))),
               task->folder / name, task->folder / "model");
    return task->folder / name;
  }

  static inline ToyTask* task = nullptr;
};

double accuracy(const std::filesystem::path& model, const TaskData& data) {
  const TaskSet set = classification_task().read(data.dev, {}, Labels({"c0", "c1", "c2"}),
                                                 {Tokenizer::load(model), 16});
  return set.judge(load_model(model)).scores.score;
}

TEST_F(SeveralTeachers, AllAreJudgedAloneAndTogether) {
  DistillOptions o = options("judged");
  o.fit.event_file = true;
  o.fit.event_folder = task->folder / "events";
  const DistillResult result = distill(o);
  ASSERT_EQ(result.teachers.each.size(), 2u);
  const double first = accuracy(o.teacher, o.data), second = accuracy(o.other_teachers[0], o.data);
  EXPECT_NE(first, second);
  EXPECT_EQ(result.teachers.each[0].score, first);
  EXPECT_EQ(result.teachers.each[1].score, second);
  EXPECT_DOUBLE_EQ(result.teachers.mean, (first + second) / 2);
  ASSERT_TRUE(result.teachers.ensemble.has_value());
  EXPECT_GT(result.teachers.ensemble->score, 0.8);
  EXPECT_GT(result.student.dev.score, 0.8);
  const auto events = std::filesystem::directory_iterator(o.fit.event_folder);
  const std::string logged = read_file(events->path(), 1 << 24);
  for (const char* term : {"training/kd_loss", "training/hidden_hidden_mse_0_0",
                           "training/hidden_hidden_mse_1_2", "training/hard_label_loss"})
    EXPECT_NE(logged.find(term), std::string::npos) << term;
  o.out = task->folder / "planned_weights";
  const std::string text = explanation(plan_distillation(o));
  EXPECT_NE(text.find("weights    0.5 0.5 of the teachers' logits"), std::string::npos) << text;
}

// With all of the weight on one teacher the others might as well not be there.
TEST_F(SeveralTeachers, AWeightOfOneIsThatTeacherAlone) {
  DistillOptions o = options("weighted");
  o.student = {.folder = task->folder / "model"};
  o.teacher_weights = {0, 5};
  EXPECT_EQ(distill(o).teachers.ensemble->score, accuracy(o.other_teachers[0], o.data));
  o.out = task->folder / "alone";
  o.teacher = o.other_teachers[0];
  o.other_teachers = {};
  o.teacher_weights = {};
  distill(o);
  EXPECT_EQ(weights(task->folder / "weighted"), weights(task->folder / "alone"));
}

// The first teacher again, with other numbers for the same characters, says the same: so the
// student is that of the first one alone.
TEST_F(SeveralTeachers, EachReadsWithItsOwnTokenizer) {
  DistillOptions o = options("own_tokens");
  o.student = {.folder = task->folder / "model"};
  o.match_evenly = {};
  o.fit.epochs = 1;
  Model model = load_model(o.teacher);
  model.parameters.own();
  std::vector<std::string> tokens = Tokenizer::load(o.teacher).vocabulary().tokens();
  std::reverse(tokens.begin() + 5, tokens.end());
  float* rows = model.parameters.at("bert.embeddings.word_embeddings.weight").value.data<float>();
  for (int64_t low = 5, high = std::ssize(tokens) - 1; low < high; ++low, --high)
    std::swap_ranges(rows + low * 32, rows + (low + 1) * 32, rows + high * 32);
  o.other_teachers = {task->folder / "reversed"};
  save_model(model, o.other_teachers[0]);
  Tokenizer(Vocabulary(tokens)).save(o.other_teachers[0]);
  EXPECT_FALSE(plan_distillation(o).same_tokens);
  const DistillResult result = distill(o);
  EXPECT_EQ(result.teachers.each[0].score, result.teachers.each[1].score);
  EXPECT_EQ(result.teachers.ensemble->score, result.teachers.each[0].score);
  o.out = task->folder / "first_alone";
  o.other_teachers = {};
  distill(o);
  EXPECT_EQ(weights(task->folder / "own_tokens"), weights(task->folder / "first_alone"));
  o.other_teachers = {task->folder / "reversed"};
  o.match_evenly = MatchLoss::hidden_mse;
  EXPECT_ERROR(plan_distillation(o), "teacher " + o.other_teachers[0].string() +
                                         " and student cut texts into different tokens");
}

TEST_F(SeveralTeachers, ResumedEndsWithTheSameBits) {
  DistillOptions o = options("whole");
  o.teacher_weights = {2, 1};
  distill(o);
  o.out = task->folder / "parts";
  std::atomic<bool> stop = false;
  o.fit.stop = &stop;
  distill(o, {.progress = [&](const Progress& p) { stop = p.step == 41; }});
  stop = false;
  o.fit.resume = true;
  o.teacher_weights = {1, 1};
  EXPECT_ERROR(distill(o), "has teachers[0].share 0.66");
  o.teacher_weights = {2, 1};
  distill(o);
  EXPECT_EQ(weights(task->folder / "whole"), weights(task->folder / "parts"));
}

TEST_F(SeveralTeachers, WhatDoesNotFitIsRefusedBeforeTraining) {
  DistillOptions o = options("never");
  o.other_teachers = {guesses("renamed", {"c0", "c2", "c1"})};
  EXPECT_ERROR(distill(o), "label 1 of the teacher " + o.other_teachers[0].string() +
                               " is 'c2', of the teacher " + o.teacher.string() + " 'c1'");
  o.other_teachers = {guesses("fewer", {"c0", "c1"})};
  EXPECT_ERROR(distill(o), "has 2 labels (c0, c1), the teacher");
  o.other_teachers = {guesses("wide", {"c0", "c1", "c2"}, 40)};
  EXPECT_ERROR(distill(o), "needs \"proj\": [\"linear\", 32, 40], because the widths differ");
  EXPECT_ERROR(distill(o), "with the teacher " + o.other_teachers[0].string());
  {
    DistillOptions carried = o;
    carried.match_evenly = {};
    carried.config.emd = {EmdMatch()};
    carried.other_teachers = {guesses("deep", {"c0", "c1", "c2"}, 32, 3)};
    EXPECT_ERROR(distill(carried), "expected teachers with as many layers");
  }
  o.other_teachers = {task->folder / "model"};
  EXPECT_ERROR(distill(o), "model does not do the task classification");
  EXPECT_FALSE(std::filesystem::exists(o.out));
  // Logits alone ask for no width.
  o = options("widths");
  o.other_teachers = {guesses("wide", {"c0", "c1", "c2"}, 40)};
  o.match_evenly = {};
  o.fit.epochs = 1;
  distill(o);
}

// Of a measured map the layers that it chooses count, not those it stands for until then.
TEST_F(SeveralTeachers, AMeasuredMapHasToFitEveryTeacher) {
  DistillOptions o = options("measured");
  o.layer_map = "emd";
  o.student.layers_from_teacher = {0};  // which is the first teacher's layer 1
  o.other_teachers = {guesses("shallow", {"c0", "c1", "c2"}, 32, 1)};
  EXPECT_EQ(plan_distillation(o).config.intermediate_matches.at(1).layer_teacher, 1);
  o.student.layers_from_teacher = {1};
  const char* const refused = "wants layer_T 2, but the teacher has hidden layers 0 to 1 (with the";
  EXPECT_ERROR(plan_distillation(o), refused);
  EXPECT_ERROR(distill(o), refused);
  EXPECT_FALSE(std::filesystem::exists(o.out));
  o.teacher_weights = {1, 0};
  EXPECT_EQ(plan_distillation(o).config.intermediate_matches.at(1).layer_teacher, 2)
      << "one of weight 0 is compared with nothing";
  o.teacher_weights = {0, 1};
  EXPECT_EQ(plan_distillation(o).config.intermediate_matches.at(1).layer_teacher, 1)
      << "layers are those of a teacher that teaches";
}

TEST_F(SeveralTeachers, ATeacherThatKnowsNothingIsDoubted) {
  DistillOptions o = options("doubted");
  o.match_evenly = {};
  o.fit.epochs = 1;
  o.other_teachers = {guesses("guesses", {"c0", "c1", "c2"})};
  Model model = load_model(o.other_teachers[0]);
  model.parameters.own();
  float* bias = model.parameters.at("classifier.bias").value.data<float>();
  bias[2] = 100;  // always c2
  save_model(model, task->folder / "guesses", task->folder / "model");
  std::vector<std::string> said;
  distill(o, {.notice = [&](const std::string& sentence) { said.push_back(sentence); }});
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].find("the teacher " + o.other_teachers[0].string() + " scores "),
            std::string::npos)
      << said[0];
  EXPECT_NE(said[0].find("no better than saying always c"), std::string::npos) << said[0];
}

TEST_F(SeveralTeachers, OptionsFromJson) {
  const auto read = [](const std::string& text) {
    return distill_options_from_json(parse_json(text, "distill.json"));
  };
  const DistillOptions o =
      read(R"({"teacher": ["a", "b", "c"], "teacher_weights": [1, 2, 1], "student": "s",
      "train": "t", "TrainingConfig": {"output_dir": "o"}})");
  EXPECT_EQ(o.teacher, "a");
  EXPECT_EQ(o.other_teachers, (std::vector<std::filesystem::path>{"b", "c"}));
  EXPECT_EQ(o.teacher_weights, (std::vector<double>{1, 2, 1}));
  EXPECT_ERROR(read(R"({"teacher": [], "student": "s", "train": "t",
      "TrainingConfig": {"output_dir": "o"}})"),
               "teacher: expected a teacher, got an empty list");
}

}  // namespace
}  // namespace ink
