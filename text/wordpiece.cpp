// WordPiece: words spelled by the longest pieces of a vocabulary, from left to right.
#include "text/wordpiece.h"

#include "tensor/error.h"

namespace ink {

WordPiece::WordPiece(const Vocabulary& vocabulary, int32_t own, WordPieceOptions options)
    : options_(std::move(options)),
      own_(own),
      unknown_(vocabulary.unk()),
      pieces_(vocabulary.written(), vocabulary.characters()) {
  check(!options_.prefix.empty(), "wordpiece: expected a prefix for pieces inside words, got none");
  continuation_ = pieces_.insert(decode_utf8(options_.prefix), Trie::no_value);
  for (int32_t id = 0; id < own; ++id)
    if (!vocabulary.token(id).empty()) pieces_.insert(decode_utf8(vocabulary.token(id)), id);
}

void WordPiece::cut(const Normalized& text, TokenSink& out) const {
  std::vector<Piece> pieces;
  for (const Span& word : split_words(text.text)) {
    const auto first = static_cast<size_t>(word.begin);
    const int32_t* source = text.source.data() + first;
    const size_t size = static_cast<size_t>(word.size());
    out.begin_word();
    pieces.clear();
    if (!spell(std::u32string_view(text.text).substr(first, size), pieces)) {
      out.add(unknown_, source[0], source[size - 1] + 1);
      continue;
    }
    int32_t begin = 0;
    for (const auto& [id, end] : pieces) {
      out.add(id, source[begin], source[end - 1] + 1);
      begin = end;
    }
  }
}

// Greedy longest match first: one walk down the trie per piece. False: the word is unknown.
bool WordPiece::spell(std::u32string_view word, std::vector<Piece>& pieces) const {
  if (word.size() > options_.longest_word) return false;
  for (size_t begin = 0; begin < word.size();) {
    Trie::Node node = begin == 0 ? Trie::root : continuation_;
    Piece longest{Trie::no_value, 0};
    for (size_t i = begin; i < word.size(); ++i) {
      const auto [next, value] = pieces_.step(node, word[i]);
      if (next == Trie::nowhere) break;
      if (value != Trie::no_value) longest = {value, static_cast<int32_t>(i) + 1};
      node = next;
    }
    if (longest.id == Trie::no_value) return false;
    pieces.push_back(longest);
    begin = static_cast<size_t>(longest.end);
  }
  return true;
}

}  // namespace ink
