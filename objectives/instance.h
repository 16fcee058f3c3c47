// What pre-training reads: documents of tokenized sentences, and the sequences cut from them.
//
// A token may continue the word of the token before it: a piece "##ing", or the second
// character of a Chinese word. And it may be the first of a sentence. These two bits per token are
// all that objectives need to know about words and sentences.
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

// Where a piece of at most `most` tokens from `begin` ends: before a word, unless one word is
// longer than that.
size_t end_of_piece(const TokenSentence& sentence, size_t begin, size_t most);

// Sentences one behind the other: a text of an instance.
struct Segment {
  std::vector<int32_t> ids = {};
  std::vector<uint8_t> continues = {};
  std::vector<uint8_t> begins = {};  // 1: token i is the first of a sentence

  Segment() = default;
  explicit Segment(const TokenSentence& sentence) { append(sentence); }
  void append(const TokenSentence& sentence) { append(sentence, 0, sentence.ids.size()); }
  // Tokens [begin, end) of the sentence.
  void append(const TokenSentence& sentence, size_t begin, size_t end);
  void keep(size_t begin, size_t end);  // only tokens [begin, end)
};

// Ids that an objective must know.
struct ObjectiveTokens {
  int32_t cls = 101, sep = 102, mask = 103;
  int32_t vocabulary_size = 21128;  // random replacements are drawn from [0, vocabulary_size)
  bool cls_last = false;            // XLNet: A <sep> B <sep> <cls>
};

// One sequence, special tokens included: [CLS] A [SEP] or [CLS] A [SEP] B [SEP].
struct Instance {
  std::vector<int32_t> ids;
  std::vector<int32_t> segments;   // 0 for [CLS] A [SEP], 1 for B [SEP]; 2 for a <cls> at the end
  std::vector<uint8_t> continues;  // 0 for special tokens
  std::vector<uint8_t> begins;     // 1: the first token of a sentence; 0 for special tokens
  std::vector<uint8_t> special;    // 1 for [CLS], [SEP], [MASK]: no objective touches them
  int32_t pair_label = kIgnore;    // next sentence: 1 = random; sentence order: 1 = swapped
};

// Of a alone, or of a and b when b is given.
Instance make_instance(const Segment& a, const Segment* b, const ObjectiveTokens& tokens);

}  // namespace ink
