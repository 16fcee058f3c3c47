// Masked language modelling: of selected tokens 80 % become [MASK], 10 % random ones, 10 % stay.
//
// Devlin et al. 2019, section 3.1. The tokens of a word may be selected together (whole-word
// masking, Cui et al. 2021), and so may n-grams of words. The choice between the three is made for
// each token, also inside one word. A random replacement is any id of the vocabulary, special
// ones included, as in BERT's code.
//
//   使用语言模型来预测下一个词的概率。  →  使用语言[MASK][MASK]来[MASK][MASK]下一个词的概率。
//
// Other shares give the ablations of MacBERT (0.8 and 0.1 is "partial mask"; 0.9 and 0.1 "all
// mask"; 0 and 0.1 "random replace") and what ELECTRA's generator reads (0.85 and 0.15).
#pragma once
#include "objectives/corruption.h"
#include "objectives/random_tokens.h"
#include "objectives/selection.h"

namespace ink {

struct MaskOptions {
  SelectionOptions select = {};
  double mask_share = 0.8;   // of the selected tokens
  double keep_share = 0.1;   // the rest, 1 − mask − keep, is replaced at random
  RandomTokens random = {};  // what it is replaced by; of none: the whole vocabulary
  ObjectiveTokens tokens = {};
};

Corruption masked_language_model(const MaskOptions& options);

}  // namespace ink
