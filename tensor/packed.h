// Packed: a batch of token sequences without padding; B sequences of N tokens in all, end to end.
//
// Row i of ids, segments and positions is one token; sequence b is the rows [offsets[b],
// offsets[b + 1]). Everything that works on tokens sees plain rows; only attention and pooling look
// at the offsets.
#pragma once
#include "tensor/tensor.h"

namespace ink {

struct Packed {
  Tensor ids;        // i32 (N)
  Tensor segments;   // i32 (N): 0 for the first text of a pair, 1 for the second
  Tensor positions;  // i32 (N): 0, 1, … in each sequence
  Tensor offsets;    // i32 (B + 1): ascending from 0 to N

  int64_t tokens() const { return ids.size(); }
  int64_t sequences() const { return offsets.size() - 1; }
};

}  // namespace ink
