// Labels drawn from what a model itself says, and how probable they are for it or another.
//
// Of classes one is drawn with its probability; of several labels each is there or not, with its
// own; a number is drawn from a normal distribution of deviation 1 around the model's.
#pragma once
#include <cstdint>
#include <vector>

#include "nn/heads.h"
#include "tasks/features.h"
#include "tensor/packed.h"
#include "tensor/philox.h"

namespace ink {

// Where the decisions of each sequence lie: B + 1 numbers of `rows` in all, which are one for each
// sequence or one for each token. Raises Error for another number of rows.
std::vector<int64_t> decisions_of(const Packed& batch, int64_t rows);

// Of logits (R, L): i32 (R) of classes, else f32 (R, L). Example number rows[b] of the batch draws
// from its own stream.
Tensor drawn_labels(const Tensor& logits, Problem problem, const FeatureBatch& batch,
                    const Random& random);

// Σ −log q of labels that were drawn, less what does not depend on the logits.
Tensor surprise(const Tensor& logits, Problem problem, const Tensor& labels);

}  // namespace ink
