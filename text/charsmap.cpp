// Charsmap: the normalization that a SentencePiece model carries, as the fast tokenizers apply it.
#include "text/charsmap.h"

#include <bit>
#include <cstring>

#include "tensor/error.h"
#include "text/character.h"

namespace ink {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the file's integers are read as they are");
constexpr size_t kHeaderBytes = 4, kLongestCluster = 5;

// The fields of a unit of the double array.
bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

enum class Hangul : uint8_t { none, lead, vowel, trail, lead_vowel, all };
Hangul hangul_of(char32_t c) {
  if (c >= 0xAC00 && c <= 0xD7A3) return (c - 0xAC00) % 28 == 0 ? Hangul::lead_vowel : Hangul::all;
  if ((c >= 0x1100 && c <= 0x115F) || (c >= 0xA960 && c <= 0xA97C)) return Hangul::lead;
  if ((c >= 0x1160 && c <= 0x11A7) || (c >= 0xD7B0 && c <= 0xD7C6)) return Hangul::vowel;
  if ((c >= 0x11A8 && c <= 0x11FF) || (c >= 0xD7CB && c <= 0xD7FB)) return Hangul::trail;
  return Hangul::none;
}

bool joins_hangul(char32_t left, char32_t right) {
  const Hangul a = hangul_of(left), b = hangul_of(right);
  if (a == Hangul::none || b == Hangul::none) return false;
  if (a == Hangul::lead) return b != Hangul::trail;
  if (a == Hangul::lead_vowel || a == Hangul::vowel)
    return b == Hangul::vowel || b == Hangul::trail;
  return b == Hangul::trail;
}

// Whether both are of one grapheme cluster (UAX #29). The rules for emoji, flags and Indic
// conjuncts are left out: what they join is 6 bytes or longer before and after, and so taken singly
// anyway.
bool joins(char32_t left, char32_t right) {
  if (left < 0x80 && right < 0x80) return left == '\r' && right == '\n';
  const uint16_t a = character_classes(left), b = character_classes(right);
  if ((a | b) & character::control || left == 0 || right == 0) return false;
  return b & character::extending || a & character::prepended || joins_hangul(left, right);
}

size_t utf8_size(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

// The edits that make one text of another: a character and how many of the old one it stands for,
// less one: 0 replaces one, 1 is new, -n replaces one and swallows n more.
struct Edit {
  char32_t c;
  int32_t change;
};

// What stood for `old_count` characters is now `replacement`. Where nothing is left, the character
// before swallows the old ones; at the very start none does, so that later places move up: the
// reference has it so.
void replace(std::vector<Edit>& edits, int32_t old_count, std::u32string_view replacement) {
  const auto new_count = static_cast<int32_t>(replacement.size());
  for (int32_t i = 0; i < new_count; ++i)
    edits.push_back({replacement[static_cast<size_t>(i)], i < old_count ? 0 : 1});
  if (new_count < old_count && !edits.empty()) edits.back().change -= old_count - new_count;
}

Normalized transform(const Normalized& old, const std::vector<Edit>& edits) {
  Normalized out;
  out.text.reserve(edits.size());
  out.source.reserve(edits.size());
  size_t at = 0;
  for (const auto& [c, change] : edits) {
    const size_t from = change > 0 ? (at > 0 ? at - 1 : 0) : at;
    out.text += c;
    out.source.push_back(old.source[std::min(from, old.source.size() - 1)]);
    if (change <= 0) at += 1 + static_cast<size_t>(-change);
  }
  return out;
}

}  // namespace

Charsmap::Charsmap(std::string bytes, const std::string& source)
    : bytes_(std::move(bytes)), starts_(0x110000 / 64) {
  check(bytes_.size() >= kHeaderBytes, "charsmap: expected at least 4 bytes in ", source, ", got ",
        bytes_.size());
  uint32_t trie_bytes;
  std::memcpy(&trie_bytes, bytes_.data(), sizeof trie_bytes);
  check(trie_bytes <= bytes_.size() - kHeaderBytes && trie_bytes % 4 == 0 && trie_bytes > 0,
        "charsmap: expected a trie of a multiple of 4 bytes, at most ",
        bytes_.size() - kHeaderBytes, ", in ", source, ", got ", trie_bytes);
  units_ = trie_bytes / 4;
  strings_ = std::string_view(bytes_).substr(kHeaderBytes + trie_bytes);
  check(strings_.empty() || strings_.back() == 0,
        "charsmap: expected strings that end with NUL in ", source);
  check(first_invalid_utf8(strings_) == strings_.size(), "charsmap: expected UTF-8 strings in ",
        source, ", got other bytes at offset ",
        kHeaderBytes + trie_bytes + first_invalid_utf8(strings_));
  collect_starts(offset_of(unit(0)), 0, 0);
}

uint32_t Charsmap::unit(size_t index) const {
  uint32_t value = 0;
  if (index < units_) std::memcpy(&value, bytes_.data() + kHeaderBytes + 4 * index, sizeof value);
  return value;
}

// Marks the first characters of all keys below `node`, which `length` bytes of UTF-8 lead to.
void Charsmap::collect_starts(size_t node, int length, char32_t value) {
  for (uint32_t byte = 1; byte < 256; ++byte) {
    const bool leads = length == 0;
    if (leads ? (byte >= 0x80 && byte < 0xC2) || byte > 0xF4 : (byte & 0xC0) != 0x80) continue;
    const uint32_t next = unit(node ^ byte);
    if (label_of(next) != byte) continue;
    // Bytes that remain of the character: of a lead byte by its value, else one less than before.
    const int remain = leads ? (byte >= 0xF0) + (byte >= 0xE0) + (byte >= 0xC2) : length - 1;
    const char32_t bits = leads ? byte & (remain == 0 ? 0x7Fu : 0x3Fu >> remain) : byte & 0x3Fu;
    const char32_t c = value << 6 | bits;
    if (remain == 0) {
      if (c < 0x110000) starts_[c >> 6] |= uint64_t{1} << (c & 63);
    } else {
      collect_starts(node ^ byte ^ offset_of(next), remain, c);
    }
  }
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const {
  size_t node = offset_of(unit(0));
  for (const char ch : text) {
    const auto byte = static_cast<uint8_t>(ch);
    if (byte == 0) break;
    node ^= byte;
    const uint32_t next = unit(node);
    if (label_of(next) != byte) break;
    node ^= offset_of(next);
    if (!has_leaf(next)) continue;
    const uint32_t at = value_of(unit(node));
    if (at >= strings_.size()) break;
    return strings_.substr(at, strings_.find('\0', at) - at);
  }
  return std::nullopt;
}

void Charsmap::apply(Normalized& text) const {
  const std::u32string& all = text.text;
  // Most text has nothing to do: nothing of it starts a key.
  size_t first = 0;
  while (first < all.size() && !is_key_start(all[first])) ++first;
  if (first == all.size()) return;
  std::vector<Edit> edits;
  edits.reserve(all.size() + 16);
  bool changed = false;
  std::string utf8;
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin + 1, bytes = utf8_size(all[begin]);
    for (; end < all.size() && joins(all[end - 1], all[end]); ++end) bytes += utf8_size(all[end]);
    const bool whole = bytes <= kLongestCluster;
    const auto lookup = [&](size_t from, size_t to) {
      if (!is_key_start(all[from])) return false;
      utf8.clear();
      for (size_t i = from; i < to; ++i) append_utf8(utf8, all[i]);
      const auto found = find(utf8);
      if (found) replace(edits, static_cast<int32_t>(to - from), decode_utf8(*found));
      changed |= found.has_value();
      return found.has_value();
    };
    if (!whole || !lookup(begin, end))
      for (size_t i = begin; i < end; ++i)
        if (!lookup(i, i + 1)) edits.push_back({all[i], 0});
    begin = end;
  }
  if (changed) text = transform(text, edits);
}

}  // namespace ink
