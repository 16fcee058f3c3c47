// Which tokens stay: what the tokenizer cannot do without, what was asked for, what a rule chooses.
//
// A pure function of the vocabulary, the counts and the configuration. Tokens of equal counts come
// in the order of their ids.
#pragma once
#include <cstdint>
#include <vector>

#include "compress/token_counts.h"
#include "compress/vocabulary_pruning_config.h"
#include "text/token_roles.h"
#include "text/tokenizer.h"

namespace ink {

// `needed` is what the tokenizer (indispensable_tokens) and the model (tokens_of_model) cannot do
// without; it stays whatever the rule says, and with it config.additional_*, `listed`, and the
// characters that config.characters names. Then come the tokens that the rule chooses:
//
//   min_count    all that occur so often
//   target_size  the most frequent first, while they fit with what they are merged from; where the
//                text has too few, the first of those that do not occur
//   coverage     the most frequent first, until what stays is that share of all occurrences
//
// Of byte-level BPE's tokens all stay that one of these is merged from.
//
// Raises Error for unknown tokens and ids, where nothing has been counted and nothing listed, where
// of the text nothing but special tokens is left, and for a target_size that is less than what
// stays anyway or more than there is.
TokenSet choose_tokens(const TokenizerParts& parts, const TokenSet& needed,
                       const VocabularyPruningConfig& config, const std::vector<int32_t>& listed,
                       const TokenCounts& counts);

}  // namespace ink
