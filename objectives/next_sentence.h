// Next-sentence prediction: pairs (A, B), B half of the time from a random other document.
//
// Devlin et al. 2019, section 3.1; the rules are those of BERT's create_pretraining_data.py.
//
// A document is read in chunks of about `max_tokens` tokens. A chunk is split into A and what
// follows it; with probability ½, or when the chunk is a single sentence, B comes from another
// document (label 1) and the sentences that followed go back to be read again. On short documents
// label 1 is therefore the more frequent one. Pairs that are too long lose tokens of the longer
// segment, from its front or its end at random. A document alone finds the other
// one in options.others; where there is none either, its pairs have label 0.
#pragma once
#include <span>
#include <vector>

#include "objectives/pairs.h"

namespace ink {

// Instances of every document in order; documents and sentences should not be empty.
std::vector<Instance> next_sentence_pairs(std::span<const TokenDocument> documents,
                                          const PairOptions& options, Draws& draws);

}  // namespace ink
