// What each token is to its tokenizer: which ones it cannot do without, and what kind each is.
#include "text/token_roles.h"

#include <algorithm>

#include "text/utf8.h"

namespace ink {
namespace {

constexpr std::string_view kSpaceMark = "▁";

// "<0x0A>"
bool is_byte_piece(std::string_view token) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return token.size() == 6 && token.starts_with("<0x") && token[5] == '>' &&
         kDigits.find(token[3]) != std::string_view::npos &&
         kDigits.find(token[4]) != std::string_view::npos;
}

bool is_one_character(std::string_view token) { return decode_utf8(token).size() == 1; }

void put(TokenSet& set, int32_t id) { set[static_cast<size_t>(id)] = 1; }

// Special and added tokens, and those of the frame.
TokenSet special_tokens(const TokenizerParts& parts) {
  TokenSet set(static_cast<size_t>(parts.vocabulary.size()));
  for (const AddedToken& token : parts.added) put(set, token.id);
  for (const auto* frame : {&parts.frame.single, &parts.frame.pair})
    for (const TemplatePart& part : *frame)
      if (part.kind == TemplatePart::Kind::token) put(set, part.id);
  for (int32_t id = 0; id < parts.vocabulary.size(); ++id)
    if (parts.vocabulary.is_special(id)) put(set, id);
  if (const auto* unigram = std::get_if<Unigram>(&parts.model)) put(set, unigram->unknown());
  return set;
}

bool is_byte(const TokenizerParts& parts, std::string_view token) {
  if (std::holds_alternative<ByteBpe>(parts.model))
    return is_one_character(token) && ByteBpe::bytes_of(token).size() == 1;
  return std::holds_alternative<Unigram>(parts.model) && is_byte_piece(token);
}

bool begins_word(const TokenizerParts& parts, std::string_view token) {
  if (const auto* wordpiece = std::get_if<WordPiece>(&parts.model))
    return !token.starts_with(wordpiece->options().prefix);
  return token.starts_with(std::holds_alternative<ByteBpe>(parts.model) ? "Ġ" : kSpaceMark);
}

}  // namespace

TokenSet indispensable_tokens(const TokenizerParts& parts) {
  TokenSet set = special_tokens(parts);
  for (int32_t id = 0; id < parts.vocabulary.size(); ++id)
    if (is_byte(parts, parts.vocabulary.token(id))) put(set, id);
  if (const auto* unigram = std::get_if<Unigram>(&parts.model)) {
    const auto& scores = unigram->scores();
    put(set, static_cast<int32_t>(std::ranges::min_element(scores) - scores.begin()));
  }
  return set;
}

MergeTree::MergeTree(const TokenizerParts& parts) {
  const auto* bpe = std::get_if<ByteBpe>(&parts.model);
  if (!bpe) return;
  std::string both;
  for (const auto& [left, right] : bpe->merges()) {
    both.assign(parts.vocabulary.token(left)).append(parts.vocabulary.token(right));
    steps_.push_back({*parts.vocabulary.find(both), left, right});  // read_merges has found it too
  }
  std::ranges::stable_sort(steps_, {}, &Step::merged);
}

std::vector<int32_t> MergeTree::missing(int32_t id, const TokenSet& there) const {
  std::vector<int32_t> out;
  const auto take = [&](int32_t one) {
    if (!there[static_cast<size_t>(one)] && std::ranges::find(out, one) == out.end())
      out.push_back(one);
  };
  take(id);
  for (size_t next = 0; next < out.size();) {  // it grows meanwhile
    const int32_t merged = out[next++];
    for (auto step = std::ranges::lower_bound(steps_, merged, {}, &Step::merged);
         step != steps_.end() && step->merged == merged; ++step) {
      take(step->left);
      take(step->right);
    }
  }
  return out;
}

void MergeTree::complete(TokenSet& tokens) const {
  if (steps_.empty()) return;
  for (int32_t id = 0; id < static_cast<int32_t>(tokens.size()); ++id) {
    if (!tokens[static_cast<size_t>(id)]) continue;
    tokens[static_cast<size_t>(id)] = 0;
    for (const int32_t part : missing(id, tokens)) put(tokens, part);
  }
}

std::vector<TokenKind> token_kinds(const TokenizerParts& parts) {
  const TokenSet special = special_tokens(parts);
  const bool bytes = std::holds_alternative<ByteBpe>(parts.model);
  std::vector<TokenKind> kinds;
  for (int32_t id = 0; id < parts.vocabulary.size(); ++id) {
    const std::string_view token = parts.vocabulary.token(id);
    kinds.push_back(special[static_cast<size_t>(id)]                     ? TokenKind::special
                    : token.empty()                                      ? TokenKind::empty
                    : is_byte(parts, token)                              ? TokenKind::byte
                    : !bytes && is_one_character(unmarked(parts, token)) ? TokenKind::character
                    : begins_word(parts, token)                          ? TokenKind::word
                                                                         : TokenKind::continuation);
  }
  return kinds;
}

std::string_view unmarked(const TokenizerParts& parts, std::string_view token) {
  const auto* wordpiece = std::get_if<WordPiece>(&parts.model);
  const std::string_view mark =
      wordpiece ? std::string_view(wordpiece->options().prefix) : kSpaceMark;
  const bool is_marked = !std::holds_alternative<ByteBpe>(parts.model) && token.starts_with(mark) &&
                         token.size() > mark.size();
  return is_marked ? token.substr(mark.size()) : token;
}

}  // namespace ink
