// VocabularyBuilder: text → a WordPiece vocabulary of characters and frequent word pieces.
#include "text/vocabulary_builder.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <unordered_set>

#include "tensor/error.h"

namespace ink {
namespace {

constexpr int64_t kSpecialTokens = 5;
constexpr size_t kLongestWord = 100;           // the tokenizer makes longer ones [UNK]
constexpr size_t kMaxWords = size_t{1} << 22;  // different words kept in memory

struct Word {
  std::vector<int32_t> pieces;
  int64_t count;
};
using Counts = std::map<std::u32string, int64_t>;  // ordered, so that all below is deterministic

// The kept characters: the most frequent ones, for a vocabulary with room for `room` of them.
struct Alphabet {
  std::set<char32_t> characters;
  std::set<char32_t> inside;  // of them, those that occur in words of two characters or more
};

Alphabet choose_alphabet(const Counts& words, int64_t room, int64_t min_frequency) {
  std::map<char32_t, int64_t> frequency;
  std::set<char32_t> inside;
  for (const auto& [word, count] : words) {
    for (const char32_t c : word) {
      frequency[c] += count;
      if (word.size() > 1) inside.insert(c);
    }
  }
  std::vector<std::pair<char32_t, int64_t>> ranked(frequency.begin(), frequency.end());
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  Alphabet out;
  for (const auto& [c, count] : ranked) {
    const int64_t needed = inside.contains(c) ? 2 : 1;
    if (count < min_frequency || needed > room) break;
    room -= needed;
    out.characters.insert(c);
    if (inside.contains(c)) out.inside.insert(c);
  }
  return out;
}

// Byte pair encoding on words of pieces. A piece is a string, "##…" when it continues a word.
class Merger {
 public:
  Merger(const Counts& words, const Alphabet& alphabet) {
    for (const char32_t c : alphabet.characters) piece({c});
    for (const char32_t c : alphabet.inside) piece({U'#', U'#', c});
    for (const auto& [text, count] : words) add_word(text, count, alphabet);
    for (const auto& [pair, count] : counts_) queue_.push({count, pair});
  }

  size_t size() const { return pieces_.size(); }
  const std::vector<std::u32string>& pieces() const { return pieces_; }

  // Merges the most frequent pair everywhere; false when none occurs min_frequency times.
  bool merge(int64_t min_frequency) {
    while (!queue_.empty()) {
      const auto [count, pair] = queue_.top();
      queue_.pop();
      if (count != counts_[pair]) continue;  // changed since; its new count was queued then
      if (count < min_frequency) return false;
      replace(pair);
      return true;
    }
    return false;
  }

 private:
  using Pair = std::pair<int32_t, int32_t>;
  struct Candidate {
    int64_t count;
    Pair pair;
    // Greatest first in the queue: frequent before rare, then earlier pieces before later ones.
    bool operator<(const Candidate& o) const {
      return count != o.count ? count < o.count : pair > o.pair;
    }
  };

  int32_t piece(const std::u32string& text) {
    const auto [it, is_new] = ids_.try_emplace(text, static_cast<int32_t>(pieces_.size()));
    if (is_new) pieces_.push_back(text);
    return it->second;
  }

  // Words with a character outside the alphabet cannot be spelled and teach nothing.
  void add_word(const std::u32string& text, int64_t count, const Alphabet& alphabet) {
    if (text.size() < 2) return;
    Word word{{}, count};
    for (const char32_t c : text) {
      if (!alphabet.characters.contains(c)) return;
      word.pieces.push_back(
          ids_.at(word.pieces.empty() ? std::u32string{c} : U"##" + std::u32string{c}));
    }
    words_.push_back(std::move(word));
    for (size_t i = 0; i + 1 < words_.back().pieces.size(); ++i) change(words_.size() - 1, i, +1);
  }

  // Counts the pair at position i of a word in or out.
  void change(size_t w, size_t i, int64_t sign) {
    const Word& word = words_[w];
    const Pair pair{word.pieces[i], word.pieces[i + 1]};
    counts_[pair] += sign * word.count;
    if (sign > 0) where_[pair].insert(w);
    touched_.insert(pair);
  }

