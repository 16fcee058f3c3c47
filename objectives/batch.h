// A micro-batch of pre-training: corrupted sequences without padding, and what is to be predicted.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "objectives/corruption.h"
#include "objectives/factorization.h"
#include "tensor/packed.h"

namespace ink {

// What the means of losses are taken over.
struct PretrainCounts {
  int64_t tokens = 0;       // all of them, special ones included
  int64_t predictions = 0;  // selected rows
  int64_t pairs = 0;        // with a label

  PretrainCounts& operator+=(const PretrainCounts& other) {
    tokens += other.tokens;
    predictions += other.predictions;
    pairs += other.pairs;
    return *this;
  }
};

struct PretrainBatch {
  Packed inputs;       // corrupted ids of N tokens in B sequences
  Tensor rows;         // (M) i32: rows of the packed matrix where something is predicted
  Tensor labels;       // (M) i32: the original ids there
  Tensor places = {};  // (M) i32: positions in the sequence (PerLM); else undefined
  Tensor pair_labels;  // (B) i32; kIgnore where there is none
  // XLNet: the order of each sequence (objectives/factorization.h); else empty.
  std::vector<FactorizationOrder> orders = {};
  PretrainCounts counts = {};

  int64_t predictions() const { return counts.predictions; }
  // Of `orders`, for each sequence f32 (T, T): 1 where token i sees token j, else 0. Made where
  // they are used, being T times as large as the sequence.
  std::vector<Tensor> visible() const;
};

// Sequence i of the batch is corrupted[i], made from instances[i].
PretrainBatch make_batch(std::span<const Instance* const> instances,
                         std::span<const Corrupted> corrupted);

// The same predictions, with M filled up to a multiple of this number by rows whose label is
// kIgnore: what is computed of them counts nothing, and few M occur. Of a batch without places.
PretrainBatch with_filled_rows(PretrainBatch batch, int64_t multiple);
// The same with inputs and pair labels filled up (nn/fill.h).
PretrainBatch with_filled_inputs(PretrainBatch batch, int64_t longest);

}  // namespace ink
