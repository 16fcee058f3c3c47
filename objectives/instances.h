// Documents → the sequences that a pre-training reads, as its pair task asks.
#pragma once
#include <span>
#include <vector>

#include "objectives/pairs.h"

namespace ink {

// Full sentences (full_sentences.h) without a pair task, else pairs. Instances of every document in
// order; documents and sentences should not be empty.
std::vector<Instance> make_instances(std::span<const TokenDocument> documents, PairTask task,
                                     const PairOptions& options, Draws& draws);

}  // namespace ink
