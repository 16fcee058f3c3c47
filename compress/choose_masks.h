// Choosing what of a model stays: importance measured and masks made, step by step, without any
// training unless the model recovers between the steps.
//
//   const Pruning pruning = choose_masks(model, batches, config);
//   const Model smaller = pruned_model(model, pruning.masks);
#pragma once
#include <span>

#include "compress/pruned_model.h"
#include "compress/pruning_config.h"
#include "compress/pruning_measure.h"
#include "compress/pruning_progress.h"

namespace ink {

// Chooses masks in config.n_iters steps of each kind: first layers, then hidden channels, then
// heads and FFNs. Each measures the importance of what is left on `batches` and masks down to the
// next total of the schedule (compress/pruning_schedule.h), or to the next part of the way to what
// the target allows (compress/element_costs.h). With an order there are twice as many steps of
// heads and FFNs, in turns. Targets of a layer are of those that are left. `recover`, where given,
// trains after each step that has made the model smaller, and the next one measures what came of
// it. `model` is not changed. Raises Error before anything is measured for what check_pruning and
// check_reachable refuse (compress/check_pruning.h, compress/element_costs.h).
Pruning choose_masks(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring = {},
                     const Notice& notice = {}, const Recover& recover = {});

}  // namespace ink
