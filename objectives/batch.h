// A micro-batch of pre-training: corrupted sequences without padding, and what is to be predicted.
#pragma once
#include <cstdint>
#include <span>

#include "objectives/corruption.h"
#include "tensor/packed.h"

namespace ink {

struct PretrainBatch {
  Packed inputs;       // corrupted ids of N tokens in B sequences
  Tensor rows;         // (M) i32: rows of the packed matrix that were selected
  Tensor labels;       // (M) i32: for each of them
  Tensor pair_labels;  // (B) i32; kIgnore where there is none
  int64_t pairs = 0;   // how many are not kIgnore

  int64_t predictions() const { return rows.dim(0); }
};

// Sequence i of the batch is corrupted[i], made from instances[i].
PretrainBatch make_batch(std::span<const Instance* const> instances,
                         std::span<const Corrupted> corrupted);

}  // namespace ink
