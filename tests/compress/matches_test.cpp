// Intermediate matches: their JSON, TextBrewer's presets, and what is refused before training.
#include "compress/matches.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/tape.h"
#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

std::vector<IntermediateMatch> read(const std::string& list) {
  return DistillationConfig::from_json(
             parse_json(R"({"intermediate_matches": )" + list + "}", "distill.json"))
      .intermediate_matches;
}

std::string written(const std::vector<IntermediateMatch>& matches) {
  Json list = Json::make_array();
  for (const IntermediateMatch& match : matches) list.append(match_to_json(match));
  return list.to_string();
}

TEST(Matches, EveryKeyIsReadAndWritten) {
  const std::string list =
      R"([{"layer_T":4,"layer_S":2,"feature":"hidden","loss":"pkd","weight":0.5,)"
      R"("proj":["relu",24,48,{"lr":0.25,"weight_decay":0.0}]},)"
      R"({"layer_T":[4,3],"layer_S":[2,1],"feature":"hidden","loss":"nst","weight":1.0},)"
      R"({"layer_T":4,"layer_S":2,"feature":"attention","loss":"attention_ce_mean",)"
      R"("weight":1.0,"attention":"probabilities"},)"
      R"({"layer_T":4,"layer_S":2,"feature":"relation","loss":"minilm_value","weight":1.0,)"
      R"("relation_heads":6}])";
  const std::vector<IntermediateMatch> matches = read(list);
  EXPECT_EQ(written(matches), parse_json(list, "list").to_string());
  ASSERT_EQ(matches.size(), 4u);
  EXPECT_EQ(matches[0].projection, Activation::relu);
  EXPECT_EQ(matches[0].projection_rate, 0.25);
  EXPECT_EQ(matches[0].projection_decay, 0.0);
  EXPECT_EQ(matches[1].second_teacher, 3);
  EXPECT_EQ(matches[2].attention, AttentionMaps::probabilities);
  EXPECT_EQ(matches[3].relation_heads, 6);
  EXPECT_EQ(matches[0].name(), "hidden_pkd_2_4");
  EXPECT_EQ(matches[1].name(), "hidden_nst_2-1_4-3");
  EXPECT_EQ(matches[2].name(), "attention_attention_ce_mean_2_4");
  EXPECT_EQ(matches[3].name(), "relation_minilm_value_2_4");
}

TEST(Matches, OtherNamesOfTheSameLosses) {
  const auto one = [](const char* loss) {
    return read(std::string(R"([{"layer_T": [1, 1], "layer_S": [0, 0], "feature": "hidden",
                             "loss": ")") +
                loss + "\"}]")[0];
  };
  EXPECT_EQ(one("gram").loss, MatchLoss::fsp);
  EXPECT_EQ(one("mmd").loss, MatchLoss::nst);
}

// The layers of a preset as "T-S T-S …".
std::string layers_of(std::string_view preset) {
  std::string text;
  for (const IntermediateMatch& m : match_preset(preset)) {
    text += (text.empty() ? "" : " ") + std::to_string(m.layer_teacher) + '-' +
            std::to_string(m.layer_student);
    if (takes_pairs(m.loss)) {
      EXPECT_EQ(m.second_teacher, m.layer_teacher);
      EXPECT_EQ(m.second_student, m.layer_student);
    }
  }
  return text;
}

TEST(Matches, PresetsOfTextBrewer) {
  EXPECT_EQ(layers_of("L3_hidden_mse"), "0-0 4-1 8-2 12-3");
  EXPECT_EQ(layers_of("L3_hidden_smmd"), "0-0 4-1 8-2 12-3");
  EXPECT_EQ(layers_of("L3_attention_ce"), "4-1 8-2 12-3");
  EXPECT_EQ(layers_of("L4t_hidden_mse"), "0-0 3-1 6-2 9-3 12-4");
  EXPECT_EQ(layers_of("L4t_hidden_sgram"), "0-0 3-1 6-2 9-3 12-4");
  EXPECT_EQ(layers_of("L4_attention_mse_sum"), "3-1 6-2 9-3 12-4");
  EXPECT_EQ(layers_of("L6_hidden_smmd"), "0-0 2-1 4-2 6-3 8-4 10-5 12-6");
  EXPECT_EQ(layers_of("small_hidden_mse"), "0-0 2-2 4-4 6-6 8-8 10-10 12-12");
  EXPECT_EQ(match_preset("L4t_hidden_sgram")[1].loss, MatchLoss::fsp);
  EXPECT_EQ(match_preset("L3_attention_ce_mean")[0].loss, MatchLoss::attention_ce_mean);
  const ModelSize base{
      .layers = 12, .hidden = 768, .heads = std::vector<int64_t>(12, 12), .head_size = 64};
  const auto student = [](int64_t layers, int64_t hidden) {
    return ModelSize{.layers = layers,
                     .hidden = hidden,
                     .heads = std::vector<int64_t>(static_cast<size_t>(layers), 12),
                     .head_size = hidden / 12};
  };
  for (const std::string_view name : match_presets()) {
    const std::vector<IntermediateMatch> matches = match_preset(name);
    const int64_t layers = name[0] == 's' ? 12 : name[1] - '0', width = matches[0].student_size;
    check_matches(matches, base, student(layers, width > 0 ? width : 768));
    EXPECT_EQ(matches.back().layer_teacher, 12) << name;
    EXPECT_EQ(matches.back().layer_student, layers) << name;
  }
  EXPECT_EQ(match_presets().size(), 19u);
}

