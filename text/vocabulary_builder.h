// VocabularyBuilder: text → a WordPiece vocabulary of characters and frequent word pieces.
//
// The tokens are, in order: the special tokens; the characters of the text, by code point (each Han
// character is a word, so Chinese needs no more); the same as "##" pieces for those that stand
// inside words; then the pieces won by merging, again and again, the most frequent pair of
// neighbours within words (byte pair encoding, Sennrich et al. 2016, on characters), until the
// vocabulary is full or nothing is frequent enough. The result is a function of the text alone, and
// of equals the one of smaller code points wins.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/corpus.h"
#include "text/normalize.h"
#include "text/vocabulary.h"

namespace ink {

struct VocabularyOptions {
  int64_t size = 21128;       // tokens at most
  int64_t min_frequency = 2;  // of a character and of a merged pair
  NormalizeOptions normalize = {};
  SpecialTokens special_tokens = {};
};

class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(VocabularyOptions options = {});
  // Counts the words of a text; call for each line or document.
  void add(std::string_view text);
  // Raises Error when no text with a frequent character was added.
  Vocabulary build() const;

 private:
  void forget_rare_words();

  VocabularyOptions options_;
  std::unordered_map<std::u32string, int64_t> counts_;
};

// The vocabulary of the training part of a corpus.
Vocabulary build_vocabulary(const Corpus& corpus, const VocabularyOptions& options = {});

}  // namespace ink
