// Distiller: losses of any two functions of a batch, and what it says where they do not fit.
#include "compress/distiller.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "autograd/tape.h"
#include "nn/layers.h"
#include "nn/scope.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

// Points (B, 2) → a hidden layer (B, width) → scores (B, 2).
struct Network {
  Linear first, second;
  Network(const Scope& at, int64_t width)
      : first(at / "first", 2, width, 1), second(at / "second", width, 2, 1) {}
  ModelOutputs operator()(const Tensor& x) const {
    const Tensor hidden = first(x, Activation::tanh);
    return {.logits = second(hidden), .hidden = {hidden}};
  }
};

// With two layers above the first states, for losses between all layers.
ModelOutputs layered(const Network& network, const Tensor& x) {
  ModelOutputs out = network(x);
  const Tensor& h = out.hidden.front();
  out.hidden = {h, multiply(h, h), scale(h, 2)};
  return out;
}

TrainingHooks hooks_with(std::function<void(const Progress&)> progress) {
  TrainingHooks hooks;
  hooks.progress = std::move(progress);
  return hooks;
}

Tensor points(int64_t micro_batch) {
  return random_values(Random(3))(std::to_string(micro_batch), {8, 2}, Initial::normal(1));
}

class Distilling : public testing::Test {
 protected:
  Parameters of_teacher, of_other, of_student;
  const Network teacher{{of_teacher, random_values(Random(1))}, 6},
      other{{of_other, random_values(Random(4))}, 6},
      student{{of_student, random_values(Random(2))}, 3};

  Adaptors<Tensor> adaptors() {
    return {.student = [&](const Tensor& x, const Random&) { return student(x); },
            .teachers = {teacher}};
  }
  static DistillationConfig projected() {
    DistillationConfig config{.temperature = 1};
    config.intermediate_matches = {{.student_size = 3, .teacher_size = 6}};
    return config;
  }
  static DistillationConfig with_cost_attention() {
    DistillationConfig config{.temperature = 1};
    config.emd = {{.pair = {.student_size = 3, .teacher_size = 6}, .cost_attention = true}};
    config.settle({.layers = 2, .hidden = 6}, {.layers = 2, .hidden = 3});
    return config;
  }
  // Weights of the student's layers, a row for each teacher, behind batches that are recorded.
  std::vector<float> layer_weights(const std::vector<Network>& teachers,
                                   const std::vector<double>& weights) {
    Parameters parameters;
    const Network mine({parameters, random_values(Random(2))}, 3);
    const Distiller distiller(with_cost_attention(), parameters,
                              {.teachers = std::ssize(teachers)});
    Adaptors<Tensor> all{
        .student = [&](const Tensor& x, const Random&) { return layered(mine, x); },
        .teachers = {},
        .teacher_weights = weights};
    for (const Network& one : teachers)
      all.teachers.emplace_back([one](const Tensor& x) { return layered(one, x); });
    for (int64_t batch = 0; batch < 3; ++batch) {
      Tape tape;
      tape.watch(parameters);
      distiller.loss(all, points(batch), Random(1), 0, 1);
    }
    distiller.loss(all, points(9), Random(1), 0, 1);  // an evaluation
    return to_vector<float>(parameters.at("emd.0.student_weights").value);
  }
  static double value_of(const MicroLoss& loss, const std::string& name) {
    for (const Measure& m : loss.measures)
      if (m.name == name) return m.value.item();
    ADD_FAILURE() << "no measure " << name;
    return 0;
  }
  MicroLoss first_loss(const DistillationConfig& config, const Adaptors<Tensor>& adaptors) {
    return Distiller(config, of_student).loss(adaptors, points(0), Random(1), 0, 1);
  }
};