// Every list gives a loss and gradients where a BERT-base teaches a student of its size.
TEST(Matches, PresetsOfTextBrewerAreLearnedFrom) {
  const Tensor offsets = from(std::vector<int32_t>{0, 3, 5});
  const auto outputs = [&](int64_t layers, int64_t width, uint64_t seed) {
    ModelOutputs o;
    const auto states = [&] { return randn({5, width}, seed++, Dtype::f32); };
    o.logits = randn({2, 3}, seed++, Dtype::f32);
    for (int64_t i = 0; i <= layers; ++i) o.hidden.push_back(states());
    for (int64_t i = 0; i < layers; ++i) o.attention.push_back({states(), states(), states()});
    o.heads.assign(static_cast<size_t>(layers), 12);
    return o;
  };
  const ModelOutputs teacher = outputs(12, 768, 1);
  for (const std::string_view name : match_presets()) {
    DistillationConfig config{.kd_loss_weight = 0};
    config.intermediate_matches = match_preset(name);
    const int64_t layers = name[0] == 's' ? 12 : name[1] - '0';
    const int64_t width = config.intermediate_matches[0].student_size;
    ModelOutputs student = outputs(layers, width > 0 ? width : 768, 1000);
    Parameters parameters;
    const DistillationLoss loss(config, Scope(parameters, random_values(Random(1))));
    Tape tape;
    tape.watch(parameters);
    for (Tensor& x : student.hidden) tape.watch(x);
    for (AttentionInputs& x : student.attention) tape.watch(x.query);
    const auto result = loss(
        student, teacher, {.labels = from(std::vector<int32_t>{0, 2}), .offsets = offsets}, 0, 1);
    EXPECT_TRUE(std::isfinite(result.total.item())) << name;
    EXPECT_GT(result.total.item(), 0) << name;
    const Gradients gradients = tape.backward(result.total);
    const IntermediateMatch& last = config.intermediate_matches.back();
    const auto at = static_cast<size_t>(last.layer_student);
    EXPECT_TRUE(
        gradients[feature_of(last.loss) == MatchFeature::hidden ? student.hidden[at]
                                                                : student.attention[at - 1].query])
        << name;
    for (const Parameter& p : parameters) EXPECT_TRUE(gradients[p.value]) << name << ' ' << p.name;
  }
}

TEST(Matches, PresetsStandInListsByName) {
  EXPECT_EQ(read(R"(["L3_hidden_mse", "L3_hidden_smmd"])").size(), 8u);
  EXPECT_EQ(read(R"("L3_hidden_mse")").size(), 4u);
  const auto mixed = read(R"(["L3_hidden_mse", {"layer_T": 12, "layer_S": 3, "feature": "attention",
                                               "loss": "attention_mse"}])");
  ASSERT_EQ(mixed.size(), 5u);
  EXPECT_EQ(mixed[4].loss, MatchLoss::attention_mse);
  EXPECT_ERROR(read(R"(["L3_hidden_mmd"])"),
               "unknown preset 'L3_hidden_mmd'; did you mean 'L3_hidden_smmd'?");
  EXPECT_ERROR(read(R"(["nothing of the kind"])"), "expected one of L3_hidden_mse, ");
}

