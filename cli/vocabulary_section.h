// The part of a pruning's page that is of the vocabulary.
#pragma once
#include <string>

#include "tensor/json.h"

namespace ink::cli {

// HTML of vocabulary_pruning.json (compress/prune_vocabulary.h): sizes and what the text is cut
// into before and after, coverage, what went of each kind, and the most frequent of that.
std::string vocabulary_section(const Json& account);

}  // namespace ink::cli
