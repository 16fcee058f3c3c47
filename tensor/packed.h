// Packed: a batch of token sequences without padding; B sequences of N tokens in all, end to end.
//
// Row i of ids, segments and positions is one token; sequence b is the rows [offsets[b],
// offsets[b + 1]). Everything that works on tokens sees plain rows; only attention and pooling look
// at the offsets.
#pragma once
#include <span>
#include <vector>

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

// Packs sequences of ids. Without segments all are 0; otherwise there is one for each id.
Packed pack(std::span<const std::vector<int32_t>> ids,
            std::span<const std::vector<int32_t>> segments = {});

// Raises Error, beginning with `name`, unless the four parts fit together as described above and no
// sequence is longer than `longest`.
void check_packed(const char* name, const Packed& batch, int64_t longest);

}  // namespace ink
