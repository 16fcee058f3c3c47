// XLNet's permutation language model: log p(x) = Σ log p(x_z(t) | x_z(<t)) in a random order z.
//
// Yang et al. 2019, section 2.3. Nothing in the text is changed; what is random is who may see
// whom. A sixth of the tokens are targets, in n-grams of 1 to 5 words with p(n) ∝ 1/n, and all
// tokens stand in one random order. Targets and special tokens have their rank in it; other tokens
// have rank −1, so that everyone sees them. Token i sees token j when
//
//   rank(j) < rank(i)        for a target i, which so never sees itself
//   rank(j) < rank(i) + 1    for any other i
//
// and the content stream sees its own token besides (nn/xlnet.h).
//
// Targets are found in one pass from left to right: an n-gram has a context of 6·n tokens, of which
// a random part lies before it; it begins at the next beginning of a word. Single tokens at random
// fill up what is missing at the end. Unlike XLNet's code, n counts words and not pieces, an n-gram
// ends with its sentence, and there is no memory of the segment before.
#pragma once
#include "objectives/corruption.h"

namespace ink {

struct FactorizationOptions {
  double fraction = 1.0 / 6;    // of all tokens, special ones included, are targets
  int64_t max_predictions = 0;  // at most; 0 = as `fraction` says
  int64_t longest_ngram = 5;    // words
  int64_t context = 6;          // tokens around an n-gram, for each of its words
};

// Fills `ranks`, one for each token. A target that sees no token at all, as the first of a sequence
// of nothing but targets, is not predicted.
Corruption permutation_model(const FactorizationOptions& options);

// Who may see whom in a sequence.
struct FactorizationOrder {
  std::vector<int32_t> ranks;
  std::vector<uint8_t> is_target;
  // Whether token i sees token j.
  bool sees(size_t i, size_t j) const { return ranks[j] < ranks[i] + (is_target[i] ? 0 : 1); }
};

}  // namespace ink
