// Which tokens stay: what the tokenizer cannot do without, what was asked for, what a rule chooses.
#include "compress/kept_tokens.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "tensor/error.h"
#include "text/utf8.h"

namespace ink {
namespace {

void put(TokenSet& set, int64_t id) { set[static_cast<size_t>(id)] = 1; }
int64_t size_of_set(const TokenSet& set) { return std::ranges::count(set, uint8_t{1}); }

// The tokens of one character that spell a token where it stands: "ink" by "i", "##n" and "##k",
// "▁ink" by "▁", "▁i", "i", "n" and "k".
std::vector<std::string> spelling(const TokenizerParts& parts, std::string_view token) {
  std::vector<std::string> out;
  const auto* wordpiece = std::get_if<WordPiece>(&parts.model);
  const std::string_view bare = unmarked(parts, token);
  const std::string mark(token.substr(0, token.size() - bare.size()));
  for (const char32_t c : decode_utf8(bare)) {
    std::string one;
    append_utf8(one, c);
    if (out.empty()) out.push_back(mark + one);
    out.push_back(wordpiece ? wordpiece->options().prefix + one : one);
  }
  // WordPiece spells the first character by its first form alone, Unigram by the mark and another.
  if (wordpiece && out.size() > 1) out.erase(out.begin() + 1);
  if (!wordpiece && !mark.empty()) out.push_back(mark);
  return out;
}

void put_characters(const TokenizerParts& parts, KeptCharacters which, const TokenCounts& counts,
                    TokenSet& set) {
  if (which == KeptCharacters::none || std::holds_alternative<ByteBpe>(parts.model)) return;
  const Vocabulary& vocabulary = parts.vocabulary;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view token = vocabulary.token(id);
    if (which == KeptCharacters::all) {
      if (decode_utf8(unmarked(parts, token)).size() == 1) put(set, id);
    } else if (counts.of[static_cast<size_t>(id)] > 0) {
      for (const std::string& one : spelling(parts, token))
        if (const auto found = vocabulary.find(one)) put(set, *found);
    }
  }
}

std::vector<int32_t> most_frequent_first(const TokenCounts& counts) {
  std::vector<int32_t> ids(counts.of.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::ranges::stable_sort(ids, [&](int32_t a, int32_t b) {
    return counts.of[static_cast<size_t>(a)] > counts.of[static_cast<size_t>(b)];
  });
  return ids;
}

void choose_by_size(const TokenizerParts& parts, int64_t target, const TokenCounts& counts,
                    const MergeTree& merges, TokenSet& set) {
  int64_t size = size_of_set(set);
  check(target >= size, "prune: target_size: expected at least ", size,
        ", as so many tokens stay in any case (special and added tokens, bytes, what was asked "
        "for), got ",
        target);
  check(target <= parts.vocabulary.size(), "prune: target_size: expected at most the ",
        parts.vocabulary.size(), " tokens that there are, got ", target);
  for (const int32_t id : most_frequent_first(counts)) {
    if (size == target) break;
    if (parts.vocabulary.token(id).empty()) continue;
    const std::vector<int32_t> more = merges.missing(id, set);
    if (size + static_cast<int64_t>(more.size()) > target) continue;
    for (const int32_t one : more) put(set, one);
    size += static_cast<int64_t>(more.size());
  }
}

void choose_by_coverage(double share, const TokenCounts& counts, TokenSet& set) {
  const double wanted = share * static_cast<double>(counts.total());
  int64_t covered = 0;
  for (size_t id = 0; id < set.size(); ++id)
    if (set[id]) covered += counts.of[id];
  for (const int32_t id : most_frequent_first(counts)) {
    if (static_cast<double>(covered) >= wanted) return;
    if (set[static_cast<size_t>(id)]) continue;
    put(set, id);
    covered += counts.of[static_cast<size_t>(id)];
  }
}

// What stays whatever the rule says.
TokenSet protected_tokens(const TokenizerParts& parts, const VocabularyPruningConfig& config,
                          const std::vector<int32_t>& listed, const TokenCounts& counts,
                          TokenSet set) {
  for (const std::string& token : config.additional_tokens)
    put(set, known_token(parts.vocabulary, token, "additional_tokens"));
  for (const int64_t id : config.additional_token_ids) {
    check(id >= 0 && id < parts.vocabulary.size(),
          "prune: additional_token_ids: expected ids from 0 to ", parts.vocabulary.size() - 1,
          ", got ", id);
    put(set, id);
  }
  for (const int32_t id : listed) put(set, id);
  put_characters(parts, config.characters, counts, set);
  return set;
}

// Whether tokens of the text stay that are not special; bytes are such.
bool holds_counted(const TokenizerParts& parts, const TokenCounts& counts, const TokenSet& set) {
  const std::vector<TokenKind> kinds = token_kinds(parts);
  for (size_t id = 0; id < set.size(); ++id)
    if (set[id] && counts.of[id] > 0 && kinds[id] != TokenKind::special) return true;
  return false;
}

}  // namespace

TokenSet choose_tokens(const TokenizerParts& parts, const TokenSet& needed,
                       const VocabularyPruningConfig& config, const std::vector<int32_t>& listed,
                       const TokenCounts& counts) {
  check(counts.total() > 0 || !listed.empty(),
        "prune: expected texts or counts that hold some token, or a list of tokens to keep; got ",
        counts.lines, " lines without any");
  const MergeTree merges(parts);
  TokenSet set = protected_tokens(parts, config, listed, counts, needed);
  merges.complete(set);
  if (config.target_size > 0) {
    choose_by_size(parts, config.target_size, counts, merges, set);
    return set;
  }
  if (config.coverage > 0)
    choose_by_coverage(config.coverage, counts, set);
  else
    for (size_t id = 0; id < set.size(); ++id)
      if (counts.of[id] >= config.min_count) put(set, static_cast<int64_t>(id));
  check(set != needed || holds_counted(parts, counts, set),
        "prune: no token of the text is left but the ", size_of_set(needed),
        " that stay in any case; expected a smaller min_count or a larger coverage");
  merges.complete(set);
  return set;
}

}  // namespace ink
