// Classes of characters as the tokenizers of RoBERTa, XLM-R, ALBERT and XLNet see them.
#include "text/character.h"

#include <vector>

#include "text/unicode_tables.h"

namespace ink {
namespace {

constexpr char32_t kCodePoints = 0x110000;
constexpr char32_t kHangulFirst = 0xAC00, kHangulLast = 0xD7A3, kCapitalIWithDot = 0x130;

std::vector<uint16_t> make_classes() {
  std::vector<uint16_t> table(kCodePoints);
  const auto mark = [&](char32_t first, char32_t last, character::Class one, char32_t step = 1) {
    for (char32_t c = first; c <= last; c += step) table[c] |= one;
  };
  const auto add = [&](std::span<const CodeRange> ranges, character::Class one) {
    for (const CodeRange& r : ranges) mark(r.first, r.last, one);
  };
  add(kLetters, character::letter);
  add(kNumbers, character::number);
  add(kWhitespace, character::whitespace);
  add(kWordCharacters, character::word_character);
  add(kAccents, character::accent);
  add(kExtending, character::extending);
  add(kControls, character::control);
  add(kPrepended, character::prepended);
  for (const CombiningRange& r : kCombining) mark(r.first, r.last, character::decomposed);
  for (const Decomposition& d : kDecompositions) mark(d.from, d.from, character::decomposed);
  for (const CompatibleDecomposition& d : kCompatible) mark(d.from, d.from, character::decomposed);
  mark(kHangulFirst, kHangulLast, character::decomposed);
  for (const LowerRange& r : kLower) mark(r.first, r.last, character::upper, r.step);
  mark(kCapitalIWithDot, kCapitalIWithDot, character::upper);
  return table;
}

}  // namespace

uint16_t character_classes(char32_t c) {
  static const std::vector<uint16_t> table = make_classes();
  return c < kCodePoints ? table[c] : uint16_t{0};
}

}  // namespace ink
