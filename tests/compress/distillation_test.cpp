// Distillation's configuration, losses and one step, against TextBrewer's values and torch.
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
  EXPECT_ERROR(read(R"({"kd_loss_type": "kl"})"),
               "kd_loss_type: unknown value 'kl'; expected one of ce, mse");
  EXPECT_ERROR(read(R"({"temperature": 0})"), "temperature: expected more than 0, got 0");
  EXPECT_ERROR(read(
                   R"({"intermediate_matches": [
          {"layer_T": 1, "layer_S": 1, "feature": "hidden", "loss": "mse"}]})"),
               "unknown value 'mse'; expected one of hidden_mse, cos");
  EXPECT_ERROR(
      read(R"({"intermediate_matches": [{"layer_T": 1, "feature": "hidden", "loss": "cos"}]})"),
      "layer_S");
}

TEST(DistillationConfig, MatchesAreCheckedAgainstTheModels) {
  DistillationConfig c;
  c.intermediate_matches = {{.layer_teacher = 5, .layer_student = 1}};
  EXPECT_ERROR(check_matches(c, {4, 48}, {2, 48}),
               "wants layer_T 5, but the teacher has hidden layers 0 to 4");
  c.intermediate_matches = {{.layer_teacher = 4, .layer_student = 2}};
  check_matches(c, {4, 48}, {2, 48});
  EXPECT_ERROR(check_matches(c, {4, 48}, {2, 24}), "needs \"proj\": [\"linear\", 24, 48]");
  c.intermediate_matches = even_matches({4, 48}, {2, 24});
  check_matches(c, {4, 48}, {2, 24});
  ASSERT_EQ(c.intermediate_matches.size(), 3u);
  EXPECT_EQ(c.intermediate_matches[1].layer_teacher, 2);
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

// S_k = sin(k), T_k = cos(0.7·k), k = 1, 2, … in row-major order.
Tensor waves(Shape shape, bool teacher) {
  Tensor x(shape, Dtype::f64);
  for (int64_t i = 0; i < x.size(); ++i) {
    const auto k = static_cast<double>(i + 1);
    x.data<double>()[i] = teacher ? std::cos(0.7 * k) : std::sin(k);
  }
  return x;
}

TEST(DistillationLoss, ValuesOfTextBrewer) {
  const Tensor s = waves({2, 3}, false), t = waves({2, 3}, true);
  const auto kd = [&](KdLoss type, double temperature) {
    return kd_loss(s, t, type, temperature).item();
  };
  EXPECT_NEAR(kd(KdLoss::ce, 1), 1.054434337, 1e-9);
  EXPECT_NEAR(kd(KdLoss::ce, 4), 1.095340350, 1e-9);
  EXPECT_NEAR(kd(KdLoss::ce, 8), 1.097778098, 1e-9);
  EXPECT_NEAR(kd(KdLoss::mse, 1), 0.174849087, 1e-9);
  EXPECT_NEAR(kd(KdLoss::mse, 4), 0.010928068, 1e-9);
  EXPECT_NEAR(kd(KdLoss::mse, 8), 0.002732017, 1e-9);
  // two sequences of three tokens; with the mask [[1,1,1],[1,1,0]] the last
  // token is simply not there
  const Tensor hs = waves({6, 4}, false), ht = waves({6, 4}, true);
  const auto match = [&](MatchLoss loss, int64_t tokens) {
    return match_loss(slice(hs, 0, 0, tokens), slice(ht, 0, 0, tokens), loss).item();
  };
  EXPECT_NEAR(match(MatchLoss::hidden_mse, 6), 0.907967021, 1e-9);
  EXPECT_NEAR(match(MatchLoss::hidden_mse, 5), 0.940915839, 1e-9);
  EXPECT_NEAR(match(MatchLoss::cos, 6), 0.898056042, 1e-9);
  EXPECT_NEAR(match(MatchLoss::cos, 5), 0.945401750, 1e-9);
  EXPECT_ERROR(kd_loss(s, waves({2, 4}, true), KdLoss::ce, 1),
               "logits of one shape, got (2, 3) and (2, 4)");
}

// Rows of x (B, L, C) where mask is 1.
Tensor packed_rows(const Tensor& x, const Tensor* mask) {
  std::vector<int32_t> rows;
  for (int32_t i = 0; i < x.dim(0) * x.dim(1); ++i)
    if (!mask || mask->data<int32_t>()[i]) rows.push_back(i);
  return gather_rows(reshape(x, {-1, x.dim(2)}), from(rows));
}

TEST(DistillationLoss, ValuesAndGradientsOfTextBrewersRuns) {
  const std::filesystem::path folder = runs_of("textbrewer");
  const SafeTensors tensors(folder / "runs.safetensors");
  const Json json = parse_json(read_file(folder / "runs.json", 1 << 24), "runs.json");
  int compared = 0;
  for (const auto& [name, value] : json.object("losses").members()) {
    const bool kd =
        (name.starts_with("kd_ce.") || name.starts_with("kd_mse.")) && value.has("temperature");
    const bool match = name.starts_with("hidden_mse.") || name.starts_with("cos.");
    if ((!kd && !match) || value.has("probability_shift")) continue;
    Tensor s = clone(tensors.tensor("in." + value.array("student").string(0)));
    const Tensor t = tensors.tensor("in." + value.array("teacher").string(0));
    const std::string mask_key = kd ? "logits_mask" : "mask";
    const std::string mask_name = value.string(mask_key, "");
    const Tensor mask = mask_name.empty() ? Tensor() : tensors.tensor("in." + mask_name);
    Tape tape;
    tape.watch(s);
    const auto rows = [&](const Tensor& x) {
      return x.rank() == 2 ? x : packed_rows(x, mask ? &mask : nullptr);
    };
    const Tensor loss =
        kd ? kd_loss(rows(s), rows(t), name.starts_with("kd_ce") ? KdLoss::ce : KdLoss::mse,
                     value.real("temperature"))
           : match_loss(rows(s), rows(t),
                        name.starts_with("cos") ? MatchLoss::cos : MatchLoss::hidden_mse);
    EXPECT_NEAR(loss.item(), value.real("value"), 1e-12) << name;
    EXPECT_LT(distance(tape.backward(loss)[s], tensors.tensor(name + ".grad0")), 1e-12) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 2 * (6 + 1) + 4);
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
    return {model.classification->logits(model.body.pool(e.hidden, batch.offsets)),
            std::move(e.all_hidden)};
  };
  const ModelOutputs wanted = outputs(teacher);
  Tape tape;
  tape.watch(student.parameters);
  const DistillationLoss::Result result =
      loss(outputs(student), wanted, golden.tensor("batch.labels"), 0, 1);
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

// TextBrewer's whole step also has losses that are compared above only by name;
// its parts are compared here.
TEST(DistillationLoss, PartsOfTextBrewersStep) {
  const std::filesystem::path folder = runs_of("textbrewer");
  const SafeTensors tensors(folder / "runs.safetensors");
  const Json logged = parse_json(read_file(folder / "runs.json", 1 << 24),
                                 "runs.json")["steps"]["probs_mask"]["logged"];
  const Tensor mask = tensors.tensor("batch.attention_mask");
  for (const int i : {0, 1, 2}) {
    const std::string number = std::to_string(i), twice = std::to_string(2 * i);
    const Tensor s = linear(packed_rows(tensors.tensor("student.hidden" + number), &mask),
                            tensors.tensor("projection" + number + ".weight"),
                            tensors.tensor("projection" + number + ".bias"));
    const Tensor t = packed_rows(tensors.tensor("teacher.hidden" + twice), &mask);
    EXPECT_NEAR(match_loss(s, t, MatchLoss::hidden_mse).item(),
                logged.real("unweighted_hidden_hidden_mse_" + number + '_' + twice), 1e-9);
  }
  const Tensor s = tensors.tensor("student.logits"), t = tensors.tensor("teacher.logits");
  EXPECT_NEAR(kd_loss(s, t, KdLoss::ce, 8).item(), logged.real("unweighted_kd_loss"), 1e-9);
  EXPECT_NEAR(cross_entropy(s, tensors.tensor("batch.labels")).item(),
              logged.real("unweighted_hard_label_loss"), 1e-9);
}

}  // namespace
}  // namespace ink