  void replace(Pair pair) {
    std::u32string_view tail = pieces_[static_cast<size_t>(pair.second)];
    const int32_t merged =
        piece(pieces_[static_cast<size_t>(pair.first)] + std::u32string(tail.substr(2)));
    const std::set<size_t> places = std::move(where_[pair]);
    where_.erase(pair);
    touched_.clear();
    for (const size_t w : places) {
      std::vector<int32_t>& pieces = words_[w].pieces;
      for (size_t i = 0; i + 1 < pieces.size(); ++i) change(w, i, -1);
      size_t kept = 0;
      for (size_t i = 0; i < pieces.size(); ++i) {
        const bool here = i + 1 < pieces.size() && Pair{pieces[i], pieces[i + 1]} == pair;
        pieces[kept++] = here ? merged : pieces[i];
        i += here;
      }
      pieces.resize(kept);
      for (size_t i = 0; i + 1 < pieces.size(); ++i) change(w, i, +1);
    }
    for (const Pair& p : touched_)
      if (counts_[p] > 0) queue_.push({counts_[p], p});
  }

  std::vector<std::u32string> pieces_;
  std::map<std::u32string, int32_t> ids_;
  std::vector<Word> words_;
  std::map<Pair, int64_t> counts_;
  std::map<Pair, std::set<size_t>> where_;  // words that hold the pair, or once did
  std::set<Pair> touched_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

VocabularyBuilder::VocabularyBuilder(VocabularyOptions options) : options_(std::move(options)) {
  check(options_.size > kSpecialTokens, "vocabulary: expected a size above ", kSpecialTokens,
        ", the number of special tokens, got ", options_.size);
  check(options_.min_frequency > 0, "vocabulary: expected min_frequency above 0, got ",
        options_.min_frequency);
}

void VocabularyBuilder::add(std::string_view text) {
  const Normalized normalized = normalize(decode_utf8(text), options_.normalize);
  for (const Span& word : split_words(normalized.text)) {
    if (static_cast<size_t>(word.size()) > kLongestWord) continue;
    ++counts_[normalized.text.substr(static_cast<size_t>(word.begin),
                                     static_cast<size_t>(word.size()))];
  }
  if (counts_.size() > kMaxWords) forget_rare_words();
}

// Keeps memory bounded on text of unbounded variety, where words seen once are mostly noise.
void VocabularyBuilder::forget_rare_words() {
  for (int64_t rare = 1; counts_.size() > kMaxWords / 2; ++rare)
    std::erase_if(
        counts_, [&](const auto& entry) { return entry.second <= rare && entry.first.size() > 1; });
}

Vocabulary VocabularyBuilder::build() const {
  const Counts words(counts_.begin(), counts_.end());
  const SpecialTokens& names = options_.special_tokens;
  std::vector<std::string> tokens = {names.pad, names.unk, names.cls, names.sep, names.mask};
  const auto room = static_cast<size_t>(options_.size) - tokens.size();
  const Alphabet alphabet =
      choose_alphabet(words, static_cast<int64_t>(room), options_.min_frequency);
  check(!alphabet.characters.empty(), "vocabulary: expected text in which some character occurs ",
        options_.min_frequency, " times, got ", counts_.size(),
        " different words; add text or lower min_frequency");
  Merger merger(words, alphabet);
  while (merger.size() < room && merger.merge(options_.min_frequency)) {
  }
  for (const std::u32string& piece : merger.pieces()) tokens.push_back(encode_utf8(piece));
  return Vocabulary(tokens, names, "the text");
}

Vocabulary build_vocabulary(const Corpus& corpus, const VocabularyOptions& options) {
  VocabularyBuilder builder(options);
  for (int64_t block = 0; block < corpus.blocks(); ++block)
    for (const Document& document : corpus.read_block(block, Split::train))
      for (const std::string& line : document.lines) builder.add(line);
  return builder.build();
}

}  // namespace ink
