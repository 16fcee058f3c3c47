// BERT's normalization: clean → space out Han → decompose and drop accents → lowercase → words.
//
// Exactly what the fast tokenizer of BERT does to any text (Devlin et al. 2019; tables measured on
// it, see unicode_tables.h), with the origin of every character kept, so that a token can be shown
// in the text it came from:
//
//   "Ａ Café 砚台"  →  "ａ cafe  砚  台 "  →  [ａ] [cafe] [砚] [台]
//
// 1. Cleaning deletes U+0000, U+FFFD, controls, format and private-use characters; every kind of
//    blank becomes U+0020.
// 2. A space is put on both sides of every Han character.
// 3. When accents are stripped: canonical decomposition (NFD), then nonspacing marks are dropped.
// 4. Lowercase.
// 5. split_words cuts at spaces, and before and after every punctuation character.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/utf8.h"

namespace ink {

// The names are those of tokenizer_config.json.
struct NormalizeOptions {
  bool do_lower_case = true;
  std::optional<bool> strip_accents = {};  // absent: as do_lower_case
  bool tokenize_chinese_chars = true;      // step 2

  bool strips_accents() const { return strip_accents.value_or(do_lower_case); }
  bool operator==(const NormalizeOptions&) const = default;
};

struct Normalized {
  std::u32string text;
  std::vector<int32_t> source;  // for each character of text: which code point of the original
};

Normalized normalize(std::u32string_view original, const NormalizeOptions& options = {});

// Steps 3 and 4 singly. NFD or, compatible, NFKD; accents stay.
Normalized decompose(const Normalized& in, bool compatible = false);
void lowercase(Normalized& text);

// The words of a normalized text, as spans of its characters.
std::vector<Span> split_words(std::u32string_view normalized);

bool is_bert_han(char32_t c);     // BERT's CJK blocks: step 2 puts spaces around it
bool is_punctuation(char32_t c);  // a word of its own
bool is_blank(char32_t c);        // becomes a space, or is one

}  // namespace ink
