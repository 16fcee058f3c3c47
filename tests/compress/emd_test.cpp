// Layers matched by optimal transport: against PyTorch and scipy, gradients, cost attention, keys.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradient_check.h"
#include "autograd/tape.h"
#include "compress/distillation_loss.h"
#include "compress/emd_loss.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/compress/distill_steps.h"
#include "tests/compress/helpers.h"
#include "tests/nn/golden_weights.h"

namespace ink {
namespace {

using Numbers = std::vector<double>;

DistillationConfig read(const std::string& emd) {
  return DistillationConfig::from_json(parse_json(R"({"emd": )" + emd + "}", "distill.json"));
}

ModelSize sized(int64_t layers, int64_t hidden, int64_t heads) {
  return {.layers = layers,
          .hidden = hidden,
          .heads = std::vector<int64_t>(static_cast<size_t>(layers), heads),
          .head_size = 4};
}

class EmdAgainstTorch : public ::testing::Test {
 protected:
  Tensor value(const std::string& name) const { return golden.tensor(name); }

  // One batch of one run; the parameters stay as they are.
  void expect_batch(const EmdLoss& emd, const std::string& run, int64_t b, Model& student) const {
    const testing::StepBatch& batch = batches[static_cast<size_t>(b)];
    const std::string prefix = run + '.' + std::to_string(b) + '.';
    const Sequences sequences(batch.inputs.offsets);
    const MatchContext context{.sequences = sequences, .offsets = batch.inputs.offsets};
    const ModelOutputs wanted = testing::step_outputs(teacher, batch.inputs);
    Tape tape;
    tape.watch(student.parameters);
    const EmdLoss::Result got = emd(testing::step_outputs(student, batch.inputs), wanted, context);
    const auto expect_numbers = [&](const char* what, const Numbers& numbers) {
      const Numbers expected = to_vector<double>(value(prefix + what));
      ASSERT_EQ(numbers.size(), expected.size());
      for (size_t i = 0; i < numbers.size(); ++i)
        EXPECT_NEAR(numbers[i], expected[i], 5e-6) << prefix << what << ' ' << i;
    };
    expect_numbers("costs", got.carried.costs);
    expect_numbers("flow", got.carried.flow);
    expect_numbers("layers", {got.layers.item()});
    if (got.embeddings) expect_numbers("embeddings", {got.embeddings.item()});
    if (run == "cost") {
      for (const char* whose : {"student_weights", "teacher_weights"})
        expect_numbers(
            whose, testing::doubles(student.parameters.at(std::string("emd.0.") + whose).value));
      return;
    }
    const Tensor total = got.embeddings ? add(got.layers, got.embeddings) : got.layers;
    const Gradients gradients = tape.backward(total);
    size_t compared = 0;
    for (const Parameter& p : student.parameters) {
      const std::string name = prefix + "grad." + p.name;
      if (!golden.find(name)) continue;
      ASSERT_TRUE(gradients[p.value]) << p.name;
      EXPECT_LT(testing::difference(gradients[p.value], value(name)),
                3e-6 * std::max(1.0, testing::largest(value(name))))
          << p.name;
      ++compared;
    }
    EXPECT_GT(compared, run == "hidden" ? 40u : 20u);
  }

  void expect_run(const std::string& run, EmdMatch match, int64_t count = 1) {
    settle_emd(match, sized(4, 12, 2), sized(2, 8, 2));
    Model student = testing::step_student();
    const EmdLoss emd(match, Scope(student.parameters, testing::step_weights("")) / "emd" / 0, {});
    for (int64_t b = 0; b < count; ++b) expect_batch(emd, run, b, student);
  }

  static IntermediateMatch projected() { return {.student_size = 8, .teacher_size = 12}; }

