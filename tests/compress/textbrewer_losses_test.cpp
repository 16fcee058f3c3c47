// Every loss, its gradient and its temperatures against TextBrewer's own runs, in f64 and f32.
#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/tape.h"
#include "compress/losses/attention.h"
#include "compress/losses/gram.h"
#include "compress/losses/hidden.h"
#include "compress/losses/logits.h"
#include "compress/losses/temperature.h"
#include "tensor/file.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

// The recorded inputs of one type, and what their mask says.
class Inputs {
 public:
  explicit Inputs(Dtype dtype) : dtype_(dtype) {}

  // "S2", or "aS[:,0]", the first head of it.
  Tensor of(const std::string& name) const {
    const size_t head = name.find("[:,0]");
    const Tensor x = clone(converted(file_.tensor("in." + name.substr(0, head)), dtype_));
    if (head == std::string::npos) return x;
    return clone(reshape(slice(x, 1, 0, 1), x.rank() == 4 ? Shape{x.dim(0), x.dim(2), x.dim(3)}
                                                          : Shape{x.dim(0), x.dim(2)}));
  }
  Tensor labels(const std::string& name) const { return file_.tensor("in." + name); }
  Tensor tensor(const std::string& name) const { return file_.tensor(name); }

  // Offsets of (B, L): of the tokens of the mask, or of all.
  Tensor offsets(bool masked) const {
    const Tensor mask = file_.tensor("in.mask");
    std::vector<int32_t> at = {0};
    for (int64_t b = 0; b < mask.dim(0); ++b) {
      int32_t length = masked ? 0 : static_cast<int32_t>(mask.dim(1));
      for (int64_t i = 0; masked && i < mask.dim(1); ++i)
        length += mask.data<int32_t>()[b * mask.dim(1) + i];
      at.push_back(at.back() + length);
    }
    return from(at);
  }
  // Rows of x (B, L, C) that count, (N, C). Recorded.
  Tensor rows(const Tensor& x, bool masked) const {
    const Tensor mask = file_.tensor("in.mask");
    std::vector<int32_t> kept;
    for (int32_t i = 0; i < mask.size(); ++i)
      if (!masked || mask.data<int32_t>()[i]) kept.push_back(i);
    return gather_rows(reshape(x, {-1, x.dim(2)}), from(kept));
  }

 private:
  SafeTensors file_{runs_of("textbrewer") / "runs.safetensors"};
  Dtype dtype_;
};

Tensor kd_of(const Inputs& in, const std::string& name, const Json& run, const Tensor& s) {
  const KdLoss type = name.starts_with("kd_ce") ? KdLoss::ce : KdLoss::mse;
  Tensor t = in.of(run.array("teacher").string(0)), student = s;
  if (run.has("probability_shift"))
    t = probability_shift(t, in.labels(run.string("probability_shift")));
  if (run.has("logits_mask")) {
    t = in.rows(t, true);
    student = in.rows(s, true);
  }
  if (!run.has("temperature_scheduler")) return kd_loss(student, t, type, run.real("temperature"));
  const Json& scheduler = run.array("temperature_scheduler");
  const bool flsw = scheduler.string(0) == "flsw";
  const TemperatureSchedule schedule{
      .kind = flsw ? TemperatureSchedule::Kind::flsw : TemperatureSchedule::Kind::cwsm,
      .beta = scheduler.real(1),
      .gamma = flsw ? scheduler.real(2) : 1};
  return kd_loss(student, t, type,
                 row_temperatures(schedule, student, t, run.real("base_temperature"), false));
}

Tensor hidden_of(const Inputs& in, const std::string& name, const Json& run,
                 const std::vector<Tensor>& s) {
  const bool masked = !run["mask"].is_null();
  if (name == "pkd.2d") return pkd_loss(s[0], in.of(run.array("teacher").string(0)), Tensor());
  std::vector<Tensor> student, teacher;
  for (size_t i = 0; i < run.array("teacher").size(); ++i) {
    student.push_back(in.rows(s[std::min(i, s.size() - 1)], masked));
    teacher.push_back(in.rows(in.of(run.array("teacher").string(i)), masked));
  }
  const Sequences sequences(in.offsets(masked));
  if (name.starts_with("hidden_mse")) return hidden_mse_loss(student[0], teacher[0]);
  if (name.starts_with("cos")) return hidden_cos_loss(student[0], teacher[0]);
  if (name.starts_with("pkd")) return pkd_loss(student[0], teacher[0], in.offsets(masked));
  const LayerPair pair{student[0], student[1]}, wanted{teacher[0], teacher[1]};
  return name.starts_with("fsp") ? fsp_loss(pair, wanted, sequences)
                                 : nst_loss(pair, wanted, sequences);
}

