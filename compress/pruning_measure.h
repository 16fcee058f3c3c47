// What a pruning measures by: the loss that its config asks for, on the device that jobs work on.
#pragma once
#include <span>
#include <vector>

#include "compress/importance.h"
#include "compress/pruning_config.h"
#include "tasks/task.h"

namespace ink {

// What importance is measured by (compress/scoring.h).
struct ScoringOptions {
  const Task* task = nullptr;  // of the labels; null: classification
  uint64_t seed = 1;           // of drawn labels
  // Of a compatible config with use_logits: decision_logits of each batch by the reference; empty:
  // half_precision_logits of the model.
  std::vector<std::vector<Tensor>> reference = {};
};

// Scores of what is left of a model; rows are those of the model that is asked about. Batches and
// config outlive it.
class PruningMeasure {
 public:
  PruningMeasure(const Model& whole, std::span<const FeatureBatch> batches,
                 const PruningConfig& config, const ScoringOptions& scoring);

  std::vector<double> layers(const Model& model) const;
  std::vector<double> channels(const Model& model) const;
  ImportanceScores elements(const Model& model) const;  // of heads and neurons

 private:
  ImportanceScores measured(const Model& model, ImportanceOptions options) const;

  std::span<const FeatureBatch> batches_;
  const PruningConfig& config_;
  LossOfBatch loss_;
};

}  // namespace ink
