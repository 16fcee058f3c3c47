// Filling an unevenly pruned model up with zeros, for programs that know only layers of one size.
//
// A head whose values are 0 and a neuron whose output weights are 0 add nothing, so the padded
// model computes the same numbers, but for the rounding of layers at most four channels or neurons
// wide: their products add in another order (tensor/gemm.h).
#pragma once
#include "nn/model.h"

namespace ink {

// Every layer gets as many heads as attention has room for (hidden_size / head_size; of MobileBERT
// its bottleneck's) and the width of the widest feed-forward part. The model itself where it is
// even. Raises Error where that is no whole number or a layer has more heads than that.
Model padded(const Model& model);

}  // namespace ink
