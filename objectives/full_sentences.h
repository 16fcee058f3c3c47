// Single sequences without a pair task: whole sentences of one document, as many as fit.
//
// These are the DOC-SENTENCES of RoBERTa (Liu et al. 2019, section 4.2).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "objectives/instance.h"

namespace ink {

// Tokens of a sequence at least: one of the text, and [CLS] and [SEP].
inline constexpr int64_t kShortestSequence = 3;

// Instances of at most `max_tokens` tokens, [CLS] and [SEP] included. A sentence that is too long
// for one is cut, where possible between words.
std::vector<Instance> full_sentences(std::span<const TokenDocument> documents, int64_t max_tokens,
                                     const ObjectiveTokens& tokens);

}  // namespace ink
