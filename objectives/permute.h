// PerLM: 90 % of the selected tokens change places; each place asks where its own token has gone.
//
// Cui et al. 2022 (PERT), section 3. Words and n-grams of words are selected as in MacBERT, but
// tokens are shuffled one by one, across words, sentences and both texts of a pair:
//
//   研究表明这一句话的顺序并不影响阅读。  →  研究明表这一句话的顺序并不响影阅读。
//   0 1 2 3 …        place 2 (now 明) → 3, place 3 → 2; place 13 (now 响) → 14, place 14 → 13
//
// Labels. With π(i) the place that the token now at i came from, the label of i is π⁻¹(i), where
// the original token of i stands now ("the position of the original token"); `forward` labels are
// π(i) itself. The two agree for every swap, as in all published examples, and differ for cycles of
// three and more. Labels are of instances, not of values: equal tokens keep their own labels.
// Places count from the [CLS] at 0; in the example, as in the paper, from the first character.
//
// The other 10 % stay where they are, with labels of their own places, and so does a token that the
// shuffle happens to leave.
#pragma once
#include "objectives/corruption.h"
#include "objectives/selection.h"

namespace ink {

enum class PertLabel : uint8_t { inverse, forward };
// Tokens change places only with others of the same cell (section 6 of the paper).
enum class Granularity : uint8_t { no_limit, word, ngram, sentence };
// What is predicted: the selected tokens, or every token that is not special.
enum class Predict : uint8_t { partial, full };

struct PermuteOptions {
  SelectionOptions select = {.ngrams = kWordNgrams};
  double shuffle_share = 0.9;  // of the selected tokens; rounded
  PertLabel label = PertLabel::inverse;
  Granularity granularity = Granularity::no_limit;
  Predict predict = Predict::partial;
};

// Fills `places`, the labels in the space of positions, beside `labels`, those in the vocabulary.
Corruption permuted_language_model(const PermuteOptions& options);

}  // namespace ink
