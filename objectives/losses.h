// The losses of a micro-batch: whatever the heads of the model can tell about it.
//
//   mlm_loss        the original tokens of the selected rows, over the vocabulary; XLNet's from its
//                   query stream, ELECTRA's from its generator
//   position_loss   where they have gone, over the positions of the sequence (PerLM)
//   replaced_loss   which of all tokens are not the original ones (ELECTRA)
//   pair_loss       next sentence, sentence order
//
// A training's loss is the sum of all, each with its weight.
#pragma once
#include <string>
#include <vector>

#include "objectives/batch.h"
#include "objectives/pretrain_model.h"

namespace ink {

struct LossTerm {
  std::string name;
  Tensor mean;                     // scalar
  double weight;                   // 0: only measured
  int64_t PretrainCounts::*count;  // what it is the mean over
};

// `options.random` given means training. What the generator's samples are drawn from is `samples`.
std::vector<LossTerm> pretrain_losses(const PretrainModel& model, const PretrainBatch& batch,
                                      const EncoderOptions& options, const Random& samples);

// Why they follow from more than the batch's numbers by ops (autograd/trainer.h, ReplayableLoss);
// empty where they do not.
std::string obstacle_to_replay(const PretrainModel& model, const PretrainBatch& batch);

// States (N, C) that the heads read: the encoder's, or with `orders` those of the query stream.
Tensor hidden_states(const Model& model, const PretrainBatch& batch,
                     const EncoderOptions& options = {});

}  // namespace ink
