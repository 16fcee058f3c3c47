// How well a model fills masks and judges pairs: means over all batches.
#pragma once
#include <span>

#include "autograd/trainer.h"
#include "nn/model.h"
#include "objectives/batch.h"

namespace ink {

// loss, accuracy and perplexity of masked tokens; pair_loss and pair_accuracy
// where there are pairs. The score is the negative sum of the losses.
Evaluation evaluate_pretraining(const Model& model, std::span<const PretrainBatch> batches);

}  // namespace ink
