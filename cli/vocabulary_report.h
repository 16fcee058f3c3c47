// What pruning a vocabulary has done, as lines for people and as results for --json.
#pragma once
#include "compress/prune_vocabulary.h"
#include "tensor/json.h"

namespace ink::cli {

void print_vocabulary_report(const VocabularyPruneResult& result);
Json vocabulary_results(const VocabularyPruneResult& result);

}  // namespace ink::cli
