// What BERT's fast tokenizer does to every code point, as sorted tables (data: unicode_tables.cpp).
//
// The fast tokenizer mixes several versions of Unicode (an old list of marks and punctuation, a new
// list of letters), so the tables are measured on it by tools/unicode_tables.py instead of taken
// from the standard. All rows are ascending and disjoint.
#pragma once
#include <cstdint>
#include <span>

namespace ink {

struct CodeRange {
  char32_t first, last;  // both included
};
struct CombiningRange {
  char32_t first, last;
  uint8_t combining_class;  // canonical combining class, never 0
};
// Every step-th code point c from first to last becomes c + delta.
struct LowerRange {
  char32_t first, last;
  uint8_t step;
  int32_t delta;
};
struct Decomposition {
  char32_t from;
  char32_t to[4];  // complete canonical decomposition, ended by 0 where shorter
};

extern const std::span<const CodeRange> kDropped;      // deleted by cleaning: controls, private use
extern const std::span<const CodeRange> kSpaces;       // become U+0020
extern const std::span<const CodeRange> kHan;          // stand alone as words; radicals, kana not
extern const std::span<const CodeRange> kPunctuation;  // stand alone as words
extern const std::span<const CodeRange> kNonspacingMarks;  // dropped with accents
extern const std::span<const CombiningRange> kCombining;
extern const std::span<const LowerRange> kLower;  // all but U+0130, which becomes U+0069 U+0307
extern const std::span<const Decomposition> kDecompositions;  // all but Hangul syllables

}  // namespace ink
