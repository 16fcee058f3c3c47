// MLM as correction: of the selected words 80 % become similar words, 10 % random ones, 10 % stay.
//
// Cui et al. 2021 (MacBERT), section IV. There is no [MASK], so pre-training and fine-tuning read
// the same kind of text. Words and n-grams of words are selected; every word is replaced by itself:
//
//   使用语言模型来预测下一个词的概率。  →  使用语法建模来预见下一个词的几率。
//
// A similar word has as many tokens as the word and is not the word (similar_words.h). The choice
// between the three is made once for each word. A word without a similar one is replaced at random;
// such words make up at most 10 % of the selected tokens, and those beyond that stay as they are.
// (The paper states the limit, but not what becomes of them.) Random tokens should be words: no
// [MASK] is read in pre-training.
#pragma once
#include <memory>

#include "objectives/corruption.h"
#include "objectives/random_tokens.h"
#include "objectives/selection.h"
#include "objectives/similar_words.h"

namespace ink {

struct MacOptions {
  SelectionOptions select = {.ngrams = kWordNgrams};
  double similar_share = 0.8;   // of the selected words
  double keep_share = 0.1;      // the rest, 1 − similar − keep, is replaced at random
  double fallback_share = 0.1;  // of the selected tokens that may be random for want of a similar
  int64_t nearest = 1;          // the similar word is drawn from so many of the most similar ones
  std::shared_ptr<const SimilarWords> similar = {};
  RandomTokens random = {};  // of none: the whole vocabulary
  ObjectiveTokens tokens = {};
};

Corruption similar_word_model(const MacOptions& given);

}  // namespace ink
