// Choosing what of a model stays: importance measured and masks made, step by step, without any
// training.
//
//   const Pruning pruning = choose_masks(model, batches, config);
//   const Model smaller = pruned_model(model, pruning.masks);
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compress/importance.h"
#include "compress/masks.h"
#include "compress/pruning_config.h"
#include "nn/model_folder.h"
#include "tasks/task.h"

namespace ink {

// What a step of pruning measured and decided; heads or FFNs are empty in steps that concern the
// other alone. Everything is in terms of the model before: what an earlier step has dropped has the
// importance 0.
struct PruningStep {
  ImportanceScores importance = {};
  Masks masks = {};  // of everything kept so far
};

struct Pruning {
  std::vector<PruningStep> steps;
  Masks masks;  // the result; relative to the model before
};

// What importance is measured by (compress/scoring.h).
struct ScoringOptions {
  const Task* task = nullptr;  // of the labels; null: classification
  uint64_t seed = 1;           // of drawn labels
  // Of a compatible config with use_logits: decision_logits of each batch by the reference; empty:
  // half_precision_logits of the model.
  std::vector<std::vector<Tensor>> reference = {};
};

// Chooses masks in config.n_iters steps. Each measures the importance of what is left on `batches`
// and masks down to the next total of the schedule (compress/masks.h). With an order there are
// twice as many steps, heads and FFNs in turns. `model` is not changed. Raises Error for targets
// above the present sizes, and where layers that share weights would be masked unevenly.
Pruning choose_masks(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring = {},
                     const Notice& notice = {});

// The model that masks leave, in memory of its own.
Model pruned_model(const Model& model, const Masks& masks);
// The same with zeros where the masks drop, in the shapes that it has.
Model masked_model(const Model& model, const Masks& masks);

}  // namespace ink
