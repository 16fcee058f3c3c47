// Pairs of texts: what next-sentence and sentence-order prediction have in common.
//
// A document is read in chunks of about `max_tokens` tokens, each of them split into A and what
// follows it (BERT's create_pretraining_data.py).
#pragma once
#include <cstdint>
#include <span>

#include "objectives/instance.h"
#include "tensor/philox.h"

namespace ink {

// What a model is asked about two texts, beside their tokens. With `unasked` it reads two that
// follow each other, and is asked nothing (PERT, HFL's RoBERTa-wwm).
enum class PairTask : uint8_t { none, next_sentence, sentence_order, unasked };

// Tokens of a pair at least: one of each text, and [CLS] and both [SEP].
inline constexpr int64_t kShortestPair = 5;

struct PairOptions {
  int64_t max_tokens = 128;        // of an instance, special tokens included; kShortestPair or more
  double short_probability = 0.1;  // of a document whose chunks get a random shorter length
  ObjectiveTokens tokens = {};
  // Where next-sentence prediction finds the other document for one that is alone; may be empty.
  std::span<const TokenDocument> others = {};
};

// Tokens that fit into A and B together. Raises Error where max_tokens is too small.
size_t room_for_pair(const char* task, const PairOptions& options);

// Tokens after which a chunk of one document ends: room, or with short_probability anything from 2
// on.
size_t draw_target(size_t room, const PairOptions& options, Draws& draws);

// A number in [first, last].
size_t draw_between(size_t first, size_t last, Draws& draws);

// Sentences [begin, end) of a document.
Segment sentences_of(const TokenDocument& document, size_t begin, size_t end);

// Drops tokens at the front or the end, at random, of the longer one (of b when they are equal)
// until both together fit.
void truncate_pair(Segment& a, Segment& b, size_t room, Draws& draws);

}  // namespace ink
