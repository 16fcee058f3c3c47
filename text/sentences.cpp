// Sentences: a text cut where Chinese or Latin sentences end.
#include "text/sentences.h"

#include <algorithm>

#include "text/normalize.h"

namespace ink {
namespace {

constexpr std::u32string_view kFullwidthEnds = U"。！？；…｡";
constexpr std::u32string_view kClosers = U"”’」』）】》〉］｝〕\"')]}";
constexpr std::u32string_view kOpeners = U"“‘「『（【《〈［｛〔\"'([{";
constexpr std::u32string_view kAbbreviations[] = {
    U"mr",   U"mrs", U"ms",  U"dr",  U"prof", U"st",  U"jr",  U"sr",  U"vs",  U"etc",
    U"e.g",  U"i.e", U"cf",  U"al",  U"fig",  U"eq",  U"no",  U"vol", U"pp",  U"inc",
    U"ltd",  U"co",  U"jan", U"feb", U"mar",  U"apr", U"jun", U"jul", U"aug", U"sep",
    U"sept", U"oct", U"nov", U"dec", U"u.s",  U"a.m", U"p.m"};

bool contains(std::u32string_view set, char32_t c) {
  return set.find(c) != std::u32string_view::npos;
}
bool is_capital(char32_t c) { return c >= 'A' && c <= 'Z'; }
bool is_small(char32_t c) { return c >= 'a' && c <= 'z'; }

// Whether the full stop at `at` closes an abbreviation or an initial rather than a sentence.
bool abbreviates(std::u32string_view text, size_t at) {
  size_t begin = at;
  while (begin > 0 && (is_capital(text[begin - 1]) || is_small(text[begin - 1]) ||
                       (text[begin - 1] == '.' && begin < at)))
    --begin;
  std::u32string word(text.substr(begin, std::min<size_t>(at - begin, 8)));
  if (at - begin == 1 && is_capital(word[0])) return true;
  for (char32_t& c : word)
    if (is_capital(c)) c += 32;
  return std::find(std::begin(kAbbreviations), std::end(kAbbreviations), word) !=
         std::end(kAbbreviations);
}

// First position from `at` on that holds none of `set`.
size_t skip(std::u32string_view text, size_t at, std::u32string_view set) {
  return std::min(text.find_first_not_of(set, at), text.size());
}

// Position behind the sentence end that begins at `at`, or `at` when none does.
size_t end_of_sentence(std::u32string_view text, size_t at) {
  const char32_t c = text[at];
  if (c == '\n') return at + 1;
  if (contains(kFullwidthEnds, c)) return skip(text, skip(text, at, U"。！？；…｡!?"), kClosers);
  if (c != '.' && c != '!' && c != '?') return at;
  const size_t end = skip(text, skip(text, at, U".!?！？…"), kClosers);
  if (end == text.size() || text[end] == '\n') return end;
  if (is_bert_han(text[end])) return c == '.' ? at : end;
  if (!is_blank(text[end])) return at;
  size_t next = end;
  while (next < text.size() && (is_blank(text[next]) || contains(kOpeners, text[next]))) ++next;
  if (next < text.size() && is_small(text[next])) return at;
  return c == '.' && abbreviates(text, at) ? at : end;
}

}  // namespace

std::vector<Span> split_sentences(std::string_view text) {
  const Decoded decoded = decode_utf8_with_offsets(text);
  const std::u32string_view all = decoded.text;
  std::vector<Span> out;
  const auto add = [&](size_t begin, size_t end) {
    while (begin < end && is_blank(all[begin])) ++begin;
    while (end > begin && is_blank(all[end - 1])) --end;
    if (end > begin) out.push_back({decoded.bytes[begin], decoded.bytes[end]});
  };
  size_t begin = 0;
  for (size_t at = 0; at < all.size();) {
    const size_t end = end_of_sentence(all, at);
    if (end > at) {
      add(begin, end);
      begin = at = end;
    } else {
      // A run of marks that ended nothing is not looked at again piece by piece.
      at = std::max(at + 1, skip(all, at, U".!?"));
    }
  }
  add(begin, all.size());
  return out;
}

}  // namespace ink
