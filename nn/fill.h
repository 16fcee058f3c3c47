// Filling up batches, so that those of many lengths have few shapes (autograd/step_graphs.h).
//
// A packed batch has no padding, and so nearly every batch of texts has a shape of its own. Filled
// up, it has more sequences at its end, of which nothing is asked: they are computed and count
// nothing. The rows before them stay where they are, and with them all that dropout draws.
#pragma once
#include <cstdint>

#include "tensor/packed.h"

namespace ink {

// The least multiple that is n or more.
inline int64_t up_to(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// What tokens and sequences are multiples of afterwards.
struct FillSizes {
  int64_t tokens = 64, sequences = 8;
};

// With as few more tokens as can be, in sequences of at most `longest`. They repeat the first token
// of the batch.
Packed filled(const Packed& batch, const FillSizes& sizes, int64_t longest);

// i32 labels of rows or sequences, filled up to n by kIgnore.
Tensor filled_labels(const Tensor& labels, int64_t n);

}  // namespace ink
