// RecoveryConfig from and to JSON.
#include "compress/recovery_config.h"

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr int64_t kMost = 1 << 20;

double between(const Json& json, const char* key, double otherwise, double low, double high) {
  const double value = json.real(key, otherwise);
  check(value >= low && value <= high, "", json.where(key), ": expected a number from ", low,
        " to ", high, ", got ", value);
  return value;
}

}  // namespace

RecoveryConfig RecoveryConfig::from_json(const Json& json, bool labelled) {
  check_keys(json, {"epochs", "batch_size", "learning_rate", "warm_up", "weight_decay", "distil",
                    "temperature", "hard_label_weight"});
  RecoveryConfig c;
  if (json.has("epochs")) c.epochs = json.integer_between("epochs", 1, kMost);
  if (json.has("batch_size")) c.batch_size = json.integer_between("batch_size", 1, kMost);
  c.learning_rate = between(json, "learning_rate", c.learning_rate, 0, 1);
  check(c.learning_rate > 0, "", json.where("learning_rate"),
        ": at 0 nothing would be learnt; expected a number above 0, or no recovery");
  c.warm_up = between(json, "warm_up", c.warm_up, 0, 1);
  c.weight_decay = between(json, "weight_decay", c.weight_decay, 0, 1);
  c.distil = json.boolean("distil", false);
  for (const char* key : {"temperature", "hard_label_weight"})
    check(c.distil || !json.has(key), "", json.where(key), ": is for \"distil\": true");
  c.temperature = between(json, "temperature", c.temperature, 0.01, 1000);
  c.hard_label_weight = between(json, "hard_label_weight", labelled ? 1 : 0, 0, 1000);
  return c;
}

Json RecoveryConfig::to_json() const {
  Json json = Json::make_object({{"epochs", epochs},
                                 {"batch_size", batch_size},
                                 {"learning_rate", learning_rate},
                                 {"warm_up", warm_up},
                                 {"weight_decay", weight_decay},
                                 {"distil", distil}});
  if (distil) json.set("temperature", temperature).set("hard_label_weight", hard_label_weight);
  return json;
}

}  // namespace ink
