// BERT's normalization: clean → space out Han → decompose and drop accents → lowercase → words.
#include "text/normalize.h"

#include <algorithm>
#include <array>

#include "text/unicode_tables.h"

namespace ink {
namespace {

// One byte of properties for every code point (1.1 MB, built at first use): one load answers all
// questions about an ordinary character.
enum Property : uint8_t {
  dropped = 1,
  space = 2,
  han = 4,
  punctuation = 8,
  mark = 16,
  composed = 32,  // decomposes, or takes part in the ordering of marks
  capital = 64,
};
constexpr char32_t kCodePoints = 0x110000;
constexpr char32_t kHangulFirst = 0xAC00, kHangulLast = 0xD7A3;
constexpr char32_t kCapitalIWithDot = 0x130, kDotAbove = 0x307;

std::vector<uint8_t> make_properties() {
  std::vector<uint8_t> table(kCodePoints);
  const auto add = [&](char32_t first, char32_t last, Property p, char32_t step = 1) {
    for (char32_t c = first; c <= last; c += step) table[c] |= p;
  };
  for (const CodeRange& r : kDropped) add(r.first, r.last, dropped);
  for (const CodeRange& r : kSpaces) add(r.first, r.last, space);
  for (const CodeRange& r : kHan) add(r.first, r.last, han);
  for (const CodeRange& r : kPunctuation) add(r.first, r.last, punctuation);
  for (const CodeRange& r : kNonspacingMarks) add(r.first, r.last, mark);
  for (const CombiningRange& r : kCombining) add(r.first, r.last, composed);
  for (const Decomposition& d : kDecompositions) add(d.from, d.from, composed);
  add(kHangulFirst, kHangulLast, composed);
  for (const LowerRange& r : kLower) add(r.first, r.last, capital, r.step);
  add(kCapitalIWithDot, kCapitalIWithDot, capital);
  return table;
}

uint8_t properties(char32_t c) {
  static const std::vector<uint8_t> table = make_properties();
  return c < kCodePoints ? table[c] : uint8_t{dropped};
}

// The row of an ascending table whose [first, last] holds c, or null.
template <class Row>
const Row* row_with(std::span<const Row> rows, char32_t c) {
  const auto after = std::upper_bound(rows.begin(), rows.end(), c,
                                      [](char32_t x, const Row& r) { return x < r.first; });
  return after != rows.begin() && c <= (after - 1)->last ? &*(after - 1) : nullptr;
}

uint8_t combining_class(char32_t c) {
  const CombiningRange* row = row_with(kCombining, c);
  return row ? row->combining_class : uint8_t{0};
}

// A character and where it came from, as steps 1 and 2 leave it.
void append(Normalized& out, char32_t c, int32_t source) {
  out.text += c;
  out.source.push_back(source);
}

// The complete canonical decomposition of c, ended by 0 where shorter.
std::array<char32_t, 4> decomposition(char32_t c) {
  if (c >= kHangulFirst && c <= kHangulLast) {  // Unicode 15, section 3.12
    const char32_t i = c - kHangulFirst, trail = i % 28;
    return {0x1100 + i / 588, 0x1161 + i % 588 / 28, trail == 0 ? 0 : 0x11A7 + trail, 0};
  }
  const auto row = std::lower_bound(kDecompositions.begin(), kDecompositions.end(), c,
                                    [](const Decomposition& d, char32_t x) { return d.from < x; });
  if (row == kDecompositions.end() || row->from != c) return {c, 0, 0, 0};
  return {row->to[0], row->to[1], row->to[2], row->to[3]};
}

// The complete compatible decomposition of c, empty where it is the canonical one.
std::span<const char32_t> compatible_decomposition(char32_t c) {
  const auto row =
      std::lower_bound(kCompatible.begin(), kCompatible.end(), c,
                       [](const CompatibleDecomposition& d, char32_t x) { return d.from < x; });
  if (row == kCompatible.end() || row->from != c) return {};
  return kCompatibleText.subspan(row->begin, row->size);
}

Normalized clean(std::u32string_view original, bool space_out_han, uint8_t& seen) {
  Normalized out;
  out.text.reserve(original.size() * 3);
  out.source.reserve(original.size() * 3);
  for (size_t i = 0; i < original.size(); ++i) {
    const uint8_t p = properties(original[i]);
    const auto source = static_cast<int32_t>(i);
    if (p & dropped) continue;
    seen |= p;
    if (p & han && space_out_han) {
      append(out, U' ', source);
      append(out, original[i], source);
      append(out, U' ', source);
    } else {
      append(out, p & space ? U' ' : original[i], source);
    }
  }
  return out;
}

void drop_marks(Normalized& text) {
  size_t kept = 0;
  for (size_t i = 0; i < text.text.size(); ++i) {
    if (properties(text.text[i]) & mark) continue;
    text.text[kept] = text.text[i];
    text.source[kept++] = text.source[i];
  }
  text.text.resize(kept);
  text.source.resize(kept);
}

char32_t lowercase(char32_t c) {
  if (c < 0x80) return c + 32;  // only capitals come here
  const LowerRange* row = row_with(kLower, c);
  return row ? static_cast<char32_t>(static_cast<int32_t>(c) + row->delta) : c;
}

// The only character whose lowercase is two characters gets room for the second.
void expand_dotted_i(Normalized& text) {
  Normalized out;
  for (size_t i = 0; i < text.text.size(); ++i) {
    const bool dotted = text.text[i] == kCapitalIWithDot;
    append(out, dotted ? U'i' : text.text[i], text.source[i]);
    if (dotted) append(out, kDotAbove, text.source[i]);
  }
  text = std::move(out);
}

}  // namespace

// NFD: every character decomposed, then each run of combining marks sorted by class, stably. The
// reference lets the first character of a decomposition advance in the source and the others stay,
// and keeps that rule after sorting; so do we, as offsets should agree too.
Normalized decompose(const Normalized& in, bool compatible) {
  struct Item {
    char32_t c;
    uint8_t combining_class;
    bool advances;
  };
  std::vector<Item> items;
  items.reserve(in.text.size() + 16);
  const auto add = [&](std::span<const char32_t> parts) {
    bool advances = true;
    for (const char32_t part : parts) {
      if (part == 0) break;
      items.push_back({part, combining_class(part), advances});
      advances = false;
    }
  };
  for (const char32_t c : in.text) {
    const auto parts = compatible ? compatible_decomposition(c) : std::span<const char32_t>();
    if (!parts.empty())
      add(parts);
    else if (properties(c) & composed)
      add(decomposition(c));
    else
      items.push_back({c, 0, true});
  }
  for (auto run = items.begin(); run != items.end();) {
    const auto is_starter = [](const Item& i) { return i.combining_class == 0; };
    const auto first = std::find_if_not(run, items.end(), is_starter);
    run = std::find_if(first, items.end(), is_starter);
    std::stable_sort(first, run, [](const Item& a, const Item& b) {
      return a.combining_class < b.combining_class;
    });
  }
  Normalized out;
  size_t read = 0;
  for (const Item& item : items) {
    if (item.advances) ++read;
    append(out, item.c, in.source[read - 1]);
  }
  return out;
}

void lowercase(Normalized& text) {
  if (text.text.find(kCapitalIWithDot) != std::u32string::npos) expand_dotted_i(text);
  for (char32_t& c : text.text)
    if (properties(c) & capital) c = lowercase(c);
}

Normalized normalize(std::u32string_view original, const NormalizeOptions& options) {
  uint8_t seen = 0;
  Normalized out = clean(original, options.tokenize_chinese_chars, seen);
  if (options.strips_accents()) {
    if (seen & composed) out = decompose(out);
    if (seen & (composed | mark)) drop_marks(out);
  }
  if (options.do_lower_case && (seen & (composed | capital))) lowercase(out);
  return out;
}

namespace {

// White_Space of Unicode. BERT's normalization leaves U+0020 alone of it; others need not.
bool is_white(char32_t c) {
  if (c <= U' ') return c == U' ' || (c >= U'\t' && c <= U'\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace

std::vector<Span> split_words(std::u32string_view normalized) {
  std::vector<Span> words;
  int32_t begin = 0;
  const auto end_word = [&](int32_t end) {
    if (end > begin) words.push_back({begin, end});
  };
  for (int32_t i = 0; i < static_cast<int32_t>(normalized.size()); ++i) {
    const char32_t c = normalized[static_cast<size_t>(i)];
    const bool single = properties(c) & punctuation;
    if (!single && !is_white(c)) continue;
    end_word(i);
    if (single) words.push_back({i, i + 1});
    begin = i + 1;
  }
  end_word(static_cast<int32_t>(normalized.size()));
  return words;
}

bool is_bert_han(char32_t c) { return properties(c) & han; }
bool is_punctuation(char32_t c) { return properties(c) & punctuation; }
bool is_blank(char32_t c) { return properties(c) & space; }

}  // namespace ink
