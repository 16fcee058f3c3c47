// DistillationConfig from and to JSON.
#include "compress/distillation_config.h"

#include <algorithm>
#include <array>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr std::array<const char*, 5> kKdLosses = {"ce", "mse", "kl", "bce", "regression"};
constexpr std::array<const char*, 3> kSchedules = {"none", "linear_decay", "linear_growth"};

WeightSchedule schedule_in(const Json& json, const char* key) {
  const Json* value = json.find(key);
  if (!value || value->is_null()) return WeightSchedule::none;
  return static_cast<WeightSchedule>(
      choice(json, key, {kSchedules[0], kSchedules[1], kSchedules[2]}));
}

double weight_in(const Json& json, const char* key, double otherwise) {
  const double weight = json.real(key, otherwise);
  check(weight >= 0, "", json.where(key), ": expected a weight of at least 0, got ", weight);
  return weight;
}

// ["flsw", β, γ], ["flsw", {"beta": β, "gamma": γ}], ["cwsm", β], or "none" or "constant".
TemperatureSchedule read_temperatures(const Json& json, const char* key) {
  using Kind = TemperatureSchedule::Kind;
  const Json* value = json.find(key);
  if (!value || value->is_null()) return {};
  const auto expected = [&](bool ok) {
    check(ok, "", json.where(key),
          ": expected \"none\", \"constant\", [\"flsw\", beta, gamma] or [\"cwsm\", beta], got ",
          value->to_string());
  };
  if (value->is_string()) {
    expected(value->as_string() == "none" || value->as_string() == "constant");
    return {};
  }
  expected(value->is_array() && value->size() > 0 && value->items()[0].is_string());
  const std::string& name = value->string(0);
  expected(name == "flsw" || name == "cwsm");
  TemperatureSchedule schedule{.kind = name == "flsw" ? Kind::flsw : Kind::cwsm};
  const bool flsw = schedule.kind == Kind::flsw;
  const bool named = value->size() == 2 && value->items()[1].is_object();
  expected(named || value->size() == (flsw ? 3U : 2U));
  if (named && flsw) check_keys(value->object(1), {"beta", "gamma"});
  if (named && !flsw) check_keys(value->object(1), {"beta"});
  schedule.beta = named ? value->object(1).real("beta") : value->real(1);
  if (flsw) schedule.gamma = named ? value->object(1).real("gamma") : value->real(2);
  check(schedule.gamma >= 0, "", json.where(key), ": expected a gamma of at least 0, got ",
        schedule.gamma);
  return schedule;
}

Json temperatures_to_json(const TemperatureSchedule& schedule) {
  switch (schedule.kind) {
    case TemperatureSchedule::Kind::none: return "none";
    case TemperatureSchedule::Kind::flsw:
      return Json::make_array({"flsw", schedule.beta, schedule.gamma});
    case TemperatureSchedule::Kind::cwsm: return Json::make_array({"cwsm", schedule.beta});
  }
  fail("distill: unknown temperature schedule ", static_cast<int>(schedule.kind));
}

void check_together(const DistillationConfig& c, const Json& json) {
  check(!c.is_caching_logits || !c.has_matches(), "", json.where("is_caching_logits"),
        ": logits alone are cached; expected false where ",
        c.emd.empty() ? "intermediate_matches are" : "emd is", " given");
  check(!c.compatible || !c.temperature_squared, "", json.where("temperature_squared"),
        ": TextBrewer has no such factor; expected false with \"compatible\"");
  check(c.compatible || c.inputs_mask, "", json.where("inputs_mask"),
        ": there is no padding here to compare; expected false with \"compatible\" only");
  check(c.kd_loss_type != KdLoss::bce || !c.probability_shift, "", json.where("probability_shift"),
        ": it moves the one true label to the front; expected false with kd_loss_type bce");
  check(c.kd_loss_type != KdLoss::regression || !c.probability_shift, "",
        json.where("probability_shift"), ": expected false with kd_loss_type regression");
}

}  // namespace

const char* name_of(KdLoss loss) { return kKdLosses[static_cast<size_t>(loss)]; }

KdLoss kd_loss_in(const Json& json) {
  return static_cast<KdLoss>(
      choice(json, "kd_loss_type",
             {kKdLosses[0], kKdLosses[1], kKdLosses[2], kKdLosses[3], kKdLosses[4]}));
}

double scheduled_weight(WeightSchedule schedule, double configured, int64_t step, int64_t steps) {
  if (step == 0 || schedule == WeightSchedule::none) return configured;
  const double x = static_cast<double>(step) / static_cast<double>(steps);
  return schedule == WeightSchedule::linear_decay ? 1 - x : x;
}

DistillationConfig DistillationConfig::from_json(const Json& json) { return from_json(json, {}); }

