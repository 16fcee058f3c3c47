// Choosing what of a model stays: importance measured and masks made, step by step, without any
// training unless the model recovers between the steps.
//
//   const Pruning pruning = choose_masks(model, batches, config);
//   const Model smaller = pruned_model(model, pruning.masks);
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress/cost_table.h"
#include "compress/importance.h"
#include "compress/masks.h"
#include "compress/pruning_config.h"
#include "nn/model_folder.h"
#include "tasks/task.h"

namespace ink {

// What a step of pruning measured and decided; what a step does not concern is empty. Everything is
// in terms of the model before: what an earlier step has dropped has the importance 0.
struct PruningStep {
  ImportanceScores importance = {};
  Masks masks = {};  // of everything kept so far
};

struct Pruning {
  std::vector<PruningStep> steps;
  Masks masks;                                  // the result; relative to the model before
  std::optional<CostTable> costs = {};          // of a target in milliseconds
  std::shared_ptr<const Model> recovered = {};  // what masks and training have left
};

// Trains what step number `step` has left, on the CPU in f32 before and after.
using Recover = std::function<void(Model& smaller, size_t step)>;

// What importance is measured by (compress/scoring.h).
struct ScoringOptions {
  const Task* task = nullptr;  // of the labels; null: classification
  uint64_t seed = 1;           // of drawn labels
  // Of a compatible config with use_logits: decision_logits of each batch by the reference; empty:
  // half_precision_logits of the model.
  std::vector<std::vector<Tensor>> reference = {};
};

// Chooses masks in config.n_iters steps of each kind: first layers, then hidden channels, then
// heads and FFNs. Each measures the importance of what is left on `batches` and masks down to the
// next total of the schedule (compress/masks.h), or to the next part of the way to what the target
// allows (compress/element_costs.h). With an order there are twice as many steps of heads and FFNs,
// in turns. Targets of a layer are of those that are left. `recover`, where given, trains after
// each step, and the next one measures what came of it. `model` is not changed. Raises Error for
// targets above the present sizes, and where layers that share weights would be masked unevenly.
Pruning choose_masks(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring = {},
                     const Notice& notice = {}, const Recover& recover = {});

// The model that masks leave, in memory of its own.
Model pruned_model(const Model& model, const Masks& masks);
// The same with zeros where the masks drop, in the shapes that it has; not of layers and channels.
Model masked_model(const Model& model, const Masks& masks);

}  // namespace ink
