// Names of losses; matches from and to JSON.
#include <algorithm>
#include <array>

#include "compress/matches.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

struct LossEntry {
  std::string_view name;
  MatchLoss loss;
  MatchFeature feature;
};
// In the order of the enumeration; other names of the same losses behind them.
constexpr std::array<LossEntry, 15> kLosses = {
    {{"hidden_mse", MatchLoss::hidden_mse, MatchFeature::hidden},
     {"cos", MatchLoss::cos, MatchFeature::hidden},
     {"pkd", MatchLoss::pkd, MatchFeature::hidden},
     {"fsp", MatchLoss::fsp, MatchFeature::hidden},
     {"nst", MatchLoss::nst, MatchFeature::hidden},
     {"attention_mse", MatchLoss::attention_mse, MatchFeature::attention},
     {"attention_mse_sum", MatchLoss::attention_mse_sum, MatchFeature::attention},
     {"attention_ce", MatchLoss::attention_ce, MatchFeature::attention},
     {"attention_ce_mean", MatchLoss::attention_ce_mean, MatchFeature::attention},
     {"minilm_query_key", MatchLoss::minilm_query_key, MatchFeature::relation},
     {"minilm_value", MatchLoss::minilm_value, MatchFeature::relation},
     {"minilm_query", MatchLoss::minilm_query, MatchFeature::relation},
     {"minilm_key", MatchLoss::minilm_key, MatchFeature::relation},
     {"gram", MatchLoss::fsp, MatchFeature::hidden},
     {"mmd", MatchLoss::nst, MatchFeature::hidden}}};
constexpr std::array<const char*, 3> kFeatures = {"hidden", "attention", "relation"};

struct NamedProjection {
  const char* name;
  Activation activation;
};
constexpr std::array<NamedProjection, 3> kProjections = {
    {{"linear", Activation::none}, {"relu", Activation::relu}, {"tanh", Activation::tanh}}};

const LossEntry& entry_of(MatchLoss loss) { return kLosses[static_cast<size_t>(loss)]; }

// TextBrewer hands these on to its optimizer as a group of parameters.
void read_projection_options(const Json& options, IntermediateMatch& match) {
  check_keys(options, {"lr", "weight_decay"});
  const auto read = [&](const char* key, std::optional<double>& value) {
    if (!options.has(key)) return;
    value = options.real(key);
    check(*value >= 0, "", options.where(key), ": expected a number from 0 on, got ", *value);
  };
  read("lr", match.projection_rate);
  read("weight_decay", match.projection_decay);
}

void read_projection(const Json& proj, IntermediateMatch& match) {
  check(proj.size() == 3 || (proj.size() == 4 && proj.items()[3].is_object()), "", proj.where(),
        ": expected [kind, student size, teacher size] or, behind these, {\"lr\": …}, got ",
        proj.to_string());
  const std::string& kind = proj.string(0);
  const auto* found = std::ranges::find(kProjections, kind, &NamedProjection::name);
  check(found != kProjections.end(), "", proj.where(), ": unknown projection ", in_quotes(kind),
        "; expected linear, relu or tanh");
  match.projection = found->activation;
  match.student_size = proj.integer_between(1, 1, int64_t{1} << 24);
  match.teacher_size = proj.integer_between(2, 1, int64_t{1} << 24);
  if (proj.size() == 4) read_projection_options(proj.object(3), match);
}

Json projection_to_json(const IntermediateMatch& match) {
  const auto* kind =
      std::ranges::find(kProjections, match.projection, &NamedProjection::activation);
  Json json = Json::make_array({kind->name, match.student_size, match.teacher_size});
  Json own = Json::make_object();
  if (match.projection_rate) own.set("lr", *match.projection_rate);
  if (match.projection_decay) own.set("weight_decay", *match.projection_decay);
  if (!own.members().empty()) json.append(std::move(own));
  return json;
}

// An integer, or two of them where the loss takes pairs.
void read_layers(const Json& json, const char* key, MatchLoss loss, int64_t& first,
                 int64_t& second) {
  constexpr int64_t kMost = 1 << 20;
  const bool pair = json[key].is_array();
  check(pair == takes_pairs(loss), "", json.where(key), ": loss ", name_of(loss), " is of ",
        takes_pairs(loss) ? "two layers; expected [i, j]" : "one layer; expected an integer",
        ", got ", json[key].to_string());
  if (!pair) {
    first = json.integer_between(key, 0, kMost);
    return;
  }
  const Json& both = json.array(key);
  check(both.size() == 2, "", json.where(key), ": expected [i, j], got ", both.to_string());
  first = both.integer_between(0, 0, kMost);
  second = both.integer_between(1, 0, kMost);
}

