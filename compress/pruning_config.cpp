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

}  // namespace

PruningConfig PruningConfig::from_json(const Json& json) {
  check_keys(json, {"target_ffn_size", "target_num_of_heads", "pruning_method", "ffn_even_masking",
                    "head_even_masking", "n_iters", "multiple_of", "pruning_order", "min_heads",
                    "config_class"});
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
  config.min_heads = count_in(json, "min_heads");
  const Json* order = json.find("pruning_order");
  if (order && !order->is_null())
    config.pruning_order = choice(json, "pruning_order", {"head-first", "ffn-first"}) == 0
                               ? PruningOrder::head_first
                               : PruningOrder::ffn_first;

  const bool targeted = config.target_ffn_size || config.target_num_of_heads;
  check(targeted || config.pruning_method == PruningMethod::masks, "", json.where(),
        ": the iterative method needs target_ffn_size, target_num_of_heads or both");
  check(!config.ffn_even_masking || config.target_ffn_size % config.multiple_of == 0, "",
        json.where("multiple_of"), ": expected a divisor of target_ffn_size ",
        config.target_ffn_size, ", got ", config.multiple_of);
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
       {"min_heads", min_heads}});
}

}  // namespace ink