  const SafeTensors golden{std::filesystem::path(INK_SOURCE_DIR) /
                           "tests/golden/distill_emd.safetensors"};
  const std::vector<testing::StepBatch> batches = testing::step_batches();
  const Model teacher = testing::step_teacher();
};

TEST_F(EmdAgainstTorch, HiddenStates) { expect_run("hidden", {.pair = projected()}); }
TEST_F(EmdAgainstTorch, Attention) {
  expect_run("attention", {.pair = {.loss = MatchLoss::attention_mse}});
}
TEST_F(EmdAgainstTorch, CostAttentionFromBatchToBatch) {
  expect_run("cost", {.pair = projected(), .cost_attention = true, .cost_temperature = 2}, 3);
}

// The flow is a constant to the derivative, and where the optimum is one vertex it is one indeed.
TEST(Emd, GradientsOfStatesAndProjections) {
  const Tensor offsets = from(std::vector<int32_t>{0, 3, 5});
  const Sequences sequences(offsets);
  const MatchContext context{.sequences = sequences, .offsets = offsets};
  ModelOutputs teacher;
  for (uint64_t j = 0; j < 4; ++j) teacher.hidden.push_back(randn({5, 3}, 10 + j));
  for (const MatchLoss loss : {MatchLoss::hidden_mse, MatchLoss::cos}) {
    EmdMatch match{.pair = {.loss = loss, .student_size = 2, .teacher_size = 3}};
    settle_emd(match, {3, 3}, {2, 2});
    const auto call = [&](std::span<const Tensor> in) {
      // the values of the parameters are the inputs themselves
      Parameters parameters;
      size_t next = 3;
      const Scope scope(
          parameters, [&](const std::string&, const Shape&, const Initial&) { return in[next++]; });
      const EmdLoss emd(match, scope, {});
      ModelOutputs student;
      student.hidden.assign(in.begin(), in.begin() + 3);
      const EmdLoss::Result result = emd(student, teacher, context);
      return add(result.layers, result.embeddings);
    };
    std::vector<Tensor> inputs;
    for (uint64_t i = 0; i < 3; ++i) inputs.push_back(randn({5, 2}, 20 + i));
    for (uint64_t i = 0; i < 3; ++i) {
      inputs.push_back(randn({3, 2}, 30 + i));
      inputs.push_back(randn({3}, 40 + i));
    }
    const GradientCheck result = check_gradients(call, inputs);
    EXPECT_TRUE(result.ok) << name_of(loss) << ": " << result.message;
  }
}

// A student whose layers are the teacher's in another order is matched with these, at no cost.
TEST(Emd, FindsTheLayersThatAreTheSame) {
  const Tensor offsets = from(std::vector<int32_t>{0, 4});
  const Sequences sequences(offsets);
  ModelOutputs teacher, student;
  for (uint64_t j = 0; j < 4; ++j) teacher.hidden.push_back(randn({4, 3}, 1 + j));
  for (const size_t j : {0, 3, 1, 2}) student.hidden.push_back(teacher.hidden[j]);
  EmdMatch match;
  settle_emd(match, {3, 3}, {3, 3});
  Parameters parameters;
  const EmdLoss emd(match, Scope(parameters, random_values(Random(1))), {});
  EXPECT_EQ(parameters.size(), 0u) << "widths are the same";
  const EmdLoss::Result result =
      emd(student, teacher, {.sequences = sequences, .offsets = offsets});
  EXPECT_EQ(result.layers.item(), 0);
  EXPECT_EQ(result.embeddings.item(), 0);
  const double third = 1.0 / 3;
  EXPECT_EQ(result.carried.flow, (Numbers{0, 0, third, third, 0, 0, 0, third, 0}));
}

TEST(Emd, CostAttentionPrefersLayersThatAreCheap) {
  const LayerFlow carried = layer_flow({1, 2}, even_weights(2, 1));
  EXPECT_EQ(carried.flow, (Numbers{0.5, 0.5}));
  const LayerWeights now = weights_by_cost(carried, even_weights(2, 1), 1);
  // a unit costs 1 and 2, so softmax(3/1, 3/2)
  EXPECT_NEAR(now.student[0], 1 / (1 + std::exp(-1.5)), 1e-15);
  EXPECT_NEAR(now.student[0] + now.student[1], 1, 1e-15);
  EXPECT_EQ(now.teacher, Numbers{1});
  const LayerFlow broken = layer_flow({1, NAN}, even_weights(2, 1));
  EXPECT_EQ(broken.flow, (Numbers{0.5, 0.5})) << "the loss is to be NaN, and the trainer to say so";
}

TEST(Emd, KeysAreReadAndWritten) {
  const DistillationConfig config =
      read(R"([{"feature": "hidden", "loss": "hidden_mse", "weight": 2,
                "proj": ["linear", 312, 768, {"lr": 0.001}], "cost_attention": true,
                "cost_temperature": 3},
               {"feature": "attention", "loss": "attention_mse"}])");
  ASSERT_EQ(config.emd.size(), 2u);
  EXPECT_EQ(config.emd[0].pair.weight, 2);
  EXPECT_EQ(config.emd[0].pair.projection_rate, 0.001);
  EXPECT_EQ(config.emd[0].cost_temperature, 3);
  EXPECT_EQ(config.emd[0].name(), "emd_hidden_mse");
  EXPECT_TRUE(config.matches_hidden());
  EXPECT_TRUE(config.matches_attention());
  EXPECT_EQ(DistillationConfig::from_json(parse_json(config.to_json().to_string(), "again"))
                .to_json()
                .to_string(),
            config.to_json().to_string());
  EXPECT_EQ(read(R"({"feature": "hidden", "loss": "cos"})").emd.size(), 1u);
  EXPECT_FALSE(read("null").has_matches());
}

TEST(Emd, ErrorsSayWhatWasExpected) {
  EXPECT_ERROR(read(R"({"feature": "hidden", "loss": "cos", "layer_T": 1})"),
               "unknown key 'layer_T'; known keys: feature, loss");
  EXPECT_ERROR(read(R"({"feature": "hidden", "loss": "cos", "cost_temperature": 2})"),
               "cost_temperature: expected with \"cost_attention\" only");
  EXPECT_ERROR(
      read(
          R"({"feature": "hidden", "loss": "cos", "cost_attention": true, "cost_temperature": 0})"),
      "cost_temperature: expected more than 0, got 0");
  EXPECT_ERROR(DistillationConfig::from_json(parse_json(
                   R"({"is_caching_logits": true, "emd": {"feature": "hidden", "loss": "cos"}})",
                   "distill.json")),
               "logits alone are cached; expected false where emd is given");
  const auto settle = [](EmdMatch match, const ModelSize& teacher, const ModelSize& student) {
    settle_emd(match, teacher, student);
  };
  EXPECT_ERROR(settle({}, sized(4, 12, 2), sized(2, 8, 2)),
               "hidden_hidden_mse_0_0 needs \"proj\": [\"linear\", 8, 12]");
  EXPECT_ERROR(
      settle({.pair = {.loss = MatchLoss::attention_mse}}, sized(4, 12, 3), sized(2, 8, 2)),
      "the student's layer has 2 and the teacher's 3; use attention_mse_sum");
  EXPECT_ERROR(settle({}, sized(0, 8, 2), sized(2, 8, 2)),
               "expected models with layers, the student has 2, the teacher 0");
  Parameters parameters;
  EXPECT_ERROR(EmdLoss({}, Scope(parameters, random_values(Random(1))), {}),
               "expected the numbers of both models' layers");
}

}  // namespace
}  // namespace ink
