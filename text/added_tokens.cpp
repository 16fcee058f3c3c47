// Added tokens: strings that stay whole wherever they stand in a text, such as "[MASK]".
#include "text/added_tokens.h"

#include <algorithm>

#include "tensor/error.h"
#include "text/character.h"

namespace ink {
namespace {

bool is_word_character(char32_t c) { return character_classes(c) & character::word_character; }

}  // namespace

void AddedTokens::Set::insert(std::u32string_view content, int32_t index) {
  trie.insert(content, index);
  if (content[0] < 128)
    ascii_starts[content[0]] = true;
  else
    other_starts = true;
  empty = false;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer)
    : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    check(!token.content.empty(), "tokenizer: expected added token ", token.id,
          " to have a content, got none");
    std::u32string content = decode_utf8(token.content);
    if (token.normalized) content = normalizer(content).text;
    if (!content.empty()) sets_[token.normalized].insert(content, static_cast<int32_t>(i));
  }
}

const AddedToken* AddedTokens::find_id(int32_t id) const {
  const auto at = std::lower_bound(tokens_.begin(), tokens_.end(), id,
                                   [](const AddedToken& t, int32_t x) { return t.id < x; });
  return at == tokens_.end() || at->id != id ? nullptr : &*at;
}

std::vector<AddedTokens::Match> AddedTokens::find(std::u32string_view text, bool normalized) const {
  const Set& set = sets_[normalized];
  std::vector<Match> out;
  if (set.empty) return out;
  size_t taken = 0;  // the end of the last match
  for (size_t at = 0; at < text.size();) {
    if (!set.may_start(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    int32_t index = Trie::no_value;
    Trie::Node node = Trie::root;
    for (size_t i = at; i < text.size(); ++i) {
      const auto [next, value] = set.trie.step(node, text[i]);
      if (next == Trie::nowhere) break;
      if (value != Trie::no_value) index = value, end = i + 1;
      node = next;
    }
    if (index == Trie::no_value) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(index)];
    size_t begin = at;
    at = end;
    if (token.single_word && ((begin > 0 && is_word_character(text[begin - 1])) ||
                              (end < text.size() && is_word_character(text[end]))))
      continue;
    while (token.lstrip && begin > taken && is_whitespace(text[begin - 1])) --begin;
    while (token.rstrip && end < text.size() && is_whitespace(text[end])) ++end;
    out.push_back({token.id, begin, end});
    taken = end;
  }
  return out;
}

}  // namespace ink
