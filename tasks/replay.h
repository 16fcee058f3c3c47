// Batches of features as inputs of steps that are replayed (autograd/trainer.h, ReplayableLoss).
#pragma once
#include "autograd/trainer.h"
#include "nn/model.h"
#include "tasks/features.h"

namespace ink {

// Of a task whose loss is a mean over examples and follows from inputs and labels by ops alone
// (Task::replayable); and the batch of such inputs, which says no more which examples they are.
MicroInputs inputs_of(const Model& model, const FeatureBatch& batch);
FeatureBatch batch_from(const MicroInputs& inputs);

// A batch of classes filled up (nn/fill.h): the sequences at its end have no label.
FeatureBatch filled(const Model& model, const FeatureBatch& batch);

}  // namespace ink
