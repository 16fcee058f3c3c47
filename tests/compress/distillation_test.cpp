// Distillation's configuration, schedules of weights, and one step against torch.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "tensor/file.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/compress/helpers.h"
#include "tests/nn/golden_weights.h"

namespace ink {
namespace {

DistillationConfig read(const std::string& text) {
  return DistillationConfig::from_json(parse_json(text, "distill.json"));
}

TEST(DistillationConfig, KeysOfTextBrewer) {
  const DistillationConfig c =
      read(R"({"temperature": 8, "hard_label_weight": 0.5, "kd_loss_type": "mse",
      "kd_loss_weight": 2, "kd_loss_weight_scheduler": "linear_decay", "intermediate_matches": [
      {"layer_T": 4, "layer_S": 2, "feature": "hidden", "loss": "cos", "weight": 3,
       "proj": ["tanh", 24, 48]}]})");
  EXPECT_EQ(c.kd_loss_type, KdLoss::mse);
  ASSERT_EQ(c.intermediate_matches.size(), 1u);
  EXPECT_EQ(c.intermediate_matches[0].name(), "hidden_cos_2_4");
  EXPECT_EQ(c.intermediate_matches[0].projection, Activation::tanh);
  EXPECT_EQ(read(c.to_json().to_string()).to_json().to_string(), c.to_json().to_string());
  const DistillationConfig defaults = read("{}");
  EXPECT_EQ(defaults.temperature, 4);
  EXPECT_EQ(defaults.hard_label_weight, 0);
  EXPECT_EQ(defaults.kd_loss_weight, 1);
}

TEST(DistillationConfig, ErrorsNameTheKeyAndTheNearest) {
  EXPECT_ERROR(read(R"({"temprature": 8})"),
               "distill.json: unknown key 'temprature'; did you mean 'temperature'?");
  EXPECT_ERROR(read(R"({"zzz": 8})"), "unknown key 'zzz'; known keys: temperature");
  EXPECT_ERROR(read(R"({"kd_loss_type": "kld"})"),
               "kd_loss_type: unknown value 'kld'; expected one of ce, mse, kl, bce, regression");
  EXPECT_ERROR(read(R"({"temperature": 0})"), "temperature: expected more than 0, got 0");
  EXPECT_ERROR(
      read(R"({"intermediate_matches": [{"layer_T": 1, "feature": "hidden", "loss": "cos"}]})"),
      "layer_S");
}

TEST(DistillationConfig, SchedulesStartAtTheSecondStep) {
  const auto decay = [](int64_t step) {
    return scheduled_weight(WeightSchedule::linear_decay, 1, step, 4);
  };
  EXPECT_EQ((std::vector<double>{decay(0), decay(1), decay(2), decay(3)}),
            (std::vector<double>{1, 0.75, 0.5, 0.25}));
  EXPECT_EQ(scheduled_weight(WeightSchedule::linear_growth, 1, 1, 4), 0.25);
  EXPECT_EQ(scheduled_weight(WeightSchedule::none, 0.7, 3, 4), 0.7);
}

ValueSource golden_values(const std::string& prefix) {
  return [prefix](const std::string& name, const Shape& shape, const Initial& initial) {
    return testing::golden_weights(1.0f)(prefix + name, shape, initial);
  };
}

TEST(DistillationLoss, OneStepEqualsTorch) {
  const SafeTensors golden(std::filesystem::path(INK_SOURCE_DIR) /
                           "tests/golden/distill.safetensors");
  const Tensor offsets = golden.tensor("batch.offsets");
  std::vector<std::vector<int32_t>> ids, segments;
  for (int64_t b = 0; b + 1 < offsets.dim(0); ++b) {
    const int32_t begin = offsets.data<int32_t>()[b], end = offsets.data<int32_t>()[b + 1];
    ids.push_back(to_vector<int32_t>(slice(golden.tensor("batch.ids"), 0, begin, end)));
    segments.push_back(to_vector<int32_t>(slice(golden.tensor("batch.segments"), 0, begin, end)));
  }
  const Packed batch = pack(ids, segments);
  const Heads heads{.pooler = true, .classification = true};
  const Model teacher(tiny_config(2, 3, 20, 12), heads, golden_values("teacher."));
  Model student(tiny_config(1, 2, 10, 8), heads, golden_values("student."));

  DistillationConfig config{
      .temperature = 8, .temperature_squared = true, .hard_label_weight = 0.5};
  config.intermediate_matches = {
      {.layer_teacher = 0, .layer_student = 0, .student_size = 8, .teacher_size = 12},
      {.layer_teacher = 2,
       .layer_student = 1,
       .loss = MatchLoss::cos,
       .weight = 2,
       .projection = Activation::tanh,
       .student_size = 8,
       .teacher_size = 12}};
  const DistillationLoss loss(config, Scope(student.parameters, golden_values("")));

  const auto outputs = [&](const Model& model) -> ModelOutputs {
    Encoded e = model.body(batch, {.all_hidden = true});
    return {.logits = model.classification->logits(model.body.pool(e.hidden, batch.offsets)),
            .hidden = std::move(e.all_hidden)};
  };
  const ModelOutputs wanted = outputs(teacher);
  Tape tape;
  tape.watch(student.parameters);
  const DistillationLoss::Result result =
      loss(outputs(student), wanted,
           {.labels = golden.tensor("batch.labels"), .offsets = batch.offsets}, 0, 1);
  EXPECT_NEAR(result.total.item(), golden.tensor("total").item(),
              2e-6 * golden.tensor("total").item());
  for (const Measure& part : result.parts) {
    const double expected = golden.tensor(part.name).item();
    EXPECT_NEAR(part.value.item(), expected, 2e-6 * std::max(1.0, expected)) << part.name;
  }
  const Gradients gradients = tape.backward(result.total);
  size_t compared = 0;
  for (const Parameter& p : student.parameters) {
    const Tensor reference = golden.tensor("grad." + p.name);
    ASSERT_TRUE(gradients[p.value]) << p.name;
    EXPECT_LT(distance(gradients[p.value], reference), 3e-6 * testing::largest(reference) + 1e-7)
        << p.name;
    ++compared;
  }
  EXPECT_EQ(compared, 5u + 16 + 4 + 4);  // embeddings, layer, pooler and classifier, projections
}

}  // namespace
}  // namespace ink
