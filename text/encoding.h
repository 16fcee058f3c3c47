// Encoding: a text as the ids a model reads, each with its place in the text.
//
//   "砚台 inkstone"  →  tokens   [CLS]  砚     台     ink    ##stone  [SEP]
//                       words     -1    0      1      2      2        -1
//                       offsets   0,0   0,1    1,2    3,6    6,11     0,0
//
// All vectors have one element per token. Offsets are half-open spans of the text that the token is
// from, which `texts` names.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "text/utf8.h"

namespace ink {

struct Encoding {
  static constexpr int32_t no_word = -1, no_text = -1;  // of added [CLS] and [SEP]

  std::vector<int32_t> ids = {};
  std::vector<int32_t> segments = {};  // as the model's family numbers them (text/template.h)
  std::vector<int32_t> texts = {};     // 0, or 1 for the second of a pair, or no_text
  std::vector<int32_t> words = {};     // number of the word in its text, or no_word
  std::vector<Span> offsets = {};      // in code points
  std::vector<Span> bytes = {};        // in bytes of the UTF-8 text

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  bool operator==(const Encoding&) const = default;
};

// Which tokens to mask together, as spans of token positions in order: the pieces of one word, and
// all tokens that touch one of `words`, spans of code points (from Segmenter). A word is never
// split, so where the two disagree the group is their union. Added tokens are in no group. For a
// pair, `second` are the words of the second text.
std::vector<Span> whole_words(const Encoding& encoding, std::span<const Span> words,
                              std::span<const Span> second = {});

}  // namespace ink
