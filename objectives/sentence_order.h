// Sentence-order prediction: two texts that follow each other, half of the time swapped (label 1).
//
// Lan et al. 2020, section 3.1; Cui et al. 2021 (MacBERT). Chunks are those of next-sentence
// prediction, but B is always what follows A, so only the order tells the two labels apart. A chunk
// of a single sentence has no second text: it is read as one sequence without a pair label, so that
// its tokens are not lost. (ALBERT's code takes a random next sentence there.)
#pragma once
#include <span>
#include <vector>

#include "objectives/pairs.h"

namespace ink {

// Instances of every document in order.
std::vector<Instance> sentence_order_pairs(std::span<const TokenDocument> documents,
                                           const PairOptions& options, Draws& draws);

}  // namespace ink
