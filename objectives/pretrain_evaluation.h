// How well a model does what it is pre-trained for: means over all batches.
#pragma once
#include <span>

#include "autograd/trainer.h"
#include "objectives/batch.h"
#include "objectives/pretrain_model.h"

namespace ink {

// Where there is something to measure:
//
//   loss, accuracy, perplexity             original tokens (ELECTRA: the generator's)
//   position_loss, position_accuracy       places (PerLM), and beside them position_own_place, the
//                                          accuracy of always naming a token's own
//   replaced_loss, replaced_accuracy       replaced or not, of all tokens (ELECTRA); what the
//                                          generator puts in is drawn from one fixed stream
//   pair_loss, pair_accuracy               next sentence, sentence order
//
// The score is the negative sum of the losses with their weights in training.
Evaluation evaluate_pretraining(const PretrainModel& model, std::span<const PretrainBatch> batches);

}  // namespace ink
