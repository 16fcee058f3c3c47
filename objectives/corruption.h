// A corruption: (sequence, random draws) → what the model reads, where it answers, and the answers.
//
// Every token-level objective is one such pure function, made from its options by a function in its
// own file:
//
//   masked_language_model    mask.h           some tokens are hidden
//   similar_word_model       mac.h            words are replaced by similar ones
//   permuted_language_model  permute.h        selected tokens change places
//   permutation_model        factorization.h  nothing is hidden but who may see whom
//
//   const Corruption corrupt = masked_language_model({.select = {.whole_words = true}});
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
  std::vector<int32_t> inputs;       // as long as the sequence
  std::vector<int32_t> positions;    // where something is predicted, ascending
  std::vector<int32_t> labels;       // for each of them: the original id
  std::vector<int32_t> places = {};  // for each of them: a position in the sequence (PerLM)
  std::vector<int32_t> ranks = {};   // for each token, as factorization.h says (XLNet)
};

using Corruption = std::function<Corrupted(const Instance&, Draws&)>;

// The ids of a sequence at some of its positions.
inline std::vector<int32_t> ids_at(const Instance& instance,
                                   const std::vector<int32_t>& positions) {
  std::vector<int32_t> ids;
  ids.reserve(positions.size());
  for (const int32_t position : positions)
    ids.push_back(instance.ids[static_cast<size_t>(position)]);
  return ids;
}

}  // namespace ink