TEST(Matches, WrongOnesAreRefusedWhenRead) {
  const auto one = [](const std::string& feature, const std::string& loss,
                      const std::string& rest = "") {
    return read(R"([{"layer_T": 1, "layer_S": 1, "feature": ")" + feature + R"(", "loss": ")" +
                loss + '"' + rest + "}]");
  };
  EXPECT_ERROR(one("hidden", "hiden_mse"),
               "loss: unknown loss 'hiden_mse'; did you mean 'hidden_mse'?");
  EXPECT_ERROR(one("hidden", "x"), "unknown loss 'x'; expected one of hidden_mse, cos, pkd");
  EXPECT_ERROR(one("attention", "cos"), "loss cos compares \"hidden\", got \"attention\"");
  EXPECT_ERROR(one("hidden", "minilm_value"), "loss minilm_value compares \"relation\"");
  EXPECT_ERROR(one("hidden", "fsp"), "loss fsp is of two layers; expected [i, j], got 1");
  EXPECT_ERROR(read(R"([{"layer_T": [1, 1], "layer_S": 1, "feature": "hidden", "loss": "cos"}])"),
               "layer_T: loss cos is of one layer; expected an integer, got [1, 1]");
  EXPECT_ERROR(read(R"([{"layer_T": [1], "layer_S": [1], "feature": "hidden", "loss": "nst"}])"),
               "expected [i, j], got [1]");
  EXPECT_ERROR(one("hidden", "cos", R"(, "proj": ["cubic", 2, 3])"), "unknown projection 'cubic'");
  EXPECT_ERROR(one("hidden", "cos", R"(, "proj": ["linear", 2])"),
               "expected [kind, student size, teacher size]");
  EXPECT_ERROR(one("hidden", "cos", R"(, "proj": ["linear", 2, 3, {"rate": 1}])"),
               "unknown key 'rate'; known keys: lr, weight_decay");
  EXPECT_ERROR(one("hidden", "cos", R"(, "proj": ["linear", 2, 3, {"lr": -1}])"),
               "lr: expected a number from 0 on, got -1");
  EXPECT_ERROR(one("hidden", "cos", R"(, "proj": ["linear", 2, 3, 1e-3])"),
               "expected [kind, student size, teacher size] or, behind these, {\"lr\": …}");
  EXPECT_ERROR(one("attention", "attention_ce", R"(, "proj": ["linear", 2, 3])"),
               "proj: expected with feature \"hidden\" only");
  EXPECT_ERROR(one("hidden", "cos", R"(, "attention": "scores")"),
               "attention: expected with feature \"attention\" only");
  EXPECT_ERROR(one("hidden", "cos", R"(, "relation_heads": 2)"), "\"relation\" only");
  EXPECT_ERROR(one("attention", "attention_ce", R"(, "attention": "raw")"),
               "expected one of scores, probabilities");
  EXPECT_ERROR(one("hidden", "cos", R"(, "weight": -1)"), "expected a weight of at least 0");
  EXPECT_ERROR(one("hidden", "cos", R"(, "wieght": 1)"), "did you mean 'weight'?");
}

ModelSize sized(int64_t layers, int64_t hidden, int64_t heads, int64_t head_size) {
  return {.layers = layers,
          .hidden = hidden,
          .heads = std::vector<int64_t>(static_cast<size_t>(layers), heads),
          .head_size = head_size};
}