TEST_F(Distilling, AnyFunctionsOfAnyBatchLearn) {
  Distiller distiller(projected(), of_student);
  std::vector<double> losses;
  const TrainingResult result = distiller.train<Tensor>(
      adaptors(), points, {.peak = 0.02, .steps = 300}, {.steps = 300, .accumulate = 2},
      hooks_with([&](const Progress& p) { losses.push_back(p.loss); }));
  EXPECT_EQ(result.step, 300);
  EXPECT_LT(losses.back(), 0.9 * losses.front());
  // The student says what its teacher says of points that neither has seen.
  const Tensor unseen = points(-1);
  const auto p = to_vector<float>(softmax(teacher(unseen).logits)),
             q = to_vector<float>(softmax(student(unseen).logits));
  for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], q[i], 0.15);
}

// Of a batch that has one of its own, both losses between logits are of that type, under its name.
TEST_F(Distilling, ABatchMayHaveItsOwnLoss) {
  const Tensor x = points(0), numbers = randn({8, 2}, 5, Dtype::f32);
  Adaptors<Tensor> with_facts = adaptors();
  with_facts.facts = [&](const Tensor&) {
    return BatchFacts{.labels = numbers, .kd_loss_type = KdLoss::regression, .name = "sts"};
  };
  const DistillationConfig config{.temperature = 3, .hard_label_weight = 0.5};
  const MicroLoss loss = first_loss(config, with_facts);
  const Tensor said = student(x).logits;
  const double soft = kd_loss(said, teacher(x).logits, KdLoss::regression, 3).item(),
               hard = hard_label_loss(said, numbers, KdLoss::regression).item();
  EXPECT_GT(std::abs(soft - kd_loss(said, teacher(x).logits, KdLoss::ce, 3).item()), 1e-3);
  EXPECT_NEAR(value_of(loss, "sts.kd_loss"), soft, 1e-6);
  EXPECT_NEAR(value_of(loss, "sts.hard_label_loss"), hard, 1e-6);
  EXPECT_NEAR(loss.loss.item(), soft + 0.5 * hard, 1e-5);
}

// Where no row has a label there is no loss with labels to log.
TEST_F(Distilling, ABatchWithoutLabelsHasNoMeasureOfThem) {
  Adaptors<Tensor> with_facts = adaptors();
  with_facts.facts = [](const Tensor&) {
    return BatchFacts{.labels = from(std::vector<int32_t>(8, kIgnore))};
  };
  const MicroLoss loss = first_loss({.temperature = 1, .hard_label_weight = 1}, with_facts);
  ASSERT_EQ(loss.measures.size(), 1u);
  EXPECT_EQ(loss.measures[0].name, "kd_loss");
}

// mean of logits, then one loss; the matches of each, averaged.
TEST_F(Distilling, SeveralTeachersAreAveragedByTheirWeights) {
  Adaptors<Tensor> both = adaptors();
  both.teachers.push_back(other);
  both.teacher_weights = {3, 1};
  DistillationConfig config = projected();
  config.intermediate_matches[0].weight = 0.5;
  Distiller distiller(config, of_student);
  const MicroLoss loss = distiller.loss(both, points(0), Random(1), 0, 1);

  const ModelOutputs s = student(points(0)), t = teacher(points(0)), u = other(points(0));
  const Tensor mean = add(scale(t.logits, 0.75), scale(u.logits, 0.25));
  const double kd = kd_loss(s.logits, mean, KdLoss::ce, 1.0).item();
  const Parameter& weight = of_student.at("projection.0.weight");
  const Tensor mine = linear(s.hidden[0], weight.value, of_student.at("projection.0.bias").value);
  const double match =
      0.75 * mse_loss(mine, t.hidden[0]).item() + 0.25 * mse_loss(mine, u.hidden[0]).item();
  EXPECT_NEAR(value_of(loss, "kd_loss"), kd, 1e-6);
  EXPECT_NEAR(value_of(loss, "hidden_hidden_mse_0_0"), match, 1e-6);
  EXPECT_NEAR(loss.loss.item(), kd + 0.5 * match, 1e-6);

  both.teacher_weights = {1};
  EXPECT_ERROR(distiller.loss(both, points(0), Random(1), 0, 1),
               "expected a weight for each of 2 teachers in teacher_weights, got 1");
  both.teacher_weights = {0, 0};
  EXPECT_ERROR(distiller.loss(both, points(0), Random(1), 0, 1),
               "of at least 0, one of them above");
}

