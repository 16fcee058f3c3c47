// PruningConfig from and to JSON.
#include "compress/pruning_config.h"

#include <algorithm>
#include <array>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr int64_t kMost = 1 << 24, kMostSteps = 1000;

int64_t target_in(const Json& json, const char* key) {
  const Json* value = json.find(key);
  return value && !value->is_null() ? json.integer_between(key, 1, kMost) : 0;
}

int64_t count_in(const Json& json, const char* key) {
  return json.has(key) ? json.integer_between(key, 1, kMost) : 1;
}

// Each step measures importance on all examples.
int64_t steps_in(const Json& json, const char* key) {
  const int64_t steps = json.integer(key, 1);
  check(steps >= 1 && steps <= kMostSteps, "", json.where(key), ": expected 1 to ", kMostSteps,
        " steps, each of which measures importance anew, got ", steps);
  return steps;
}

// Different numbers of layers, in ascending order.
std::vector<int64_t> numbers_in(const Json& json, const char* key) {
  std::vector<int64_t> numbers;
  if (!json.has(key) || json[key].is_null()) return numbers;
  const Json& list = json.array(key);
  for (size_t i = 0; i < list.size(); ++i) numbers.push_back(list.integer_between(i, 0, kMost));
  std::ranges::sort(numbers);
  check(std::ranges::adjacent_find(numbers) == numbers.end(), "", json.where(key),
        ": expected each layer once");
  return numbers;
}

Json target_to_json(int64_t target) { return target ? Json(target) : Json(); }

PruningOrder order_in(const Json& json) {
  const Json* order = json.find("pruning_order");
  if (!order || order->is_null()) return PruningOrder::together;
  return choice(json, "pruning_order", {"head-first", "ffn-first"}) == 0 ? PruningOrder::head_first
                                                                         : PruningOrder::ffn_first;
}

// Raises Error unless an even target is a multiple of what `key` says.
void check_multiple(const Json& json, const char* key, int64_t multiple, const char* target_key,
                    int64_t target) {
  check(target % multiple == 0, "", json.where(key), ": expected a divisor of ", target_key, ' ',
        target, ", got ", multiple);
}

// Raises Error for a key that is set although nothing that the file asks for heeds it.
void check_heeded(const Json& json, const char* key, bool set, bool heeded, const char* needs) {
  check(!set || heeded, "", json.where(key), ": has no effect without ", needs,
        "; expected that beside it, or leave ", key, " out");
}

void check_effects(const Json& json, const PruningConfig& c) {
  const bool heads = c.target || c.target_num_of_heads, ffn = c.target || c.target_ffn_size;
  check_heeded(json, "head_multiple_of", c.head_multiple_of > 1, heads,
               "target_num_of_heads or a target");
  check_heeded(json, "min_heads", c.min_heads > 1, heads, "target_num_of_heads or a target");
  check_heeded(json, "multiple_of", c.multiple_of > 1, ffn, "target_ffn_size or a target");
  check_heeded(json, "hidden_multiple_of", c.hidden_multiple_of > 1, c.target_hidden_size > 0,
               "target_hidden_size");
  check_heeded(json, "layer_importance", c.layers_by_loss, c.target_num_of_layers > 0,
               "target_num_of_layers");
  check_heeded(json, "pruning_order", c.pruning_order != PruningOrder::together,
               c.target_num_of_heads && c.target_ffn_size,
               "target_num_of_heads and target_ffn_size, which take turns");
  check_heeded(json, "n_iters", c.n_iters > 1, c.measures(), "a target");
  check_heeded(json, "per", c.per_example, c.measures(), "a target");
  check_heeded(json, "use_logits", c.use_logits, c.measures() || c.recovery,
               "a target or recovery");
}

// Raises Error for fewest elements of a layer that are more than the target leaves it on average.
void check_fewest(const Json& json, const char* key, int64_t fewest, const char* target_key,
                  int64_t target) {
  check(!target || fewest <= target, "", json.where(key), ": leaves every layer ", fewest,
        " or more; expected at most ", target_key, ", which is ", target);
}

void check_together(const Json& json, const PruningConfig& c) {
  const bool iterative = c.pruning_method == PruningMethod::iterative;
  check(c.cuts() || !iterative, "", json.where(),
        ": the iterative method needs target_ffn_size, target_num_of_heads or both, or another "
        "target");
  check(!c.target || (!c.target_ffn_size && !c.target_num_of_heads), "", json.where("target"),
        ": says what heads and neurons may cost together; expected no target_ffn_size and no "
        "target_num_of_heads beside it");
  check(!c.target || c.pruning_order == PruningOrder::together, "", json.where("pruning_order"),
        ": expected none beside a target, for which heads and neurons compete");
  check(!c.recovery || iterative, "", json.where("recovery"),
        ": trains after each step; expected \"pruning_method\": \"iterative\"");
  check(!c.recovery || !c.use_logits || (c.recovery->distil && !c.recovery->hard_label_weight), "",
        json.where("recovery"),
        ": without labels (use_logits) only the model itself can teach; expected \"distil\": true "
        "and \"hard_label_weight\": 0");
  check(!c.layers_by_loss || !c.use_logits, "", json.where("layer_importance"),
        ": \"loss\" is that of labels; expected use_logits false");
  check(!c.per_example || !c.use_logits, "", json.where("per"),
        ": is for scores of labels; expected use_logits false");
  check_fewest(json, "min_heads", c.min_heads, "target_num_of_heads", c.target_num_of_heads);
  check_fewest(json, "head_multiple_of", c.head_multiple_of, "target_num_of_heads",
               c.target_num_of_heads);
  if (!c.compatible)
    check_fewest(json, "multiple_of", c.multiple_of, "target_ffn_size", c.target_ffn_size);
  check(!c.compatible || (c.head_multiple_of == 1 && !c.per_example), "", json.where("compatible"),
        ": TextPruner has no head_multiple_of and no per; expected neither beside it");
  check(!c.compatible || (!c.target && !c.recovery && !c.target_hidden_size &&
                          !c.target_num_of_layers && c.drop_layers.empty()),
        "", json.where("compatible"),
        ": TextPruner cuts heads and neurons alone; expected no target, recovery, "
        "target_hidden_size, target_num_of_layers and drop_layers beside it");
  check_effects(json, c);
  check_multiple(json, "hidden_multiple_of", c.hidden_multiple_of, "target_hidden_size",
                 c.target_hidden_size);
  if (c.ffn_even_masking && !c.compatible)
    check_multiple(json, "multiple_of", c.multiple_of, "target_ffn_size", c.target_ffn_size);
  if (c.head_even_masking)
    check_multiple(json, "head_multiple_of", c.head_multiple_of, "target_num_of_heads",
                   c.target_num_of_heads);
}

