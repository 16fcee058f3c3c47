// Three steps of distillation against PyTorch: every loss, every gradient, clipping and AdamW, by
// hand and through the training loop.
#include <gtest/gtest.h>

#include "autograd/gradient_sum.h"
#include "autograd/tape.h"
#include "autograd/trainer.h"
#include "compress/distillation_loss.h"
#include "tensor/ops.h"
#include "tests/compress/distill_steps.h"
#include "tests/nn/golden_weights.h"

namespace ink {
namespace {

constexpr int64_t kSteps = 3;
constexpr double kPeak = 5e-3, kLongest = 1, kClose = 2e-6;
const Schedule kSchedule{.peak = kPeak, .steps = kSteps + 1};

DistillationLoss::Facts facts_of(const testing::StepBatch& batch) {
  return {.labels = batch.labels, .offsets = batch.inputs.offsets};
}

class DistillationSteps : public ::testing::Test {
 protected:
  DistillationSteps() {
    config = {.temperature = 8, .hard_label_weight = 0.5};
    for (const int64_t j : {0, 1, 2})
      config.intermediate_matches.push_back({.layer_teacher = 2 * j,
                                             .layer_student = j,
                                             .weight = j == 2 ? 2.0 : 1.0,
                                             .student_size = 8,
                                             .teacher_size = 12});
    config.intermediate_matches.push_back(
        {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::attention_mse});
    config.intermediate_matches.push_back({.layer_teacher = 4,
                                           .layer_student = 2,
                                           .loss = MatchLoss::attention_ce,
                                           .weight = 0.5,
                                           .attention = AttentionMaps::probabilities});
  }

  double value(const std::string& run, int64_t step, const std::string& name) const {
    return golden.tensor(run + '.' + std::to_string(step) + '.' + name).item();
  }
  void expect_losses(const std::string& run, int64_t step,
                     const DistillationLoss::Result& result) const {
    const auto expect_loss = [&](const std::string& name, double got) {
      const double wanted = value(run, step, name);
      EXPECT_NEAR(got, wanted, kClose * std::max(1.0, wanted)) << "step " << step << ' ' << name;
    };
    expect_loss("total", result.total.item());
    EXPECT_EQ(result.parts.size(), 1u + 3 + 2 + 1);
    for (const Measure& part : result.parts) expect_loss(part.name, part.value.item());
  }
  void expect_gradients(int64_t step, const Parameters& parameters,
                        std::span<const Tensor> gradients) const {
    size_t i = 0;
    for (const Parameter& p : parameters) {
      const Tensor wanted = golden.tensor("plain." + std::to_string(step) + ".grad." + p.name);
      ASSERT_TRUE(gradients[i]) << p.name;
      EXPECT_LT(testing::difference(gradients[i++], wanted),
                kClose * std::max(1.0, testing::largest(wanted)))
          << "step " << step << ' ' << p.name;
    }
    EXPECT_EQ(i, 5u + 2 * 16 + 4 + 6);  // embeddings, layers, pooler and classifier, projections
  }
  // Behind AdamW, whose m/√v makes much of little where a gradient is nearly 0.
  void expect_end(const std::string& run, const Parameters& parameters) const {
    for (const Parameter& p : parameters)
      EXPECT_LT(testing::difference(p.value, golden.tensor(run + ".end." + p.name)), 1e-5)
          << run << ' ' << p.name;
  }

  DistillationLoss loss_with(Model& student) const {
    return DistillationLoss(config, Scope(student.parameters, testing::step_weights("")), kPeak);
  }
  // Everything step by step.
  Model by_hand(const std::string& run) const {
    Model student = testing::step_student();
    const DistillationLoss loss = loss_with(student);
    Optimizer optimizer(student.parameters);
    GradientSum sum(student.parameters);
    for (int64_t s = 0; s < kSteps; ++s) {
      const testing::StepBatch& batch = batches[static_cast<size_t>(s)];
      const ModelOutputs wanted = testing::step_outputs(teacher, batch.inputs);
      Tape tape;
      tape.watch(student.parameters);
      const DistillationLoss::Result result =
          loss(testing::step_outputs(student, batch.inputs), wanted, facts_of(batch), s, kSteps);
      expect_losses(run, s, result);
      Gradients gradients = tape.backward(result.total);
      sum.add(student.parameters, gradients);
      if (run == "plain") expect_gradients(s, student.parameters, sum.gradients());
      const double norm = sum.norm(student.parameters), longer = value(run, s, "norm");
      EXPECT_NEAR(norm, longer, kClose * longer);
      EXPECT_GT(longer, 2 * kLongest) << "or nothing would be clipped";
      optimizer.step(student.parameters, sum.gradients(), kSchedule.at(s),
                     clip_factor(norm, kLongest));
      sum.clear();
    }
    return student;
  }
  // The same by the training loop.
  Model by_train() const {
    Model student = testing::step_student();
    const DistillationLoss loss = loss_with(student);
    Optimizer optimizer(student.parameters);
    TrainingHooks hooks;
    hooks.loss = [&](int64_t s, const Random&) -> MicroLoss {
      const testing::StepBatch& batch = batches[static_cast<size_t>(s)];
      ModelOutputs wanted;
      {
        const Pause pause;
        wanted = testing::step_outputs(teacher, batch.inputs);
      }
      return {.loss = loss(testing::step_outputs(student, batch.inputs), wanted, facts_of(batch), s,
                           kSteps)
                          .total};
    };
    train(student.parameters, optimizer, kSchedule, {.steps = kSteps, .clip_norm = kLongest},
          hooks);
    return student;
  }
  void expect_run(const std::string& run) const {
    const Model mine = by_hand(run), trained = by_train();
    expect_end(run, mine.parameters);
    for (const Parameter& p : mine.parameters)
      EXPECT_TRUE(equal_bits(p.value, trained.parameters.at(p.name).value)) << p.name;
  }

  const SafeTensors golden = testing::step_golden();
  const std::vector<testing::StepBatch> batches = testing::step_batches();
  DistillationConfig config = {};
  const Model teacher = testing::step_teacher();
};

TEST_F(DistillationSteps, EqualTorch) { expect_run("plain"); }

// PyTorch's parameter groups.
TEST_F(DistillationSteps, EqualTorchWhereProjectionsLearnAtRatesOfTheirOwn) {
  config.intermediate_matches[0].projection_rate = 2e-2;
  config.intermediate_matches[2].projection_rate = 1e-3;
  config.intermediate_matches[2].projection_decay = 0.5;
  expect_run("own");
  Model student = testing::step_student();
  EXPECT_ERROR(DistillationLoss(config, Scope(student.parameters, testing::step_weights(""))),
               "projection.0 learns at 0.02; expected a learning rate above 0 of the student");
}

}  // namespace
}  // namespace ink
