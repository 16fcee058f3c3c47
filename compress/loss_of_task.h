// Which losses go with which tasks: classes are compared as distributions, several labels each by
// itself, numbers by their differences (losses/logits.h).
#pragma once
#include "compress/distillation_config.h"
#include "tasks/task.h"
#include "tensor/json.h"

namespace ink {

// ce; of several labels bce; of numbers regression.
KdLoss kd_loss_of(const Task& task);

// Whether the loss is one for what the task says.
bool suits(KdLoss loss, const Task& task);

// Raises Error, saying what to change, where kd_loss_type or probability_shift does not
// suit the task.
void check_kd_loss(const DistillationConfig& config, const Task& task);

// Where DistillationConfig of the job leaves kd_loss_type open and a default or a preset does not
// suit the task, the task's own.
void settle_kd_loss(DistillationConfig& config, const Task& task, const Json& job);

}  // namespace ink