TEST(Matches, AreCheckedAgainstTheModels) {
  const ModelSize teacher = sized(4, 48, 4, 12), student = sized(2, 24, 3, 8);
  const auto check_one = [&](const IntermediateMatch& match) {
    check_matches({match}, teacher, student);
  };
  EXPECT_ERROR(check_one({.layer_teacher = 5}),
               "wants layer_T 5, but the teacher has hidden layers 0 to 4");
  EXPECT_ERROR(check_one({.layer_student = 3}),
               "wants layer_S 3, but the student has hidden layers 0 to 2");
  EXPECT_ERROR(check_one({.layer_teacher = 4, .layer_student = 2}),
               "hidden_hidden_mse_2_4 needs \"proj\": [\"linear\", 24, 48]");
  check_one({.student_size = 24, .teacher_size = 48});
  EXPECT_ERROR(check_one({.student_size = 24, .teacher_size = 47}),
               "projects 24 to 47, but student and teacher have 24 and 48 channels");
  EXPECT_ERROR(check_one({.student_size = 23, .teacher_size = 48}), "projects 23 to 48");
  check_one({.loss = MatchLoss::nst});  // of any two widths
  EXPECT_ERROR(check_one({.loss = MatchLoss::fsp}), "needs \"proj\": [\"linear\", 24, 48]");
  EXPECT_ERROR(check_one({.loss = MatchLoss::nst, .second_teacher = 5}),
               "hidden_nst_0-0_0-5 wants layer_T 5");
  EXPECT_ERROR(check_one({.layer_student = 1, .loss = MatchLoss::attention_ce}),
               "wants layer_T 0, but the teacher has attention layers 1 to 4");
  const auto attention = [](MatchLoss loss) {
    return IntermediateMatch{.layer_teacher = 4, .layer_student = 2, .loss = loss};
  };
  EXPECT_ERROR(check_one(attention(MatchLoss::attention_mse)),
               "the student's layer has 3 and the teacher's 4; use attention_mse_sum");
  EXPECT_ERROR(check_one(attention(MatchLoss::attention_ce)), "use attention_ce_mean");
  EXPECT_ERROR(check_one(attention(MatchLoss::minilm_value)), "give relation_heads");
  check_one(attention(MatchLoss::attention_mse_sum));
  check_one(attention(MatchLoss::attention_ce_mean));
  IntermediateMatch relation = attention(MatchLoss::minilm_value);
  relation.relation_heads = 6;
  check_one(relation);
  relation.relation_heads = 16;
  EXPECT_ERROR(check_one(relation), "cuts 24 channels into 16 relation_heads; expected a divisor");
  EXPECT_ERROR(check_matches({attention(MatchLoss::attention_mse_sum)}, {4, 48}, student),
               "needs the attention of the teacher, which has none that can be matched");
  EXPECT_ERROR(
      check_matches({attention(MatchLoss::attention_mse_sum)}, teacher, sized(2, 24, 0, 8)),
      "a layer without heads (student 0, teacher 4)");
}

TEST(Matches, AreSpreadEvenly) {
  const std::vector<IntermediateMatch> matches = even_matches({4, 48}, {2, 24});
  check_matches(matches, {4, 48}, {2, 24});
  ASSERT_EQ(matches.size(), 3u);
  EXPECT_EQ(matches[1].layer_teacher, 2);
  EXPECT_TRUE(matches[1].projected());
  EXPECT_FALSE(even_matches({4, 48}, {2, 24}, MatchLoss::nst)[1].projected());
  EXPECT_ERROR(even_matches({4, 48}, {2, 24}, MatchLoss::attention_ce),
               "even matches are of hidden states, got attention_ce");
}

TEST(DistillationConfig, TemperatureSchedulesOfTextBrewer) {
  using Kind = TemperatureSchedule::Kind;
  const auto read_config = [](const std::string& text) {
    return DistillationConfig::from_json(parse_json(text, "distill.json"));
  };
  const auto schedule = [&](const std::string& value) {
    return read_config(R"({"temperature_scheduler": )" + value + "}").temperature_scheduler;
  };
  EXPECT_EQ(schedule("\"none\"").kind, Kind::none);
  EXPECT_EQ(schedule("\"constant\"").kind, Kind::none);
  EXPECT_EQ(schedule("[\"flsw\", 1, 2]").gamma, 2);
  EXPECT_EQ(schedule(R"(["flsw", {"beta": 3, "gamma": 2}])").beta, 3);
  EXPECT_EQ(schedule("[\"cwsm\", 0.5]").kind, Kind::cwsm);
  EXPECT_ERROR(schedule("\"flsw\""), "[\"flsw\", beta, gamma] or [\"cwsm\", beta], got \"flsw\"");
  EXPECT_ERROR(schedule("[\"flsw\", 1]"), "temperature_scheduler: expected");
  EXPECT_ERROR(schedule("[\"cwsm\", 1, 2]"), "temperature_scheduler: expected");
  EXPECT_ERROR(schedule("[\"warm\", 1]"), "temperature_scheduler: expected");
  EXPECT_ERROR(schedule("[\"flsw\", 1, -1]"), "expected a gamma of at least 0, got -1");
  for (const char* text : {R"({"temperature_scheduler": ["flsw", 1.0, 2.0]})",
                           R"({"temperature_scheduler": ["cwsm", 0.5]})"}) {
    const std::string once = read_config(text).to_json().to_string();
    EXPECT_EQ(read_config(once).to_json().to_string(), once);
  }
  EXPECT_ERROR(read_config(R"({"compatible": true, "temperature_squared": true})"),
               "temperature_squared: TextBrewer has no such factor");
  EXPECT_ERROR(read_config(R"({"inputs_mask": false})"),
               "inputs_mask: there is no padding here to compare");
  EXPECT_ERROR(read_config(R"({"kd_loss_type": "bce", "probability_shift": true})"),
               "probability_shift: it moves the one true label");
}

}  // namespace
}  // namespace ink
