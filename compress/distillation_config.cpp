// DistillationConfig from and to JSON.
#include "compress/distillation_config.h"

#include <array>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr std::array<const char*, 2> kKdLosses = {"ce", "mse"};
constexpr std::array<const char*, 2> kMatchLosses = {"hidden_mse", "cos"};
constexpr std::array<const char*, 3> kSchedules = {"none", "linear_decay", "linear_growth"};
struct NamedProjection {
  const char* name;
  Activation activation;
};
constexpr std::array<NamedProjection, 3> kProjections = {
    {{"linear", Activation::none}, {"relu", Activation::relu}, {"tanh", Activation::tanh}}};

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

void read_projection(const Json& proj, IntermediateMatch& match) {
  check(proj.size() == 3, "", proj.where(), ": expected [kind, student size, teacher size], got ",
        proj.to_string());
  const std::string& kind = proj.string(0);
  size_t i = 0;
  while (i < kProjections.size() && kind != kProjections[i].name) ++i;
  check(i < kProjections.size(), "", proj.where(), ": unknown projection '", kind,
        "'; expected linear, relu or tanh");
  match.projection = kProjections[i].activation;
  match.student_size = proj.integer_between(1, 1, int64_t{1} << 24);
  match.teacher_size = proj.integer_between(2, 1, int64_t{1} << 24);
}

IntermediateMatch read_match(const Json& json) {
  check_keys(json, {"layer_T", "layer_S", "feature", "loss", "weight", "proj"});
  choice(json, "feature", {"hidden"});
  IntermediateMatch match;
  match.layer_teacher = json.integer_between("layer_T", 0, 1 << 20);
  match.layer_student = json.integer_between("layer_S", 0, 1 << 20);
  match.loss = static_cast<MatchLoss>(choice(json, "loss", {kMatchLosses[0], kMatchLosses[1]}));
  match.weight = weight_in(json, "weight", 1);
  if (const Json* proj = json.find("proj"); proj && !proj->is_null())
    read_projection(json.array("proj"), match);
  return match;
}

Json match_to_json(const IntermediateMatch& match) {
  Json json = Json::make_object({{"layer_T", match.layer_teacher},
                                 {"layer_S", match.layer_student},
                                 {"feature", "hidden"},
                                 {"loss", kMatchLosses[static_cast<size_t>(match.loss)]},
                                 {"weight", match.weight}});
  if (!match.projected()) return json;
  for (const NamedProjection& p : kProjections)
    if (p.activation == match.projection)
      json.set("proj", Json::make_array({p.name, match.student_size, match.teacher_size}));
  return json;
}

}  // namespace

double scheduled_weight(WeightSchedule schedule, double configured, int64_t step, int64_t steps) {
  if (step == 0 || schedule == WeightSchedule::none) return configured;
  const double x = static_cast<double>(step) / static_cast<double>(steps);
  return schedule == WeightSchedule::linear_decay ? 1 - x : x;
}

std::string IntermediateMatch::name() const {
  return std::string("hidden_") + kMatchLosses[static_cast<size_t>(loss)] + '_' +
         std::to_string(layer_student) + '_' + std::to_string(layer_teacher);
}

DistillationConfig DistillationConfig::from_json(const Json& json) {
  check_keys(json, {"temperature", "temperature_squared", "hard_label_weight",
                    "hard_label_weight_scheduler", "kd_loss_type", "kd_loss_weight",
                    "kd_loss_weight_scheduler", "intermediate_matches", "is_caching_logits"});
  DistillationConfig config;
  config.temperature = json.real("temperature", config.temperature);
  check(config.temperature > 0, "", json.where("temperature"), ": expected more than 0, got ",
        config.temperature);
  config.temperature_squared = json.boolean("temperature_squared", false);
  config.hard_label_weight = weight_in(json, "hard_label_weight", config.hard_label_weight);
  config.hard_label_weight_scheduler = schedule_in(json, "hard_label_weight_scheduler");
  if (json.has("kd_loss_type"))
    config.kd_loss_type =
        static_cast<KdLoss>(choice(json, "kd_loss_type", {kKdLosses[0], kKdLosses[1]}));
  config.kd_loss_weight = weight_in(json, "kd_loss_weight", config.kd_loss_weight);
  config.kd_loss_weight_scheduler = schedule_in(json, "kd_loss_weight_scheduler");
  const Json* matches = json.find("intermediate_matches");
  if (matches && !matches->is_null())
    for (const Json& match : json.array("intermediate_matches").items())
      config.intermediate_matches.push_back(read_match(match));
  config.is_caching_logits = json.boolean("is_caching_logits", false);
  check(!config.is_caching_logits || config.intermediate_matches.empty(), "",
        json.where("is_caching_logits"),
        ": logits alone are cached; expected false where intermediate_matches are given");
  return config;
}

Json DistillationConfig::to_json() const {
  Json matches = Json::make_array();
  for (const IntermediateMatch& match : intermediate_matches) matches.append(match_to_json(match));
  return Json::make_object(
      {{"temperature", temperature},
       {"temperature_squared", temperature_squared},
       {"hard_label_weight", hard_label_weight},
       {"hard_label_weight_scheduler",
        kSchedules[static_cast<size_t>(hard_label_weight_scheduler)]},
       {"kd_loss_type", kKdLosses[static_cast<size_t>(kd_loss_type)]},
       {"kd_loss_weight", kd_loss_weight},
       {"kd_loss_weight_scheduler", kSchedules[static_cast<size_t>(kd_loss_weight_scheduler)]},
       {"intermediate_matches", std::move(matches)},
       {"is_caching_logits", is_caching_logits}});
}

void check_matches(const DistillationConfig& config, const ModelSize& teacher,
                   const ModelSize& student) {
  for (const IntermediateMatch& m : config.intermediate_matches) {
    const std::string name = m.name();
    check(m.layer_teacher <= teacher.layers, "distill: match ", name, " wants layer_T ",
          m.layer_teacher, ", but the teacher has hidden layers 0 to ", teacher.layers);
    check(m.layer_student <= student.layers, "distill: match ", name, " wants layer_S ",
          m.layer_student, ", but the student has hidden layers 0 to ", student.layers);
    if (m.projected())
      check(m.student_size == student.hidden && m.teacher_size == teacher.hidden, "distill: match ",
            name, " projects ", m.student_size, " to ", m.teacher_size,
            ", but student and teacher have ", student.hidden, " and ", teacher.hidden,
            " channels");
    else
      check(student.hidden == teacher.hidden, "distill: match ", name,
            " needs \"proj\": [\"linear\", ", student.hidden, ", ", teacher.hidden,
            "], because the widths differ");
  }
}

std::vector<IntermediateMatch> even_matches(const ModelSize& teacher, const ModelSize& student,
                                            MatchLoss loss, double weight) {
  check(student.layers > 0 && teacher.layers > 0, "distill: expected models with layers");
  std::vector<IntermediateMatch> matches;
  for (int64_t j = 0; j <= student.layers; ++j) {
    IntermediateMatch match{.layer_teacher = j * teacher.layers / student.layers,
                            .layer_student = j,
                            .loss = loss,
                            .weight = weight};
    if (teacher.hidden != student.hidden) {
      match.student_size = student.hidden;
      match.teacher_size = teacher.hidden;
    }
    matches.push_back(match);
  }
  return matches;
}

}  // namespace ink