TEST_F(Distilling, ATeacherOfWeightZeroIsNotAsked) {
  const MicroLoss alone = first_loss(projected(), adaptors());
  of_student = {};
  const Network again({of_student, random_values(Random(2))}, 3);
  Adaptors<Tensor> both = adaptors();
  both.student = [&](const Tensor& x, const Random&) { return again(x); };
  both.teachers.emplace_back([](const Tensor&) -> ModelOutputs { fail("asked"); });
  both.teacher_weights = {2, 0};
  EXPECT_EQ(first_loss(projected(), both).loss.item(), alone.loss.item());
  // Weights of a batch come before those of all.
  of_student = {};
  const Network third({of_student, random_values(Random(2))}, 3);
  both.student = [&](const Tensor& x, const Random&) { return third(x); };
  both.teacher_weights = {0, 1};
  both.facts = [](const Tensor&) -> BatchFacts { return {.teacher_weights = {1, 0}}; };
  EXPECT_EQ(first_loss(projected(), both).loss.item(), alone.loss.item());
}

TEST_F(Distilling, CostAttentionKeepsWeightsForEachTeacher) {
  const std::vector<float> of_first = layer_weights({teacher}, {}),
                           of_second = layer_weights({other}, {});
  EXPECT_NE(of_first, of_second);
  EXPECT_NE(of_first, (std::vector<float>{0.5F, 0.5F}));
  std::vector<float> rows = of_first;
  rows.insert(rows.end(), of_second.begin(), of_second.end());
  EXPECT_EQ(layer_weights({teacher, other}, {1, 1}), rows);
  rows = of_first;
  rows.insert(rows.end(), {0.5F, 0.5F});
  EXPECT_EQ(layer_weights({teacher, other}, {1, 0}), rows) << "one of weight 0 moves nothing";
  Adaptors<Tensor> both{
      .student = [&](const Tensor& x, const Random&) { return layered(student, x); },
      .teachers = {[&](const Tensor& x) { return layered(teacher, x); },
                   [&](const Tensor& x) { return layered(other, x); }}};
  EXPECT_ERROR(first_loss(with_cost_attention(), both),
               "cost_attention has weights for 1 teachers, got outputs of number 1");
}

TEST_F(Distilling, LogitsMayBeMissingWhereNothingComparesThem) {
  Adaptors<Tensor> hidden = adaptors();
  hidden.teachers = {
      [&](const Tensor& x) -> ModelOutputs { return {.logits = {}, .hidden = teacher(x).hidden}; }};
  EXPECT_ERROR(first_loss(projected(), hidden),
               "kd_loss_weight is 1, but the adaptor of the teacher gives no logits; let it give "
               "them, or set kd_loss_weight 0");
  of_student = {};
  const Network again({of_student, random_values(Random(2))}, 3);
  hidden.student = [&](const Tensor& x, const Random&) -> ModelOutputs {
    return {.logits = {}, .hidden = again(x).hidden};
  };
  DistillationConfig config = projected();
  config.kd_loss_weight = 0;
  const MicroLoss loss = first_loss(config, hidden);
  ASSERT_EQ(loss.measures.size(), 1u);
  EXPECT_EQ(loss.measures[0].name, "hidden_hidden_mse_0_0");
}

