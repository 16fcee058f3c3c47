// WordPiece: words spelled by the longest pieces of a vocabulary, from left to right.
//
// Pieces that continue a word are written with a prefix, "##". A word that cannot be spelled, or is
// too long, is one unknown token (Wu et al. 2016; Devlin et al. 2019). Words are cut at spaces and
// punctuation (split_words of text/normalize.h).
#pragma once
#include <string>
#include <string_view>

#include "text/normalize.h"
#include "text/token_sink.h"
#include "text/trie.h"
#include "text/vocabulary.h"

namespace ink {

struct WordPieceOptions {
  std::string prefix = "##";  // of pieces that continue a word
  size_t longest_word = 100;  // characters; longer words are unknown
  bool operator==(const WordPieceOptions&) const = default;
};

class WordPiece {
 public:
  // The first `own` tokens are its pieces; those behind were added to the vocabulary later.
  WordPiece(const Vocabulary& vocabulary, int32_t own, WordPieceOptions options = {});

  void cut(const Normalized& text, TokenSink& out) const;
  const WordPieceOptions& options() const { return options_; }
  int32_t own() const { return own_; }

 private:
  struct Piece {
    int32_t id, end;
  };
  bool spell(std::u32string_view word, std::vector<Piece>& pieces) const;

  WordPieceOptions options_;
  int32_t own_, unknown_;
  Trie pieces_;                              // the first own_ tokens
  Trie::Node continuation_ = Trie::nowhere;  // behind the prefix
};

}  // namespace ink
