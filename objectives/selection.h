// Which tokens an objective is about: words or n-grams of words, in random order up to 15 %.
//
// The rule is that of BERT's create_pretraining_data.py: words in random order, as many as the
// budget holds. The budget counts special tokens, which are never selected; a word that would
// exceed what is left is passed over, and a later, shorter one may still fit. Words are never
// split.
//
// With n-grams (Cui et al. 2021, MacBERT: 40, 30, 20 and 10 % for 1 to 4 words) every word in
// random order is the beginning of n words, n drawn anew. An n-gram ends with its sentence, is
// shortened word by word until the budget holds it, and is passed over when one of its words is
// already taken.
//
//   Draws draws(Random(1));
//   const Selection s = select(instance, {.ngrams = kWordNgrams}, draws);
//   s.words[0]    // the tokens of one word, and to which n-gram and sentence it belongs
#pragma once
#include <cstdint>
#include <vector>

#include "objectives/instance.h"
#include "tensor/philox.h"

namespace ink {

// Shares of 1, 2, 3 and 4 words.
inline const std::vector<double> kWordNgrams{0.4, 0.3, 0.2, 0.1};

struct SelectionOptions {
  bool whole_words = true;           // false: every token is a word of its own
  std::vector<double> ngrams = {1};  // shares of 1, 2, … words; their sum is 1
  double fraction = 0.15;            // of all tokens, special ones included
  int64_t max_predictions = 0;       // at most; 0 = as `fraction` says
};

// Tokens [begin, end) of a sequence that belong together.
struct TokenWord {
  int32_t begin, end;
  int32_t sentence;   // number of the sentence in the sequence, from 0
  int32_t ngram = 0;  // of a selected one: number of the n-gram that it was selected with, from 0
  int32_t size() const { return end - begin; }
  bool operator==(const TokenWord&) const = default;
};

// Words, or single tokens, in order. None reaches over a special token or the end of a sentence:
// the rest of a word that was cut at the front of B is a word of its own. (BERT's code joins it to
// the last word of A.)
std::vector<TokenWord> words_of(const Instance& instance, bool whole_words);

struct Selection {
  std::vector<TokenWord> words;  // n-gram after n-gram in the order of selection
  int64_t tokens = 0;            // in all of them

  std::vector<int32_t> positions() const;  // of the tokens, ascending
};

// min(max_predictions, max(1, round(fraction · n))), halves rounded to even.
int64_t selection_budget(int64_t n, const SelectionOptions& options);

// Raises Error when the options are impossible; select() expects that they are not.
void check_selection(const SelectionOptions& options);
Selection select(const Instance& instance, const SelectionOptions& options, Draws& draws);

}  // namespace ink
