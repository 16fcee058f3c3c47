// Recovery: training what a step of pruning has left, before the next step measures it.
//
// Each step trains anew for config.epochs, with AdamW and a rate that rises and falls, on the
// examples that importance is measured on. The loss is the task's; with `distil` it is
//
//   τ²·CE(softmax(z/τ), softmax(s/τ)) + hard_label_weight · the task's
//
// with decisions s of the pruned and z of the unpruned model (decision_logits, Hinton et al. 2015);
// where a text may have several labels the first term is τ²·BCE(σ(z/τ), σ(s/τ)), of numbers it is
// (s − z)².
// Order of examples and dropout are functions of (seed, number of the step). Nothing is kept of a
// training that is broken off: the whole pruning starts again.
#pragma once
#include <cstdint>
#include <memory>

#include "compress/choose_masks.h"
#include "compress/recovery_config.h"
#include "tasks/features.h"
#include "tasks/task.h"

namespace ink {

// What it learns from; everything outlives the result.
struct RecoveryData {
  const Task& task;
  const Features& train;
  const Model& whole;  // the teacher
  uint64_t seed = 1;
};

// Raises Error, when it is called, for a task whose decisions cannot be distilled.
Recover recovery_by(const RecoveryConfig& config, const RecoveryData& data,
                    const Notice& notice = {});

}  // namespace ink