Tensor attention_of(const Inputs& in, const std::string& name, const Json& run, const Tensor& s) {
  const bool masked = !run["mask"].is_null();
  const auto maps = [](const Tensor& x) {
    return x.rank() == 4 ? x : reshape(x, {x.dim(0), 1, x.dim(1), x.dim(2)});
  };
  const Tensor t = maps(in.of(run.array("teacher").string(0)));
  const std::string loss = name.substr(0, name.find('.'));
  const AttentionLossOptions options{
      .over_heads = loss.ends_with("_sum") || loss.ends_with("_mean"), .negative_as_zero = !masked};
  const Sequences sequences(in.offsets(masked));
  return loss.starts_with("attention_mse") ? attention_mse_loss(maps(s), t, sequences, options)
                                           : attention_ce_loss(maps(s), t, sequences, options);
}

Tensor loss_of(const Inputs& in, const std::string& name, const Json& run,
               const std::vector<Tensor>& students) {
  if (name.starts_with("kd_")) return kd_of(in, name, run, students[0]);
  if (name.starts_with("attention_")) return attention_of(in, name, run, students[0]);
  return hidden_of(in, name, run, students);
}

class TextBrewersLosses : public ::testing::TestWithParam<Dtype> {};

TEST_P(TextBrewersLosses, ValuesAndGradients) {
  const double tolerance = GetParam() == Dtype::f64 ? 1e-12 : 1e-6;
  const Inputs in(GetParam());
  const Json json =
      parse_json(read_file(runs_of("textbrewer") / "runs.json", 1 << 24), "runs.json");
  int compared = 0;
  for (const auto& [name, run] : json.object("losses").members()) {
    if (name.starts_with("nst_pypi")) continue;  // divided by the padded length
    std::vector<std::string> names;
    std::vector<Tensor> students;
    Tape tape;
    for (const Json& student : run.array("student").items()) {
      if (std::ranges::find(names, student.as_string()) != names.end()) continue;
      names.push_back(student.as_string());
      tape.watch(students.emplace_back(in.of(names.back())));
    }
    const Tensor loss = loss_of(in, name, run, students);
    const double value = run.real("value");
    EXPECT_NEAR(loss.item(), value, tolerance * std::max(1.0, value)) << name;
    const Gradients gradients = tape.backward(loss);
    for (size_t k = 0; k < students.size(); ++k) {
      const Tensor wanted = in.tensor(name + ".grad" + std::to_string(k));
      EXPECT_LT(distance(gradients[students[k]], wanted), tolerance) << name << " of " << names[k];
    }
    ++compared;
  }
  EXPECT_EQ(compared, 75);
}

TEST_P(TextBrewersLosses, TemperaturesAndShiftedLogits) {
  const double tolerance = GetParam() == Dtype::f64 ? 1e-12 : 2e-6;
  const Inputs in(GetParam());
  using Kind = TemperatureSchedule::Kind;
  const auto compare = [&](const TemperatureSchedule& schedule, const std::string& name) {
    for (const std::string rank : {"2", "3"}) {
      const Tensor t = row_temperatures(schedule, in.of("S" + rank), in.of("T" + rank), 4, false);
      const Tensor wanted = in.tensor(name + '.' + rank + "d.tau");
      EXPECT_LT(distance(t, reshape(wanted, {-1})), tolerance) << name;
    }
  };
  compare({.kind = Kind::flsw, .beta = 1, .gamma = 1}, "flsw_1_1");
  compare({.kind = Kind::flsw, .beta = 2, .gamma = 2}, "flsw_2_2");
  compare({.kind = Kind::flsw, .beta = 0.5, .gamma = 3}, "flsw_0.5_3");
  compare({.kind = Kind::cwsm, .beta = 1}, "cwsm_1");
  compare({.kind = Kind::cwsm, .beta = 0.5}, "cwsm_0.5");
  for (const auto& [logits, labels] : {std::pair("T2", "labels"), std::pair("T3", "token_labels")})
    EXPECT_LT(distance(probability_shift(in.of(logits), in.labels(labels)),
                       in.tensor("shifted." + std::string(logits))),
              tolerance);
}

INSTANTIATE_TEST_SUITE_P(Types, TextBrewersLosses, ::testing::Values(Dtype::f64, Dtype::f32),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace ink
