// Importance, masks and sizes as JSON.
#include "compress/pruning_account.h"

#include "compress/surgery.h"
#include "nn/parameter_count.h"

namespace ink {
namespace {

void set_rows(Json& json, const char* key, const Importance& importance) {
  if (importance.empty()) return;
  Json rows = Json::make_array();
  for (const std::vector<double>& layer : importance)
    rows.append(Json::make_array({layer.begin(), layer.end()}));
  json.set(key, std::move(rows));
}

void set_row(Json& json, const char* key, const std::vector<double>& importance) {
  if (importance.empty()) return;
  json.set(key, Json::make_array({importance.begin(), importance.end()}));
}

// What was not measured is left out, and so is what the object has already.
void set_importance(Json& json, const ImportanceScores& importance) {
  if (!json.has("head_importance")) set_rows(json, "head_importance", importance.heads);
  if (!json.has("ffn_importance")) set_rows(json, "ffn_importance", importance.ffn);
  if (!json.has("layer_importance")) set_row(json, "layer_importance", importance.layers);
  if (!json.has("channel_importance")) set_row(json, "channel_importance", importance.channels);
}

Json step_to_json(const PruningStep& step) {
  Json json = Json::make_object();
  set_importance(json, step.importance);
  const Json masks = to_json(step.masks);
  for (const auto& [key, rows] : masks.members()) json.set(key, rows);
  return json;
}

Json array_of(const std::vector<int64_t>& values) {
  return Json::make_array({values.begin(), values.end()});
}

}  // namespace

Json sizes_of(const ModelConfig& config, const Heads& heads) {
  return Json::make_object({{"hidden_size", config.hidden_size},
                            {"heads_per_layer", array_of(config.heads_per_layer)},
                            {"ffn_per_layer", array_of(config.ffn_per_layer)},
                            {"parameters", parameter_count(config, heads)}});
}

Json pruning_account(const Model& model, const Pruning& pruning, const PruningConfig& config,
                     Json measured) {
  Json json = to_json(pruning.masks);
  Json steps = Json::make_array();
  for (const PruningStep& step : pruning.steps) {
    set_importance(json, step.importance);
    steps.append(step_to_json(step));
  }
  if (!pruning.steps.empty()) json.set("steps", std::move(steps));
  return json.set("before", sizes_of(model.config, model.heads))
      .set("after", sizes_of(pruned_config(model.config, pruning.masks), model.heads))
      .set("config", config.to_json())
      .set("measured", std::move(measured));
}

}  // namespace ink
