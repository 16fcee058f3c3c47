// Unigram: the most probable way to cut a text into pieces (Kudo 2018), as SentencePiece does it.
//
// A space is written "▁" in front of the word it precedes, and one is put before the text, so that
// words look alike wherever they stand. Each word (Chinese: each run without spaces) is cut where
// the sum of the pieces' log-probabilities is highest, found by dynamic programming (Viterbi 1967).
// Characters in no piece cost 10 more than the worst piece, and neighbours among them are one
// unknown token.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "text/normalize.h"
#include "text/token_sink.h"
#include "text/trie.h"
#include "text/vocabulary.h"

namespace ink {

// Whether a text that does not begin with a space is cut as if it did.
enum class PrefixSpace : uint8_t {
  always,
  first,  // only at the beginning of the whole text, not behind an added token
  never,
};

struct UnigramOptions {
  PrefixSpace prefix_space = PrefixSpace::always;
  bool split_whitespace = true;  // runs of whitespace end words and vanish; else only U+0020 counts
  bool split_words = true;       // every "▁" begins a word; else pieces may span words
  bool operator==(const UnigramOptions&) const = default;
};

class Unigram {
 public:
  // One score, a natural logarithm, for each of the first tokens of the vocabulary; the others
  // (added tokens) are no pieces. `unknown` is the id of the unknown token, one of those.
  // Raises Error for scores that are no numbers.
  Unigram(const Vocabulary& vocabulary, std::vector<double> scores, int32_t unknown,
          UnigramOptions options = {});

  void cut(const Normalized& text, TokenSink& out) const;
  const UnigramOptions& options() const { return options_; }
  const std::vector<double>& scores() const { return scores_; }
  int32_t unknown() const { return unknown_; }

 private:
  struct Best {  // the best path to a position: its score and last piece
    double score;
    int32_t begin, id;
  };
  void cut_part(const Normalized& text, Span part, Normalized& word, std::vector<Best>& best,
                TokenSink& out) const;
  void cut_word(std::u32string_view word, const int32_t* source, std::vector<Best>& best,
                TokenSink& out) const;

  std::vector<double> scores_;  // by id
  int32_t unknown_;
  UnigramOptions options_;
  double unknown_score_ = 0;
  Trie pieces_;
};

}  // namespace ink
