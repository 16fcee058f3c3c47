// Tokenizer: text ⇄ ids by BERT's normalization and greedy WordPiece, equal to the fast tokenizer.
#include "text/tokenizer.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr size_t kLongestWord = 100;  // characters; longer words are [UNK]
constexpr int64_t kLinesPerTask = 64;

void append_token(Encoding& out, int32_t id, int32_t word, Span offset, Span bytes) {
  out.ids.push_back(id);
  out.segments.push_back(0);
  out.words.push_back(word);
  out.offsets.push_back(offset);
  out.bytes.push_back(bytes);
}

void append_prefix(Encoding& out, const Encoding& from, int64_t count, int32_t segment) {
  const auto copy = [&](auto& to, const auto& source) {
    to.insert(to.end(), source.begin(), source.begin() + count);
  };
  copy(out.ids, from.ids);
  copy(out.words, from.words);
  copy(out.offsets, from.offsets);
  copy(out.bytes, from.bytes);
  out.segments.resize(out.ids.size(), segment);
}

struct Lengths {
  int64_t first, second;
};

// How many tokens of each text fit into `room`.
Lengths fit(Lengths n, int64_t room, Truncation truncation) {
  const int64_t excess = n.first + n.second - room;
  if (excess <= 0) return n;
  if (truncation != Truncation::longest_first) {
    int64_t& shortened = truncation == Truncation::first ? n.first : n.second;
    check(shortened >= excess, "tokenizer: expected max_length to leave room for ", excess,
          " more tokens than the ", truncation == Truncation::first ? "first" : "second",
          " text, the only one to be shortened, can give up; it has ", shortened);
    shortened -= excess;
    return n;
  }
  auto [shorter, longer] = std::minmax({n.first, n.second});
  if (shorter + shorter >= room) {
    // Both are cut to one length; an odd token goes to the longer text.
    shorter = room / 2;
    longer = room - shorter;
  } else {
    longer = room - shorter;
  }
  return n.first > n.second ? Lengths{longer, shorter} : Lengths{shorter, longer};
}

struct Match {
  int32_t id;  // Trie::no_value: none
  size_t end;
};

// The longest string of the trie below `node` that stands in the text at `begin`.
Match longest(const Trie& trie, Trie::Node node, std::u32string_view text, size_t begin) {
  Match out{Trie::no_value, begin};
  for (size_t i = begin; i < text.size(); ++i) {
    const auto [next, value] = trie.step(node, text[i]);
    if (next == Trie::nowhere) break;
    if (value != Trie::no_value) out = {value, i + 1};
    node = next;
  }
  return out;
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary, NormalizeOptions options)
    : vocabulary_(std::move(vocabulary)), options_(options) {
  continuation_ = pieces_.insert(U"##", Trie::no_value);
  for (int32_t id = 0; id < vocabulary_.size(); ++id)
    pieces_.insert(decode_utf8(vocabulary_.token(id)), id);
  const SpecialTokens& names = vocabulary_.special_tokens();
  for (const std::string& name : {names.unk, names.cls, names.sep, names.mask, names.pad}) {
    const std::u32string token = decode_utf8(name);
    special_.insert(token, vocabulary_.id(name));
    special_starts_ += token[0];
  }
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return join(pieces(text), nullptr, options);
}

Encoding Tokenizer::encode(std::string_view first, std::string_view second,
                           const EncodeOptions& options) const {
  const Encoding b = pieces(second);
  return join(pieces(first), &b, options);
}

Encoding Tokenizer::pieces(std::string_view text) const {
  const Decoded decoded = decode_utf8_with_offsets(text);
  const std::u32string_view all = decoded.text;
  Encoding out;
  Span plain{0, 0};  // what has been passed since the last special token
  for (size_t at = all.find_first_of(special_starts_); at < all.size();) {
    const auto [id, end] = longest(special_, Trie::root, all, at);
    if (id != Trie::no_value) {
      plain.end = static_cast<int32_t>(at);
      add_pieces(decoded, plain, out);
      const int32_t word = out.words.empty() ? 0 : out.words.back() + 1;
      const Span span{static_cast<int32_t>(at), static_cast<int32_t>(end)};
      append_token(out, id, word, span, {decoded.bytes[at], decoded.bytes[end]});
      plain.begin = span.end;
    }
    at = all.find_first_of(special_starts_, std::max(end, at + 1));
  }
  plain.end = static_cast<int32_t>(all.size());
  add_pieces(decoded, plain, out);
  return out;
}

