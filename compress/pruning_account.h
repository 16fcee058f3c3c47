// The account of a pruning, pruning.json in the folder of the pruned model: what was decided and
// why.
//
//   {"head_mask": [[1, 0, …], …], "ffn_mask": …,      the result, 1 = kept; rows as those of masks
//    "head_importance": …, "ffn_importance": …,       as first measured, 0 where it had gone
//    "steps": [{"head_importance": …, "ffn_importance": …, "head_mask": …, "ffn_mask": …}, …],
//    "layer_mask": …, "layer_importance": …, "channel_mask": …, "channel_importance": …,
//    "before": {"hidden_size": 768, "heads_per_layer": …, "ffn_per_layer": …, "parameters": …},
//    "after": …,
//    "speed": {"batch": 1, "length": 128, …},         compress/pruning_speed.h, where it was timed
//    "config": {"target_num_of_heads": …, …},         the keys of PruningConfig
//    "measured": {"task": "classification", "max_length": 128, …}}
//
// What did not happen is absent: heads where only neurons were pruned, importance and steps where
// masks were given.
#pragma once
#include "compress/choose_masks.h"

namespace ink {

// Sizes of a model, known without making it.
Json sizes_of(const ModelConfig& config, const Heads& heads);

// `measured` says on what; `model` is the one before.
Json pruning_account(const Model& model, const Pruning& pruning, const PruningConfig& config,
                     Json measured);

}  // namespace ink
