// Which tokens an objective is about: words, or single tokens, in random order up to 15 %.
//
// The rule is that of BERT's create_pretraining_data.py. The budget counts special tokens, which
// are never selected; a word that would exceed what is left is passed over, and a later, shorter
// one may still fit. Words are never split.
#pragma once
#include <cstdint>
#include <vector>

#include "objectives/instance.h"
#include "tensor/philox.h"

namespace ink {

struct SelectionOptions {
  bool whole_words = true;      // false: every token is a candidate of its own
  double fraction = 0.15;       // of all tokens, special ones included
  int64_t max_predictions = 0;  // at most; 0 = as `fraction` says
};

using TokenGroup = std::vector<int32_t>;  // positions that are selected together

// Words, or single tokens. A group never reaches over a special token: the rest of a word that was
// cut at the front of B is a group of its own. (BERT's code joins it to the last word of A.)
std::vector<TokenGroup> candidate_groups(const Instance& instance, bool whole_words);

// min(max_predictions, max(1, round(fraction · n))), halves rounded to even.
int64_t selection_budget(int64_t n, const SelectionOptions& options);

// Selected positions in the order of selection, group after group.
std::vector<int32_t> select_positions(const Instance& instance, const SelectionOptions& options,
                                      Draws& draws);

}  // namespace ink
