// What each token is to its tokenizer: which ones it cannot do without, and what kind each is.
//
// A tokenizer cannot do without
//
//   every family   special and added tokens, and those that frame a sequence; the unknown token
//   byte-level BPE the 256 bytes, so that nothing is unknown; with a token all tokens that it is
//                  merged from, as without them no rule leads to it
//   Unigram        byte pieces ("<0x0A>"); the least probable piece, as a character in no piece
//                  costs 10 more than it does, and cheaper unknowns might cut the same text in
//                  another way
//
// WordPiece and Unigram then cut a text made of kept tokens just as before: of the pieces to choose
// from only those are gone that were not chosen. (A word that WordPiece could not spell may be
// spelled now, where the longest piece led nowhere and is gone.) For BPE the rules that were
// applied are all there, in their order.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace ink {

using TokenSet = std::vector<uint8_t>;  // by id: 1 for a token that is in it

// What the tokenizer cannot do without, parts of merged tokens aside (MergeTree).
TokenSet indispensable_tokens(const TokenizerParts& parts);

// How a token of byte-level BPE comes about. Of other models' tokens no one has parts.
class MergeTree {
 public:
  explicit MergeTree(const TokenizerParts& parts);
  // The token and all it is merged from, directly or not, so far as `there` does not have them.
  std::vector<int32_t> missing(int32_t id, const TokenSet& there) const;
  void complete(TokenSet& tokens) const;  // adds what is missing to each of them

 private:
  struct Step {
    int32_t merged, left, right;
  };
  std::vector<Step> steps_;  // ordered by `merged`
};

enum class TokenKind : uint8_t {
  special,       // special and added tokens
  byte,          // of byte-level BPE, or a byte piece
  character,     // of one character, with or without the mark of its place in a word
  word,          // begins a word
  continuation,  // goes on within a word
  empty,         // an id without a token
};
inline constexpr const char* kTokenKinds[] = {"special", "byte",         "character",
                                              "word",    "continuation", "empty"};

// The kind of every token, by id.
std::vector<TokenKind> token_kinds(const TokenizerParts& parts);

// A token without the mark of its place in a word: "##ink" and "▁ink" → "ink". Byte-level BPE's
// stay as they are.
std::string_view unmarked(const TokenizerParts& parts, std::string_view token);

}  // namespace ink
