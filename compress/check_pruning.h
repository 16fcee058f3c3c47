// What of a pruning is known to be impossible before anything is measured, cut or trained.
#pragma once
#include "compress/pruning_config.h"
#include "nn/config.h"

namespace ink {

// The model that layers and channels leave, before heads and neurons go. Which layers stay is not
// known yet: of those that may, it has the widest.
ModelConfig widest_left(const ModelConfig& whole, const PruningConfig& config);

// Raises Error, which says what to ask for instead, for layers that there are not, channels and
// layers that the family does not let go, targets above the present sizes, sizes that no layer can
// have (min_heads and multiples above what the narrowest has; even ones, where layers or weights
// differ), and a cost table that is not there or does not fit. Where layers of several sizes go by
// importance, heads and neurons should suit whichever stay. Whether a target's budget can be
// reached is check_reachable's to say (compress/element_costs.h).
void check_pruning(const ModelConfig& whole, const PruningConfig& config);

}  // namespace ink
