// Masked language modelling: 15 % of the tokens are predicted; 80 % of them are masked, 10 % kept.
//
// The last 10 % are replaced at random (Devlin et al. 2019, section 3.1). The tokens of a word may
// be selected together (whole-word masking, Cui et al. 2021).
//
// The choice between the three is made for each token, also inside one word. A random replacement
// is any id of the vocabulary, as in BERT's code.
#pragma once
#include "objectives/corruption.h"
#include "objectives/selection.h"

namespace ink {

struct MaskOptions {
  SelectionOptions select = {};
  double mask_share = 0.8;  // of the selected tokens
  double keep_share = 0.1;  // the rest, 1 − mask − keep, is replaced at random
  ObjectiveTokens tokens = {};
};

// Labels are the original ids.
Corruption masked_language_model(const MaskOptions& options);

}  // namespace ink
