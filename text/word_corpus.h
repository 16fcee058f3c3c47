// WordCorpus: a corpus as the numbers of its words, most frequent first, a block at a time.
//
// Words are those of the segmenter that hold a letter, digit or ideograph; punctuation and blanks
// are left out. One pass counts them; words rarer than min_count get no number and are passed over,
// so that their neighbours move together (as word2vec does).
//
//   const Corpus corpus = Corpus::open({"texts"}, {.block_bytes = 1 << 14});
//   const WordCorpus words(corpus, Segmenter::load());
//   for (const int32_t word : words.block(0))
//     if (word != WordCorpus::kLineEnd) … words.words()[word] …
//
// Memory: the words, and their numbers in the text as far as kept_bytes allow; blocks beyond that
// are cut in words again whenever they are asked for. Corpus and segmenter must outlive this.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/corpus.h"
#include "text/segmenter.h"
#include "text/word_list.h"

namespace ink {

struct WordCorpusOptions {
  int64_t min_count = 5;   // of a word that gets a number
  bool lower_case = true;  // "The" and "the" are one word
  int64_t kept_bytes = int64_t{1} << 30;
};

class WordCorpus {
 public:
  static constexpr int32_t kLineEnd = -1;

  // Reads the whole text, in parallel. Raises Error when no word occurs min_count times.
  WordCorpus(const Corpus& corpus, const Segmenter& segmenter,
             const WordCorpusOptions& options = {});

  const WordList& words() const { return words_; }                // equals in order of code points
  const std::vector<int64_t>& counts() const { return counts_; }  // of each
  int64_t total() const { return total_; }                        // of all counts
  int64_t words_of_text() const { return seen_; }                 // rare ones included
  int64_t blocks() const { return static_cast<int64_t>(block_words_.size()); }
  // Of a block, rare ones included.
  int64_t block_words(int64_t block) const { return block_words_[static_cast<size_t>(block)]; }
  // The numbers of a block's words, line after line, with kLineEnd behind each line.
  std::vector<int32_t> block(int64_t block) const;

 private:
  struct Counted;
  void count(Counted& all);
  void number(const Counted& all);

  const Corpus& corpus_;
  const Segmenter& segmenter_;
  WordCorpusOptions options_;
  WordList words_;
  std::vector<int64_t> counts_, block_words_;
  int64_t total_ = 0, seen_ = 0;
  std::vector<std::vector<int32_t>> kept_;  // the first blocks
};

}  // namespace ink
