// A pruning between its steps: the masks so far, and the model that they have left.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "compress/cost_table.h"
#include "compress/importance.h"
#include "compress/masks.h"
#include "compress/surgery.h"
#include "nn/model_folder.h"

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

class PruningProgress {
 public:
  // Of `steps` steps, each of which `notice` is told about and `recover` trains after; either may
  // be empty. `whole` and both functions outlive it.
  PruningProgress(const Model& whole, int64_t steps, const Notice& notice, const Recover& recover);

  const Model& model() const { return current_ ? *current_ : whole_; }  // what is left
  const Masks& masks() const { return masks_; }
  // Which rows of heads and neurons are left; empty: all. Layers that share weights keep theirs.
  const std::vector<uint8_t>& rows() const { return rows_; }

  // Scores of what is left in terms of the whole model.
  std::vector<double> whole_layers(const std::vector<double>& scores) const;
  std::vector<double> whole_channels(const std::vector<double>& scores) const;
  ImportanceScores whole_elements(const ImportanceScores& scores) const;
  // What is left, as masks that are never empty.
  std::vector<uint8_t> layers_left() const;
  std::vector<uint8_t> channels_left() const;
  Masks elements_left() const;  // of heads and neurons

  // Ends a step: cuts what `masks` drop beyond the present ones, and trains what is left, unless
  // that is everything.
  void take(const ImportanceScores& importance, Masks masks);

  Pruning result() &&;

 private:
  const Model& whole_;
  int64_t count_;
  const Notice& notice_;
  const Recover& recover_;
  PrunableSizes sizes_;
  bool shared_;
  Masks masks_;
  std::vector<uint8_t> rows_;
  std::vector<PruningStep> steps_;
  std::shared_ptr<Model> current_;  // null: nothing has gone yet
};

}  // namespace ink
