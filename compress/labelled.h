// The rows of a batch whose logits are compared: of tokens those with a tag (TextBrewer's
// logits_mask), of texts all, with kIgnore for a label of those that the teacher alone labels.
// Where spans are sought there are two rows for each sequence, its tokens' scores as starts and as
// ends, so that what is said of both is averaged.
#pragma once
#include "compress/distiller.h"
#include "tasks/task.h"
#include "tensor/tensor.h"

namespace ink {

struct Labelled {
  Tensor rows;     // i32, undefined: all
  Tensor offsets;  // of spans: where sequences begin
  Tensor labels;
  double count = 0;
  ModelOutputs of(ModelOutputs outputs) const;  // with the logits of these rows
};
Labelled labelled(const FeatureBatch& batch, const Task& task);
BatchFacts facts_of(const FeatureBatch& batch, const Task& task);

}  // namespace ink
