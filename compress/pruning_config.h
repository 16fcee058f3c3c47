// PruningConfig: how far and in which steps to prune, as TextPruner's TransformerPruningConfig.
//
//   {"target_ffn_size": 512, "target_num_of_heads": 2, "pruning_method": "iterative", "n_iters": 4}
#pragma once
#include <cstdint>

#include "tensor/json.h"

namespace ink {

enum class PruningMethod : uint8_t { masks, iterative };  // given masks; by importance
// null, "head-first", "ffn-first"
enum class PruningOrder : uint8_t { together, head_first, ffn_first };

struct PruningConfig {
  int64_t target_ffn_size = 0;      // neurons a layer, on average; 0 (null): FFNs stay as they are
  int64_t target_num_of_heads = 0;  // heads a layer, on average; 0 (null): heads stay as they are
  PruningMethod pruning_method = PruningMethod::masks;
  bool ffn_even_masking = true;  // the same number in every layer; otherwise wherever importance is
  bool head_even_masking = true;
  int64_t n_iters = 1;      // steps, each with importance measured anew
  int64_t multiple_of = 1;  // of FFN sizes
  PruningOrder pruning_order = PruningOrder::together;
  int64_t min_heads = 1;  // kept in every layer (not a key of TextPruner, which keeps 1)

  // Raises Error for unknown keys and values, for an iterative method without a target, and where
  // multiple_of does not divide an even target_ffn_size.
  static PruningConfig from_json(const Json& json);
  Json to_json() const;
};

}  // namespace ink