TEST_F(Distilling, SaysWhatDoesNotFitBeforeTheFirstStep) {
  const auto refused = [&](const DistillationConfig& config, const char* message) {
    Parameters fresh;
    const Network mine({fresh, random_values(Random(2))}, 3);
    Adaptors<Tensor> its = adaptors();
    its.student = [&](const Tensor& x, const Random&) { return mine(x); };
    Distiller distiller(config, fresh);
    int64_t steps = 0;
    EXPECT_ERROR(distiller.train<Tensor>(its, points, {.steps = 2}, {.steps = 2},
                                         hooks_with([&](const Progress&) { ++steps; })),
                 message);
    EXPECT_EQ(steps, 0);
  };
  DistillationConfig config = projected();
  config.intermediate_matches[0].layer_teacher = 1;
  refused(config, "wants hidden layer 1 of the teacher, whose adaptor gives 1, counted from 0");
  config = projected();
  config.intermediate_matches[0].student_size = config.intermediate_matches[0].teacher_size = 0;
  refused(config, R"(needs "proj": ["linear", 3, 6], because the widths differ)");
  config = projected();
  config.intermediate_matches[0].teacher_size = 7;
  refused(config, "projects 3 to 7, but student and teacher have 3 and 6 channels");
  config = projected();
  config.hard_label_weight = 1;
  refused(config, "hard_label_weight is 1, but the adaptors give no labels");
}

TEST_F(Distilling, ResumesWithTheSameBits) {
  const auto folder = scratch_folder("ink_distiller");
  const auto run = [&](const std::filesystem::path& where, int64_t stop_at, bool resume,
                       double temperature = 1) {
    Parameters parameters;
    const Network mine({parameters, random_values(Random(2))}, 3);
    Adaptors<Tensor> both = adaptors();
    both.teachers.push_back(other);
    both.student = [&](const Tensor& x, const Random&) { return mine(x); };
    DistillationConfig config = projected();
    config.temperature = temperature;
    config.kd_loss_weight_scheduler = WeightSchedule::linear_decay;
    Distiller distiller(config, parameters);
    std::atomic<bool> stop = false;
    distiller.train<Tensor>(
        both, points, {.peak = 0.02, .steps = 40},
        {.steps = 40, .accumulate = 3, .folder = where, .resume = resume, .stop = &stop},
        hooks_with([&](const Progress& p) { stop = p.step == stop_at; }));
    std::vector<float> all;
    for (const Parameter& p : parameters) {
      const auto values = to_vector<float>(p.value);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  };
  const std::vector<float> whole = run(folder / "whole", -1, false);
  run(folder / "parts", 17, false);
  EXPECT_ERROR(run(folder / "parts", -1, true, 2), "distillation.temperature");
  EXPECT_EQ(run(folder / "parts", -1, true), whole);
  std::filesystem::remove_all(folder);
}

// What cost attention has learnt from the micro-batches of a step that was cut short is forgotten.
TEST_F(Distilling, AStopWithinAStepIsResumedWithTheSameBits) {
  const auto folder = scratch_folder("ink_distiller_within");
  const auto run = [&](const std::filesystem::path& where, int64_t stop_at, bool resume) {
    Parameters parameters;
    const Network mine({parameters, random_values(Random(2))}, 3);
    const Adaptors<Tensor> all{
        .student = [&](const Tensor& x, const Random&) { return layered(mine, x); },
        .teachers = {[&](const Tensor& x) { return layered(teacher, x); }}};
    Distiller distiller(with_cost_attention(), parameters);
    std::atomic<bool> stop = false;
    const auto batch_at = [&](int64_t micro_batch) {
      if (micro_batch == stop_at) stop = true;
      return points(micro_batch);
    };
    distiller.train<Tensor>(
        all, batch_at, {.peak = 0.02, .steps = 8},
        {.steps = 8, .accumulate = 3, .folder = where, .resume = resume, .stop = &stop});
    std::vector<std::vector<float>> values;
    for (const Parameter& p : parameters) values.push_back(to_vector<float>(p.value));
    return values;
  };
  const auto whole = run(folder / "whole", -1, false);
  run(folder / "parts", 13, false);  // the second micro-batch of step 5
  EXPECT_EQ(run(folder / "parts", -1, true), whole);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ink