// TextPruner writes null for what is not wanted.
bool given(const Json& json, const char* key) { return json.has(key) && !json[key].is_null(); }

}  // namespace

PruningConfig PruningConfig::from_json(const Json& json) {
  check_keys(json, {"target_ffn_size",
                    "target_num_of_heads",
                    "pruning_method",
                    "ffn_even_masking",
                    "head_even_masking",
                    "n_iters",
                    "multiple_of",
                    "pruning_order",
                    "use_logits",
                    "head_multiple_of",
                    "min_heads",
                    "per",
                    "compatible",
                    "config_class",
                    "target_hidden_size",
                    "hidden_multiple_of",
                    "target_num_of_layers",
                    "drop_layers",
                    "layer_importance",
                    "target",
                    "recovery"});
  if (json.has("config_class")) choice(json, "config_class", {"TransformerPruningConfig"});
  PruningConfig config;
  config.target_ffn_size = target_in(json, "target_ffn_size");
  config.target_num_of_heads = target_in(json, "target_num_of_heads");
  if (given(json, "target")) config.target = PruningTarget::from_json(json.object("target"));
  config.use_logits = json.boolean("use_logits", false);
  if (given(json, "recovery"))
    config.recovery = RecoveryConfig::from_json(json.object("recovery"), !config.use_logits);
  config.ffn_even_masking = json.boolean("ffn_even_masking", !config.target);
  config.head_even_masking = json.boolean("head_even_masking", !config.target);
  config.target_hidden_size = target_in(json, "target_hidden_size");
  config.hidden_multiple_of = count_in(json, "hidden_multiple_of");
  config.target_num_of_layers = target_in(json, "target_num_of_layers");
  config.drop_layers = numbers_in(json, "drop_layers");
  config.layers_by_loss =
      json.has("layer_importance") && choice(json, "layer_importance", {"gate", "loss"}) == 1;
  config.n_iters = steps_in(json, "n_iters");
  config.multiple_of = count_in(json, "multiple_of");
  config.pruning_order = order_in(json);
  if (json.has("pruning_method"))
    config.pruning_method =
        static_cast<PruningMethod>(choice(json, "pruning_method", {"masks", "iterative"}));
  else if (config.target || config.target_hidden_size || config.target_num_of_layers ||
           !config.drop_layers.empty() || config.recovery)
    config.pruning_method = PruningMethod::iterative;  // TextPruner, which has none of these, has
                                                       // another default
  config.head_multiple_of = count_in(json, "head_multiple_of");
  config.min_heads = count_in(json, "min_heads");
  config.per_example = json.has("per") && choice(json, "per", {"batch", "example"}) == 1;
  config.compatible = json.boolean("compatible", false);
  check_together(json, config);
  return config;
}

Json PruningConfig::to_json() const {
  constexpr std::array<const char*, 3> orders = {nullptr, "head-first", "ffn-first"};
  const char* order = orders[static_cast<size_t>(pruning_order)];
  Json json = Json::make_object(
      {{"config_class", "TransformerPruningConfig"},
       {"target_ffn_size", target_to_json(target_ffn_size)},
       {"target_num_of_heads", target_to_json(target_num_of_heads)},
       {"pruning_method", pruning_method == PruningMethod::masks ? "masks" : "iterative"},
       {"ffn_even_masking", ffn_even_masking},
       {"head_even_masking", head_even_masking},
       {"n_iters", n_iters},
       {"multiple_of", multiple_of},
       {"pruning_order", order ? Json(order) : Json()},
       {"use_logits", use_logits},
       {"head_multiple_of", head_multiple_of},
       {"min_heads", min_heads},
       {"per", per_example ? "example" : "batch"},
       {"compatible", compatible},
       {"target_hidden_size", target_to_json(target_hidden_size)},
       {"hidden_multiple_of", hidden_multiple_of},
       {"target_num_of_layers", target_to_json(target_num_of_layers)},
       {"drop_layers", Json::make_array({drop_layers.begin(), drop_layers.end()})},
       {"layer_importance", layers_by_loss ? "loss" : "gate"}});
  if (target) json.set("target", target->to_json());
  if (recovery) json.set("recovery", recovery->to_json());
  return json;
}

}  // namespace ink
