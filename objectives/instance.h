// What pre-training reads: documents of tokenized sentences, and the sequences cut from them.
//
// A token may continue the word of the token before it: a piece "##ing", or the second
// character of a Chinese word. That one bit per token is all that whole-word objectives
// need to know about words.
#pragma once
#include <cstdint>
#include <vector>

#include "tensor/ops.h"

namespace ink {

struct TokenSentence {
  std::vector<int32_t> ids;
  std::vector<uint8_t> continues;  // 1: token i belongs to the word of token i−1
};
using TokenDocument = std::vector<TokenSentence>;

// Puts tokens [begin, end) of `from` behind those of `to`.
void append(TokenSentence& to, const TokenSentence& from, size_t begin, size_t end);
void append(TokenSentence& to, const TokenSentence& from);

// Ids that an objective must know.
struct ObjectiveTokens {
  int32_t cls = 101, sep = 102, mask = 103;
  int32_t vocabulary_size = 21128;  // random replacements are drawn from [0, vocabulary_size)
};

// One sequence, special tokens included: [CLS] A [SEP] or [CLS] A [SEP] B [SEP].
struct Instance {
  std::vector<int32_t> ids;
  std::vector<int32_t> segments;   // 0 for [CLS] A [SEP], 1 for B [SEP]
  std::vector<uint8_t> continues;  // 0 for special tokens
  std::vector<uint8_t> special;    // 1 for [CLS], [SEP], [MASK]: no objective touches them
  int32_t pair_label = kIgnore;    // next sentence: 1 = random; sentence order: 1 = swapped
};

// [CLS] a [SEP], or [CLS] a [SEP] b [SEP] when b is given.
Instance make_instance(const TokenSentence& a, const TokenSentence* b,
                       const ObjectiveTokens& tokens);

}  // namespace ink
