// Sentence-order prediction: two texts that follow each other, half of the time swapped (label 1).
//
// Lan et al. 2020, section 3.1; Cui et al. 2021 (MacBERT). Chunks are those of next-sentence
// prediction, but B is always what follows A, so only the order tells the two labels apart. A chunk
// of a single sentence is split between two of its words (ALBERT's code takes a random next
// sentence there); one word alone has no second text and no label. A sentence longer than a
// sequence is read in pieces that end with a word and are chunks of their own, so that none of its
// tokens are lost.
#pragma once
#include <span>
#include <vector>

#include "objectives/pairs.h"

namespace ink {

// Instances of every document in order.
std::vector<Instance> sentence_order_pairs(std::span<const TokenDocument> documents,
                                           const PairOptions& options, Draws& draws);

// The same texts in their order, without a label.
std::vector<Instance> consecutive_pairs(std::span<const TokenDocument> documents,
                                        const PairOptions& options, Draws& draws);

}  // namespace ink