DistillationConfig DistillationConfig::from_json(const Json& json,
                                                 const DistillationConfig& otherwise) {
  check_keys(json,
             {"temperature", "temperature_scheduler", "temperature_squared", "hard_label_weight",
              "hard_label_weight_scheduler", "kd_loss_type", "kd_loss_weight",
              "kd_loss_weight_scheduler", "probability_shift", "intermediate_matches", "emd",
              "is_caching_logits", "compatible", "inputs_mask"});
  DistillationConfig config = otherwise;
  config.temperature = json.real("temperature", config.temperature);
  check(config.temperature > 0, "", json.where("temperature"), ": expected more than 0, got ",
        config.temperature);
  if (json.has("temperature_scheduler"))
    config.temperature_scheduler = read_temperatures(json, "temperature_scheduler");
  config.temperature_squared = json.boolean("temperature_squared", config.temperature_squared);
  config.hard_label_weight = weight_in(json, "hard_label_weight", config.hard_label_weight);
  if (json.has("hard_label_weight_scheduler"))
    config.hard_label_weight_scheduler = schedule_in(json, "hard_label_weight_scheduler");
  if (json.has("kd_loss_type")) config.kd_loss_type = kd_loss_in(json);
  config.kd_loss_weight = weight_in(json, "kd_loss_weight", config.kd_loss_weight);
  if (json.has("kd_loss_weight_scheduler"))
    config.kd_loss_weight_scheduler = schedule_in(json, "kd_loss_weight_scheduler");
  config.probability_shift = json.boolean("probability_shift", config.probability_shift);
  if (json.has("intermediate_matches"))
    config.intermediate_matches = matches_from_json(json, "intermediate_matches");
  if (json.has("emd")) config.emd = emds_from_json(json, "emd");
  config.is_caching_logits = json.boolean("is_caching_logits", config.is_caching_logits);
  config.compatible = json.boolean("compatible", config.compatible);
  config.inputs_mask = json.boolean("inputs_mask", config.inputs_mask);
  check_together(config, json);
  return config;
}

Json DistillationConfig::to_json() const {
  Json matches = Json::make_array();
  for (const IntermediateMatch& match : intermediate_matches) matches.append(match_to_json(match));
  Json all = Json::make_object(
      {{"temperature", temperature},
       {"temperature_scheduler", temperatures_to_json(temperature_scheduler)},
       {"temperature_squared", temperature_squared},
       {"hard_label_weight", hard_label_weight},
       {"hard_label_weight_scheduler",
        kSchedules[static_cast<size_t>(hard_label_weight_scheduler)]},
       {"kd_loss_type", name_of(kd_loss_type)},
       {"kd_loss_weight", kd_loss_weight},
       {"kd_loss_weight_scheduler", kSchedules[static_cast<size_t>(kd_loss_weight_scheduler)]},
       {"probability_shift", probability_shift},
       {"intermediate_matches", std::move(matches)},
       {"is_caching_logits", is_caching_logits},
       {"compatible", compatible},
       {"inputs_mask", inputs_mask}});
  if (emd.empty()) return all;
  Json layers = Json::make_array();
  for (const EmdMatch& match : emd) layers.append(emd_to_json(match));
  return all.set("emd", std::move(layers));
}

void DistillationConfig::settle(const ModelSize& teacher, const ModelSize& student) {
  check_matches(intermediate_matches, teacher, student);
  for (EmdMatch& match : emd) settle_emd(match, teacher, student);
}

bool DistillationConfig::compares_logits() const {
  return kd_loss_weight > 0 || kd_loss_weight_scheduler != WeightSchedule::none;
}

bool DistillationConfig::learns_labels() const {
  return hard_label_weight > 0 || hard_label_weight_scheduler != WeightSchedule::none;
}

bool DistillationConfig::matches_hidden() const {
  const auto hidden = [](const IntermediateMatch& m) {
    return feature_of(m.loss) == MatchFeature::hidden;
  };
  return std::ranges::any_of(intermediate_matches, hidden) ||
         std::ranges::any_of(emd, hidden, &EmdMatch::pair);
}

bool DistillationConfig::matches_attention() const {
  const auto attention = [](const IntermediateMatch& m) {
    return feature_of(m.loss) != MatchFeature::hidden;
  };
  return std::ranges::any_of(intermediate_matches, attention) ||
         std::ranges::any_of(emd, attention, &EmdMatch::pair);
}

void check_learns(const DistillationConfig& config) {
  const auto counts = [](const IntermediateMatch& match) { return match.weight > 0; };
  check(config.kd_loss_weight > 0 || config.hard_label_weight > 0 ||
            std::ranges::any_of(config.intermediate_matches, counts) ||
            std::ranges::any_of(config.emd, counts, &EmdMatch::pair),
        "distill: nothing is left to learn at the first step, which has the configured weights "
        "whatever their schedulers say: kd_loss_weight and hard_label_weight are 0, and no match "
        "has a weight; expected one of them above 0 (a small one, where it is to grow)");
}

void check_recompute(const DistillationConfig& config, bool recompute) {
  check(!recompute || !config.matches_attention(),
        "distill: recomputed layers keep no attention to match; expected recompute off, or matches "
        "of hidden states alone");
}

}  // namespace ink
