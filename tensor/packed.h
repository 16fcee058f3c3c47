// Packed: a batch of token sequences without padding, one after the other, with offsets that say
// where each begins.
#pragma once
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace ink {

// N tokens in B sequences; sequence b is rows offsets[b] .. offsets[b+1]. All i32.
struct Packed {
  Tensor ids;        // (N)
  Tensor segments;   // (N) 0 or 1: the first or second text of a pair
  Tensor positions;  // (N) place within the sequence, from 0
  Tensor offsets;    // (B+1)

  int64_t tokens() const { return ids.dim(0); }
  int64_t sequences() const { return offsets.dim(0) - 1; }
};

// Packs sequences of ids. Without segments all are 0; otherwise there is one for each id.
Packed pack(std::span<const std::vector<int32_t>> ids,
            std::span<const std::vector<int32_t>> segments = {});

// Raises Error, beginning with `name`, unless the four parts fit together as described above and no
// sequence is longer than `longest`.
void check_packed(const char* name, const Packed& batch, int64_t longest);

}  // namespace ink
