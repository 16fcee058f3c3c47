// A corruption: (sequence, random draws) → what the model reads, where it answers, and the answers.
//
// Every token-level objective is one such pure function, made from its options by a function in its
// own file (mask.h):
//
//   const Corruption corrupt = masked_language_model({.whole_words = true});
//   Draws draws(Random(seed).split(i));
//   const Corrupted c = corrupt(instance, draws);
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "objectives/instance.h"
#include "tensor/philox.h"

namespace ink {

struct Corrupted {
  std::vector<int32_t> inputs;     // as long as the sequence
  std::vector<int32_t> positions;  // selected ones, ascending
  std::vector<int32_t> labels;     // for each of them: a token id, or a position (PerLM)
};

using Corruption = std::function<Corrupted(const Instance&, Draws&)>;

}  // namespace ink
