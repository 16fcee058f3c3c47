// Byte-level BPE: words as bytes, neighbours merged by learned rules, the earliest rule first.
#include "text/byte_bpe.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "tensor/error.h"
#include "text/character.h"

namespace ink {
namespace {

// How vocabularies write each byte: visible Latin-1 characters as they are, others from U+0100 on.
constexpr bool is_visible(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

constexpr std::array<char32_t, 256> make_byte_characters() {
  std::array<char32_t, 256> out{};
  char32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) out[byte] = is_visible(byte) ? byte : next++;
  return out;
}

constexpr std::array<char32_t, 256> kByteCharacters = make_byte_characters();
constexpr char32_t kSpaceCharacter = kByteCharacters[' '];

// The byte that a character of a vocabulary stands for, or -1.
int byte_of(char32_t c) {
  if (c < 256) return is_visible(c) ? static_cast<int>(c) : -1;
  const auto found = std::find(kByteCharacters.begin(), kByteCharacters.end(), c);
  return found == kByteCharacters.end() ? -1 : static_cast<int>(found - kByteCharacters.begin());
}

// Where the contraction that begins with the apostrophe at `at` ends, or `at`.
size_t end_of_contraction(std::u32string_view text, size_t at) {
  for (const std::u32string_view ending : {U"s", U"t", U"re", U"ve", U"m", U"ll", U"d"})
    if (text.substr(at + 1, ending.size()) == ending) return at + 1 + ending.size();
  return at;
}

// Where the word that begins at `at` ends, by the pattern of GPT-2:
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t end_of_word(std::u32string_view text, size_t at) {
  constexpr uint16_t kKinds = character::letter | character::number | character::whitespace;
  const auto kind = [&](size_t i) { return character_classes(text[i]) & kKinds; };
  if (text[at] == U'\'')
    if (const size_t end = end_of_contraction(text, at); end > at) return end;
  size_t end = at;
  if (text[at] == U' ' && at + 1 < text.size() && kind(at + 1) != character::whitespace) ++end;
  const int of = kind(end);
  while (end < text.size() && kind(end) == of) ++end;
  // The last of several blanks goes with the word behind them.
  const bool gives_one = of == character::whitespace && end < text.size() && end > at + 1;
  return gives_one ? end - 1 : end;
}

// The two tokens of a line of merges.
std::pair<std::string_view, std::string_view> parts_of(std::string_view line, size_t number,
                                                       const std::string& source) {
  const size_t space = line.find(' ');
  check(
      space != 0 && space < line.size() - 1 && line.find(' ', space + 1) == std::string_view::npos,
      "byte_bpe: ", source, ":", number, ": expected two tokens and a space between them, got '",
      line.substr(0, 80), "'");
  return {line.substr(0, space), line.substr(space + 1)};
}

}  // namespace

// What cutting needs for a while, kept from word to word.
struct ByteBpe::Scratch {
  struct Candidate {  // a rule that may apply to symbol `at` and its next
    int32_t rank, at;
    bool operator<(const Candidate& other) const {  // the heap's top is the least
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  std::string bytes;               // of the word
  std::vector<int32_t> character;  // of each byte, in the word
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

ByteBpe::ByteBpe(const Vocabulary& vocabulary, std::string_view merges, ByteBpeOptions options,
                 const std::string& source)
    : options_(options) {
  for (size_t byte = 0; byte < 256; ++byte) {
    std::string token;
    append_utf8(token, kByteCharacters[byte]);
    const auto id = vocabulary.find(token);
    check(id.has_value(), "byte_bpe: expected a token '", token, "' for byte ", byte, " in ",
          source);
    byte_ids_[byte] = *id;
  }
  read_merges(vocabulary, merges, source);
  for (int32_t id = 0; id < vocabulary.size(); ++id)
    spaces_.push_back(spaces_of(decode_utf8(vocabulary.token(id))));
  Scratch scratch;
  whole_words_.reserve(merges_.size());
  for (const auto& [left, right] : merges_) {
    std::string word = bytes_of(vocabulary.token(left));
    word += bytes_of(vocabulary.token(right));
    merge(word, scratch);
    const Symbol& first = scratch.symbols[0];
    if (first.next < 0) whole_words_.try_emplace(word, first.id);
  }
}

ByteBpe::Spaces ByteBpe::spaces_of(std::u32string_view token) {
  const auto is_space = [](char32_t c) { return c == kSpaceCharacter || is_whitespace(c); };
  const auto first = std::find_if_not(token.begin(), token.end(), is_space);
  const auto last = std::find_if_not(token.rbegin(), token.rend(), is_space);
  return {static_cast<int32_t>(first - token.begin()), static_cast<int32_t>(last - token.rbegin())};
}

void ByteBpe::read_merges(const Vocabulary& vocabulary, std::string_view lines,
                          const std::string& source) {
  const auto count = static_cast<size_t>(std::ranges::count(lines, '\n')) + 1;
  check(count < size_t{1} << 30, "byte_bpe: expected fewer than 2^30 merges in ", source);
  merges_.reserve(count);
  rules_.resize(std::bit_ceil(2 * count + 2));
  shift_ = 64 - std::countr_zero(rules_.size());
  std::string both;
  for (size_t number = 1; !lines.empty(); ++number) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const auto [left, right] = parts_of(line, number, source);
    const auto a = vocabulary.find(left), b = vocabulary.find(right),
               merged = vocabulary.find(both.assign(left).append(right));
    check(a && b && merged, "byte_bpe: ", source, ":", number, ": '", left, "' with '", right,
          "': expected both and '", both, "' in the vocabulary");
    add_rule({*a, *b}, static_cast<int32_t>(merges_.size()), *merged);
    merges_.emplace_back(*a, *b);
  }
}

void ByteBpe::add_rule(const Merge& merge, int32_t rank, int32_t merged) {
  const uint64_t pair =
      static_cast<uint64_t>(merge.first) << 32 | static_cast<uint32_t>(merge.second);
  size_t i = pair * 0x9E3779B97F4A7C15u >> shift_;
  while (rules_[i].pair != pair && rules_[i].pair != ~uint64_t{0})
    i = (i + 1) & (rules_.size() - 1);
  rules_[i] = {pair, rank, merged};
}

const ByteBpe::Rule* ByteBpe::rule(int32_t left, int32_t right) const {
  const uint64_t pair = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  size_t i = pair * 0x9E3779B97F4A7C15u >> shift_;
  for (;; i = (i + 1) & (rules_.size() - 1)) {
    if (rules_[i].pair == pair) return &rules_[i];
    if (rules_[i].pair == ~uint64_t{0}) return nullptr;
  }
}

// Leaves the symbols that no rule joins in scratch.symbols, linked from 0 on.
void ByteBpe::merge(std::string_view word, Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto n = static_cast<int32_t>(word.size());
  symbols.resize(word.size());
  heap.clear();
  for (int32_t i = 0; i < n; ++i) {
    const auto byte = static_cast<uint8_t>(word[static_cast<size_t>(i)]);
    symbols[static_cast<size_t>(i)] = {byte_ids_[byte], i + 1, i - 1, i + 1 < n ? i + 1 : -1};
  }
  const auto offer = [&](int32_t at) {
    if (at < 0) return;
    const Symbol& left = symbols[static_cast<size_t>(at)];
    if (left.next < 0) return;
    const Rule* found = rule(left.id, symbols[static_cast<size_t>(left.next)].id);
    if (found) heap.push_back({found->rank, at});
  };
  for (int32_t i = 0; i + 1 < n; ++i) offer(i);
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const auto [rank, at] = heap.back();
    heap.pop_back();
    Symbol& left = symbols[static_cast<size_t>(at)];
    if (left.id < 0 || left.next < 0) continue;  // merged away since, or last now
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    const Rule* found = rule(left.id, right.id);
    if (!found || found->rank != rank) continue;  // another pair by now
    left.id = found->merged;
    left.end = right.end;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = at;
    for (const int32_t changed : {left.previous, at}) {
      const size_t before = heap.size();
      offer(changed);
      if (heap.size() > before) std::push_heap(heap.begin(), heap.end());
    }
  }
}

void ByteBpe::cut_word(std::u32string_view word, const int32_t* source, Scratch& scratch,
                       TokenSink& out) const {
  scratch.bytes.clear();
  scratch.character.clear();
  for (size_t i = 0; i < word.size(); ++i) {
    append_utf8(scratch.bytes, word[i]);
    scratch.character.resize(scratch.bytes.size(), static_cast<int32_t>(i));
  }
  out.begin_word();
  const auto add = [&](int32_t id, int32_t begin, int32_t end) {
    const auto first = static_cast<size_t>(begin), last = static_cast<size_t>(end) - 1;
    out.add(id, source[scratch.character[first]], source[scratch.character[last]] + 1);
  };
  if (const auto whole = whole_words_.find(std::string_view(scratch.bytes));
      whole != whole_words_.end())
    return add(whole->second, 0, static_cast<int32_t>(scratch.bytes.size()));
  merge(scratch.bytes, scratch);
  for (int32_t at = 0, begin = 0; at >= 0;) {
    const Symbol& symbol = scratch.symbols[static_cast<size_t>(at)];
    add(symbol.id, begin, symbol.end);
    begin = symbol.end;
    at = symbol.next;
  }
}

void ByteBpe::cut(const Normalized& text, TokenSink& out) const {
  if (text.text.empty()) return;
  if (options_.add_prefix_space && text.text[0] != U' ') {
    Normalized with_space{U' ' + text.text, {text.source[0]}};
    with_space.source.insert(with_space.source.end(), text.source.begin(), text.source.end());
    return cut(with_space, out);
  }
  Scratch scratch;
  const std::u32string_view all = text.text;
  for (size_t at = 0; at < all.size();) {
    const size_t end = end_of_word(all, at);
    cut_word(all.substr(at, end - at), text.source.data() + at, scratch, out);
    at = end;
  }
}

// As the reference counts: by the characters of the token, whatever stood in the text, and of an
// added token by those that it took there; the space put before the text was not there, so the
// first token's single space is not taken away.
void ByteBpe::trim(const Decoded& text, const AddedTokens& added, Encoding& tokens) const {
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    Span& place = tokens.offsets[i];
    auto [leading, trailing] =
        added.find_id(tokens.ids[i])
            ? spaces_of(std::u32string_view(text.text).substr(static_cast<size_t>(place.begin),
                                                              static_cast<size_t>(place.size())))
            : spaces_[static_cast<size_t>(tokens.ids[i])];
    if (leading == 0 && trailing == 0) continue;
    const bool is_first = i == 0 || place.begin == 0;
    if (is_first && options_.add_prefix_space && leading == 1) leading = 0;
    place.begin = std::min(place.begin + leading, place.end);
    if (trailing > 0 && place.end >= trailing)
      place.end = std::max(place.end - trailing, place.begin);
    tokens.bytes[i] = {text.bytes[static_cast<size_t>(place.begin)],
                       text.bytes[static_cast<size_t>(place.end)]};
  }
}

std::string ByteBpe::bytes_of(std::string_view token) {
  std::string out;
  for (const char32_t c : decode_utf8(token)) {
    const int byte = byte_of(c);
    if (byte < 0) return std::string(token);
    out += static_cast<char>(byte);
  }
  return out;
}

}  // namespace ink