void check_feature(const Json& json, MatchLoss loss) {
  const auto feature = static_cast<MatchFeature>(
      choice(json, "feature", {kFeatures[0], kFeatures[1], kFeatures[2]}));
  check(feature == feature_of(loss), "", json.where("feature"), ": loss ", name_of(loss),
        " compares \"", name_of(feature_of(loss)), "\", got \"", json.string("feature"), '"');
  const auto only = [&](const char* key, MatchFeature with) {
    check(!json.has(key) || feature == with, "", json.where(key), ": expected with feature \"",
          name_of(with), "\" only");
  };
  only("proj", MatchFeature::hidden);
  only("attention", MatchFeature::attention);
  only("relation_heads", MatchFeature::relation);
}

}  // namespace

const char* name_of(MatchLoss loss) { return entry_of(loss).name.data(); }
const char* name_of(MatchFeature feature) { return kFeatures[static_cast<size_t>(feature)]; }
MatchFeature feature_of(MatchLoss loss) { return entry_of(loss).feature; }
bool takes_pairs(MatchLoss loss) { return loss == MatchLoss::fsp || loss == MatchLoss::nst; }
bool needs_one_width(MatchLoss loss) {
  return feature_of(loss) == MatchFeature::hidden && loss != MatchLoss::nst;
}

MatchLoss match_loss_from(const std::string& name, const std::string& where) {
  const auto* found = std::ranges::find(kLosses, name, &LossEntry::name);
  if (found != kLosses.end()) return found->loss;
  std::vector<std::string_view> names;
  names.reserve(kLosses.size());
  for (const LossEntry& entry : kLosses) names.push_back(entry.name);
  fail("", where, ": unknown loss ", in_quotes(name), "; ", correction(name, names));
}

void read_comparison(const Json& json, IntermediateMatch& match) {
  match.loss = match_loss_from(json.string("loss"), json.where("loss"));
  check_feature(json, match.loss);
  match.weight = json.real("weight", 1);
  check(match.weight >= 0, "", json.where("weight"), ": expected a weight of at least 0, got ",
        match.weight);
  if (const Json* proj = json.find("proj"); proj && !proj->is_null())
    read_projection(json.array("proj"), match);
  if (json.has("attention"))
    match.attention =
        static_cast<AttentionMaps>(choice(json, "attention", {"scores", "probabilities"}));
  if (json.has("relation_heads"))
    match.relation_heads = json.integer_between("relation_heads", 0, 1 << 20);
}

IntermediateMatch match_from_json(const Json& json) {
  check_keys(json, {"layer_T", "layer_S", "feature", "loss", "weight", "proj", "attention",
                    "relation_heads"});
  IntermediateMatch match;
  read_comparison(json, match);
  read_layers(json, "layer_T", match.loss, match.layer_teacher, match.second_teacher);
  read_layers(json, "layer_S", match.loss, match.layer_student, match.second_student);
  return match;
}

void write_comparison(const IntermediateMatch& match, Json& json) {
  const MatchFeature feature = feature_of(match.loss);
  json.set("feature", name_of(feature))
      .set("loss", name_of(match.loss))
      .set("weight", match.weight);
  if (feature == MatchFeature::attention)
    json.set("attention", match.attention == AttentionMaps::scores ? "scores" : "probabilities");
  if (feature == MatchFeature::relation) json.set("relation_heads", match.relation_heads);
  if (match.projected()) json.set("proj", projection_to_json(match));
}

Json match_to_json(const IntermediateMatch& match) {
  const auto layers = [&](int64_t first, int64_t second) {
    return takes_pairs(match.loss) ? Json::make_array({first, second}) : Json(first);
  };
  Json json = Json::make_object({{"layer_T", layers(match.layer_teacher, match.second_teacher)},
                                 {"layer_S", layers(match.layer_student, match.second_student)}});
  write_comparison(match, json);
  return json;
}

std::vector<IntermediateMatch> matches_from_json(const Json& object, std::string_view key) {
  std::vector<IntermediateMatch> matches;
  const auto add_preset = [&](const std::string& name) {
    const std::vector<IntermediateMatch> preset = match_preset(name);
    if (preset.empty())
      fail("", object.where(key), ": unknown preset ", in_quotes(name), "; ",
           correction(name, match_presets()));
    matches.insert(matches.end(), preset.begin(), preset.end());
  };
  const Json* value = object.find(key);
  if (!value || value->is_null()) return matches;
  if (value->is_string()) {
    add_preset(value->as_string());
    return matches;
  }
  for (const Json& item : object.array(key).items()) {
    if (item.is_string())
      add_preset(item.as_string());
    else
      matches.push_back(match_from_json(item));
  }
  return matches;
}

}  // namespace ink
