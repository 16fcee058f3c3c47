// The way to the targets of a pruning: how much is left after each of its steps.
#pragma once
#include <cstdint>
#include <vector>

#include "compress/pruning_config.h"
#include "compress/surgery.h"

namespace ink {

// Totals after each of `steps` steps from `from` to `to` in nearly equal parts, larger ones first.
std::vector<int64_t> schedule_totals(int64_t from, int64_t to, int64_t steps);

// What a step of heads and neurons keeps in all layers together; 0 leaves that kind alone. Of
// neurons it is those of one network of each layer.
struct ElementAim {
  int64_t heads = 0, ffn = 0;
};

// From the present sizes to target_num_of_heads and target_ffn_size, a pair for each step, or with
// a pruning_order one kind after the other. Raises Error for targets above the present sizes.
std::vector<ElementAim> element_aims(const PrunableSizes& sizes, const PruningConfig& config);

// From the present hidden size to target_hidden_size, in multiples of hidden_multiple_of. A size on
// the way at which nothing would project the embeddings (compress/stream_surgery.h) is passed over
// for the next smaller one.
std::vector<int64_t> hidden_sizes(const ModelConfig& model, const PruningConfig& config);

// Of dropped layers, layers, channels, heads and neurons together.
int64_t number_of_steps(const PruningConfig& config);

}  // namespace ink
