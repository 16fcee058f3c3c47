// PruningConfig: how far and in which steps to prune, as TextPruner's TransformerPruningConfig.
//
//   {"target_ffn_size": 512, "target_num_of_heads": 2, "pruning_method": "iterative", "n_iters": 4}
//
// Even masking keeps as many heads, or neurons, in every layer ("HP": homogenous pruning); uneven
// masking lets every layer have its own number, wherever importance is ("UHF": uneven heads and
// FFNs). Both may be mixed.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "compress/pruning_target.h"
#include "compress/recovery_config.h"
#include "tensor/json.h"

namespace ink {

enum class PruningMethod : uint8_t { masks, iterative };  // given masks; by importance
// null, "head-first", "ffn-first"
enum class PruningOrder : uint8_t { together, head_first, ffn_first };

struct PruningConfig {
  // Neurons and heads a layer, on average; 0 (null in JSON): they stay as they are. A target of 0
  // in JSON, which TextPruner takes for "prune nothing", is refused.
  int64_t target_ffn_size = 0;
  int64_t target_num_of_heads = 0;
  PruningMethod pruning_method = PruningMethod::masks;
  bool ffn_even_masking = true;  // the same number in every layer; otherwise wherever importance is
  bool head_even_masking = true;
  int64_t n_iters = 1;      // steps, each with importance measured anew
  int64_t multiple_of = 1;  // of FFN sizes; TextPruner heeds it for uneven ones alone
  PruningOrder pruning_order = PruningOrder::together;
  bool use_logits = false;  // importance without labels (compress/scoring.h)

  // Not keys of TextPruner:
  int64_t head_multiple_of = 1;  // of heads a layer
  int64_t min_heads = 1;         // kept in every layer
  // "per": "batch" or "example": what of a labelled loss the absolute value is taken of.
  bool per_example = false;
  // Everything as TextPruner does it: multiple_of is for uneven FFNs alone, an empty layer is given
  // one element back, and without labels importance is measured against half-precision logits of
  // the model itself rather than by drawn labels.
  bool compatible = false;
  // Channels of the residual stream and layers (compress/stream_surgery.h); 0: they stay. Layers in
  // drop_layers, counted from 0, go first, whatever their importance.
  int64_t target_hidden_size = 0;
  int64_t hidden_multiple_of = 1;
  int64_t target_num_of_layers = 0;
  std::vector<int64_t> drop_layers = {};
  // "layer_importance": "gate" or "loss", how much the loss grows without the layer.
  bool layers_by_loss = false;
  // What heads and neurons together may cost, instead of how many of each. Masking is uneven then,
  // unless it is asked to be even.
  std::optional<PruningTarget> target = {};
  std::optional<RecoveryConfig> recovery = {};  // training after each step

  bool elements_go() const { return target || target_ffn_size || target_num_of_heads; }
  bool measures() const { return elements_go() || target_hidden_size || target_num_of_layers; }
  bool cuts() const { return measures() || !drop_layers.empty(); }

  // Raises Error for unknown keys and values, for an iterative method without a target, where an
  // even target is no multiple as asked, for keys that do not go together, and for keys that
  // nothing in the file heeds.
  static PruningConfig from_json(const Json& json);
  Json to_json() const;
};

}  // namespace ink
