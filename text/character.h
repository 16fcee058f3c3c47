// Classes of characters as the tokenizers of RoBERTa, XLM-R, ALBERT and XLNet see them.
//
// One load answers all questions about a code point (2.2 MB, built at first use from
// text/unicode_tables.h). BERT's own classes are in text/normalize.h.
#pragma once
#include <cstdint>

namespace ink {

namespace character {
enum Class : uint16_t {
  letter = 1,          // \p{L}
  number = 2,          // \p{N}
  whitespace = 4,      // \s
  word_character = 8,  // \w: may not touch an added token that is a single word
  accent = 16,         // \p{M}
  extending = 32,      // continues the grapheme to its left
  control = 64,        // a grapheme of its own
  prepended = 128,     // belongs to the grapheme to its right
  decomposed = 256,    // has a compatible decomposition, or takes part in the ordering of marks
  upper = 512,         // has a lowercase
};
}  // namespace character

// The classes of c, combined.
uint16_t character_classes(char32_t c);
inline bool is_whitespace(char32_t c) { return character_classes(c) & character::whitespace; }

}  // namespace ink
