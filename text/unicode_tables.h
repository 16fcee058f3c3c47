// What the fast tokenizers do to every code point, as sorted tables (data: unicode_tables.cpp).
//
// They mix several versions of Unicode (an old list of marks and punctuation, a new list of
// letters), so the tables are measured on them by tools/unicode_tables.py instead of taken from the
// standard. All rows are ascending and disjoint.
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
struct CompatibleDecomposition {
  char32_t from;
  uint16_t begin, size;  // in kCompatibleText
};

// BERT's normalization (text/normalize.h).
extern const std::span<const CodeRange> kDropped;      // deleted by cleaning: controls, private use
extern const std::span<const CodeRange> kSpaces;       // become U+0020
extern const std::span<const CodeRange> kHan;          // stand alone as words; radicals, kana not
extern const std::span<const CodeRange> kPunctuation;  // stand alone as words
extern const std::span<const CodeRange> kNonspacingMarks;  // dropped with accents
extern const std::span<const CombiningRange> kCombining;
extern const std::span<const LowerRange> kLower;  // all but U+0130, which becomes U+0069 U+0307
extern const std::span<const Decomposition> kDecompositions;  // all but Hangul syllables

// The other tokenizers.
extern const std::span<const CodeRange> kAccents;         // \p{M}
extern const std::span<const CodeRange> kLetters;         // \p{L}
extern const std::span<const CodeRange> kNumbers;         // \p{N}
extern const std::span<const CodeRange> kWhitespace;      // \s
extern const std::span<const CodeRange> kWordCharacters;  // \w
extern const std::span<const CodeRange> kExtending;       // continue the grapheme to their left
extern const std::span<const CodeRange> kControls;        // are a grapheme of their own
extern const std::span<const CodeRange> kPrepended;       // belong to the grapheme to their right
// Complete compatible decompositions where they are not the canonical ones.
extern const std::span<const CompatibleDecomposition> kCompatible;
extern const std::span<const char32_t> kCompatibleText;

}  // namespace ink
