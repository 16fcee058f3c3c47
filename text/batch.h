// Batches: encodings packed without padding, and lists of sequences cut into batches by tokens.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tensor/packed.h"
#include "text/encoding.h"

namespace ink {

// One after the other, positions counted from 0 in each. Raises Error for an empty encoding.
Packed pack(std::span<const Encoding> encodings);

struct BatchOptions {
  int64_t max_tokens = 4096;  // sum of lengths in a batch; a longer sequence is alone in one
  int64_t max_sequences = 0;  // 0: unlimited
  std::optional<uint64_t> shuffle = {};  // seed; absent: in the order given
  // Sequences are sorted by length inside windows of so many, so that the sequences of a batch are
  // alike (fewer, evener batches); the batches of an epoch are then shuffled. 0: not sorted.
  int64_t sort_window = 0;
};

// Indices of the sequences of each batch. A function of the arguments alone; every index occurs
// exactly once.
std::vector<std::vector<int64_t>> batches(std::span<const int64_t> lengths,
                                          const BatchOptions& options = {});

}  // namespace ink
