// VocabularyPruningConfig from and to JSON.
#include "compress/vocabulary_pruning_config.h"

#include <array>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr int64_t kMost = 1 << 24, kHighestCount = int64_t{1} << 53;

const Json* given(const Json& json, const char* key) {
  const Json* value = json.find(key);
  return value && !value->is_null() ? value : nullptr;
}

LmHeadPruning head_from(const Json& json) {
  const Json* value = given(json, "prune_lm_head");
  if (!value || (value->is_string() && value->as_string() == "auto"))
    return LmHeadPruning::automatic;
  check(value->type() == Json::Type::boolean, "", json.where("prune_lm_head"),
        ": expected \"auto\", true or false, got ", value->to_string());
  return value->as_boolean() ? LmHeadPruning::required : LmHeadPruning::refused;
}

double coverage_from(const Json& json) {
  if (!given(json, "coverage")) return 0;
  const double share = json.real("coverage");
  check(share > 0 && share <= 1, "", json.where("coverage"),
        ": expected a share of the text's tokens, above 0 and at most 1, got ", share);
  return share;
}

}  // namespace

VocabularyPruningConfig VocabularyPruningConfig::from_json(const Json& json) {
  check_keys(json, {"min_count", "prune_lm_head", "target_size", "coverage", "characters",
                    "additional_tokens", "additional_token_ids", "config_class"});
  if (json.has("config_class")) choice(json, "config_class", {"VocabularyPruningConfig"});
  VocabularyPruningConfig config;
  if (json.has("min_count")) config.min_count = json.integer_between("min_count", 1, kHighestCount);
  config.prune_lm_head = head_from(json);
  if (given(json, "target_size"))
    config.target_size = json.integer_between("target_size", 1, kMost);
  config.coverage = coverage_from(json);
  if (json.has("characters"))
    config.characters =
        static_cast<KeptCharacters>(choice(json, "characters", {"none", "seen", "all"}));
  if (const Json* tokens = given(json, "additional_tokens"))
    for (size_t i = 0; i < tokens->size(); ++i)
      config.additional_tokens.push_back(json.array("additional_tokens").string(i));
  if (const Json* ids = given(json, "additional_token_ids"))
    for (size_t i = 0; i < ids->size(); ++i)
      config.additional_token_ids.push_back(json.array("additional_token_ids").integer(i));
  const int rules = (config.min_count > 1) + (config.target_size > 0) + (config.coverage > 0);
  check(rules <= 1, "", json.where(),
        ": expected one rule, got several of min_count above 1, target_size and coverage");
  return config;
}

Json VocabularyPruningConfig::to_json() const {
  constexpr std::array<const char*, 3> kCharacters = {"none", "seen", "all"};
  Json head = "auto";
  if (prune_lm_head != LmHeadPruning::automatic) head = prune_lm_head == LmHeadPruning::required;
  return Json::make_object(
      {{"config_class", "VocabularyPruningConfig"},
       {"min_count", min_count},
       {"prune_lm_head", std::move(head)},
       {"target_size", target_size ? Json(target_size) : Json()},
       {"coverage", coverage > 0 ? Json(coverage) : Json()},
       {"characters", kCharacters[static_cast<size_t>(characters)]},
       {"additional_tokens",
        Json::make_array({additional_tokens.begin(), additional_tokens.end()})},
       {"additional_token_ids",
        Json::make_array({additional_token_ids.begin(), additional_token_ids.end()})}});
}

}  // namespace ink