// Appends the tokens of a part of the text that holds no special token.
void Tokenizer::add_pieces(const Decoded& text, Span part, Encoding& out) const {
  const auto begin = static_cast<size_t>(part.begin);
  const Normalized normalized = normalize(
      std::u32string_view(text.text).substr(begin, static_cast<size_t>(part.size())), options_);
  const std::vector<Span> words = split_words(normalized.text);
  int32_t number = out.words.empty() ? 0 : out.words.back() + 1;
  std::vector<int32_t> ids;
  std::vector<Span> pieces;
  for (const Span& word : words) {
    ids.clear();
    pieces.clear();
    spell(std::u32string_view(normalized.text)
              .substr(static_cast<size_t>(word.begin), static_cast<size_t>(word.size())),
          ids, pieces);
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto source = [&](int32_t in_word) {
        return part.begin + normalized.source[static_cast<size_t>(word.begin + in_word)];
      };
      const Span offset{source(pieces[i].begin), source(pieces[i].end - 1) + 1};
      append_token(out, ids[i], number, offset,
                   {text.bytes[static_cast<size_t>(offset.begin)],
                    text.bytes[static_cast<size_t>(offset.end)]});
    }
    ++number;
  }
}

// Greedy longest match first: one walk down the trie per piece.
void Tokenizer::spell(std::u32string_view word, std::vector<int32_t>& ids,
                      std::vector<Span>& pieces) const {
  size_t begin = 0;
  while (begin < word.size() && word.size() <= kLongestWord) {
    const auto [id, end] = longest(pieces_, begin == 0 ? Trie::root : continuation_, word, begin);
    if (id == Trie::no_value) break;
    ids.push_back(id);
    pieces.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(end)});
    begin = end;
  }
  if (begin < word.size()) {
    ids.assign(1, vocabulary_.unk());
    pieces.assign(1, {0, static_cast<int32_t>(word.size())});
  }
}

Encoding Tokenizer::join(const Encoding& first, const Encoding* second,
                         const EncodeOptions& options) const {
  const int64_t added = second ? 3 : 2;
  Lengths n{first.size(), second ? second->size() : 0};
  check(options.max_length == 0 || options.max_length >= added,
        "tokenizer: expected max_length to be 0 or at least ", added, " for [CLS] and [SEP], got ",
        options.max_length);
  if (options.max_length > 0) {
    const Truncation t = second ? options.truncation : Truncation::first;
    n = fit(n, options.max_length - added, t);
  }
  Encoding out;
  append_token(out, vocabulary_.cls(), Encoding::no_word, {}, {});
  append_prefix(out, first, n.first, 0);
  append_token(out, vocabulary_.sep(), Encoding::no_word, {}, {});
  if (second) {
    append_prefix(out, *second, n.second, 1);
    append_token(out, vocabulary_.sep(), Encoding::no_word, {}, {});
    out.segments.back() = 1;
  }
  return out;
}

std::vector<Encoding> Tokenizer::encode_all(std::span<const std::string> texts,
                                            const EncodeOptions& options) const {
  std::vector<Encoding> out(texts.size());
  parallel_for(static_cast<int64_t>(texts.size()), kLinesPerTask, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      out[i] = encode(texts[i], options);
  });
  return out;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  bool first = true;
  for (const int32_t id : ids) {
    const std::string& token = vocabulary_.token(id);
    if (skip_special && vocabulary_.is_special(id)) continue;
    const bool glued = token.starts_with("##") && !first;
    const bool closes = token == "." || token == "," || token == "!" || token == "?";
    if (!first && !glued && !closes) out += ' ';
    out += glued ? std::string_view(token).substr(2) : std::string_view(token);
    first = false;
  }
  return out;
}

}  // namespace ink
