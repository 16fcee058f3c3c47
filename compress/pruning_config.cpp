// PruningConfig from and to JSON.
#include "compress/pruning_config.h"

#include <array>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr int64_t kMost = 1 << 24;

int64_t target_in(const Json& json, const char* key) {
  const Json* value = json.find(key);
  return value && !value->is_null() ? json.integer_between(key, 1, kMost) : 0;
}

int64_t count_in(const Json& json, const char* key) {
  return json.has(key) ? json.integer_between(key, 1, kMost) : 1;
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

void check_together(const Json& json, const PruningConfig& c) {
  const bool targeted = c.target_ffn_size || c.target_num_of_heads;
  check(targeted || c.pruning_method == PruningMethod::masks, "", json.where(),
        ": the iterative method needs target_ffn_size, target_num_of_heads or both");
  check(!c.per_example || !c.use_logits, "", json.where("per"),
        ": is for scores of labels; expected use_logits false");
  check(!c.compatible || (c.head_multiple_of == 1 && !c.per_example), "", json.where("compatible"),
        ": TextPruner has no head_multiple_of and no per; expected neither beside it");
  if (c.ffn_even_masking && !c.compatible)
    check_multiple(json, "multiple_of", c.multiple_of, "target_ffn_size", c.target_ffn_size);
  if (c.head_even_masking)
    check_multiple(json, "head_multiple_of", c.head_multiple_of, "target_num_of_heads",
                   c.target_num_of_heads);
}

}  // namespace

PruningConfig PruningConfig::from_json(const Json& json) {
  check_keys(json, {"target_ffn_size", "target_num_of_heads", "pruning_method", "ffn_even_masking",
                    "head_even_masking", "n_iters", "multiple_of", "pruning_order", "use_logits",
                    "head_multiple_of", "min_heads", "per", "compatible", "config_class"});
  if (json.has("config_class")) choice(json, "config_class", {"TransformerPruningConfig"});
  PruningConfig config;
  config.target_ffn_size = target_in(json, "target_ffn_size");
  config.target_num_of_heads = target_in(json, "target_num_of_heads");
  if (json.has("pruning_method"))
    config.pruning_method =
        static_cast<PruningMethod>(choice(json, "pruning_method", {"masks", "iterative"}));
  config.ffn_even_masking = json.boolean("ffn_even_masking", true);
  config.head_even_masking = json.boolean("head_even_masking", true);
  config.n_iters = count_in(json, "n_iters");
  config.multiple_of = count_in(json, "multiple_of");
  config.pruning_order = order_in(json);
  config.use_logits = json.boolean("use_logits", false);
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
  return Json::make_object(
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
       {"compatible", compatible}});
}

}  // namespace ink
