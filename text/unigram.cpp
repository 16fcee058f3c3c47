// Unigram: the most probable way to cut a text into pieces (Kudo 2018), as SentencePiece does it.
#include "text/unigram.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "text/character.h"

namespace ink {
namespace {

constexpr char32_t kSpaceMark = U'▁';
constexpr double kUnknownPenalty = 10;  // below the worst piece

}  // namespace

Unigram::Unigram(const Vocabulary& vocabulary, std::vector<double> scores, int32_t unknown,
                 UnigramOptions options)
    : scores_(std::move(scores)),
      unknown_(unknown),
      options_(options),
      pieces_(scores_.size(), vocabulary.characters()) {
  const auto pieces = static_cast<int32_t>(scores_.size());
  check(pieces > 0 && pieces <= vocabulary.size(), "unigram: expected a score for 1 to ",
        vocabulary.size(), " tokens, got ", pieces);
  check(unknown_ >= 0 && unknown_ < pieces, "unigram: expected the unknown token's id in [0, ",
        pieces, "), got ", unknown_);
  for (int32_t id = 0; id < pieces; ++id) {
    const double score = scores_[static_cast<size_t>(id)];
    check(std::isfinite(score), "unigram: expected a finite score for '", vocabulary.token(id),
          "', got ", score);
    if (!vocabulary.token(id).empty()) pieces_.insert(decode_utf8(vocabulary.token(id)), id);
  }
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
}

void Unigram::cut(const Normalized& text, TokenSink& out) const {
  Normalized word;
  std::vector<Best> best;
  const auto size = static_cast<int32_t>(text.text.size());
  if (!options_.split_whitespace) return cut_part(text, {0, size}, word, best, out);
  int32_t begin = 0;
  for (int32_t i = 0; i < size; ++i) {
    if (!is_whitespace(text.text[static_cast<size_t>(i)])) continue;
    cut_part(text, {begin, i}, word, best, out);
    begin = i + 1;
  }
  cut_part(text, {begin, size}, word, best, out);
}

// Marks the spaces of a part and cuts each word in it.
void Unigram::cut_part(const Normalized& text, Span part, Normalized& word, std::vector<Best>& best,
                       TokenSink& out) const {
  if (part.size() == 0) return;
  const auto begin = static_cast<size_t>(part.begin), end = static_cast<size_t>(part.end);
  const char32_t first = text.text[begin];
  word.text.clear();
  word.source.clear();
  const bool wanted = options_.prefix_space == PrefixSpace::always ||
                      (options_.prefix_space == PrefixSpace::first && text.source[begin] == 0);
  if (wanted && first != U' ' && first != kSpaceMark) {
    word.text += kSpaceMark;
    word.source.push_back(text.source[begin]);
  }
  for (size_t i = begin; i < end; ++i) {
    word.text += text.text[i] == U' ' ? kSpaceMark : text.text[i];
    word.source.push_back(text.source[i]);
  }
  const std::u32string_view all = word.text;
  for (size_t at = 0; at < all.size();) {
    const size_t next =
        options_.split_words ? std::min(all.find(kSpaceMark, at + 1), all.size()) : all.size();
    cut_word(all.substr(at, next - at), word.source.data() + at, best, out);
    at = next;
  }
}

void Unigram::cut_word(std::u32string_view word, const int32_t* source, std::vector<Best>& best,
                       TokenSink& out) const {
  constexpr int32_t kUnreached = -1;
  const auto n = static_cast<int32_t>(word.size());
  best.assign(word.size() + 1, {0, kUnreached, 0});
  const auto offer = [&](int32_t end, double score, int32_t begin, int32_t id) {
    Best& at = best[static_cast<size_t>(end)];
    if (at.begin == kUnreached || score > at.score) at = {score, begin, id};
  };
  for (int32_t begin = 0; begin < n; ++begin) {
    const double so_far = best[static_cast<size_t>(begin)].score;
    bool is_piece = false;  // the character alone
    Trie::Node node = Trie::root;
    for (int32_t i = begin; i < n; ++i) {
      const auto [next, id] = pieces_.step(node, word[static_cast<size_t>(i)]);
      if (next == Trie::nowhere) break;
      node = next;
      if (id == Trie::no_value) continue;
      offer(i + 1, so_far + scores_[static_cast<size_t>(id)], begin, id);
      is_piece |= i == begin;
    }
    if (!is_piece) offer(begin + 1, so_far + unknown_score_, begin, unknown_);
  }
  // The path from its end to its beginning, unknown neighbours joined; then turned round in place.
  std::vector<Best>& path = best;
  size_t length = 0;
  for (int32_t end = n; end > 0;) {
    const auto [score, begin, id] = path[static_cast<size_t>(end)];
    // Positions behind `end` are done with, and the path is no longer than what is behind it.
    const size_t slot = path.size() - 1 - length;
    if (id == unknown_ && length > 0 && path[slot + 1].id == unknown_)
      path[slot + 1].begin = begin;
    else
      path[slot] = {score, begin, id}, ++length;
    end = begin;
  }
  out.begin_word();
  for (size_t i = path.size() - length; i < path.size(); ++i) {
    const int32_t begin = path[i].begin;
    const int32_t end = i + 1 < path.size() ? path[i + 1].begin : n;
    int32_t id = path[i].id;
    // Joined unknowns may, together, be a piece after all: one too improbable to be chosen.
    if (id == unknown_ && end - begin > 1) {
      const int32_t whole =
          pieces_.find(word.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin)))
              .value;
      if (whole != Trie::no_value) id = whole;
    }
    out.add(id, source[begin], source[end - 1] + 1);
  }
}

}  // namespace ink
