// The rows of a batch with a label, all of a classifier's; tokens without one are compared by no
// loss of logits (TextBrewer's logits_mask).
#pragma once
#include "compress/match_loss.h"
#include "tasks/features.h"
#include "tensor/tensor.h"

namespace ink {

struct Labelled {
  Tensor rows;  // i32, undefined: all
  Tensor labels;
  double count = 0;
  ModelOutputs of(ModelOutputs outputs) const;  // with the logits of these rows
};
Labelled labelled(const FeatureBatch& batch);

}  // namespace ink
