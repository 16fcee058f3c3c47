// Greedy filling of sequences with sentences.
#include "objectives/full_sentences.h"

#include <algorithm>

#include "tensor/error.h"

namespace ink {
namespace {

// Where a piece of at most `most` tokens from `begin` ends: before a word, unless one word is
// longer than that.
size_t end_of_piece(const TokenSentence& sentence, size_t begin, size_t most) {
  const size_t n = sentence.ids.size();
  if (n - begin <= most) return n;
  size_t end = begin + most;
  while (end > begin && sentence.continues[end]) --end;
  return end > begin ? end : begin + most;
}

}  // namespace

std::vector<Instance> full_sentences(std::span<const TokenDocument> documents, int64_t max_tokens,
                                     const ObjectiveTokens& tokens) {
  check(max_tokens >= kShortestSequence, "full sentences: expected max_tokens of ",
        kShortestSequence, " or more, got ", max_tokens);
  const auto most = static_cast<size_t>(max_tokens) - 2;
  std::vector<Instance> instances;
  Segment filled;
  const auto emit = [&] {
    if (!filled.ids.empty()) instances.push_back(make_instance(filled, nullptr, tokens));
    filled = Segment();
  };
  for (const TokenDocument& document : documents) {
    for (const TokenSentence& sentence : document) {
      for (size_t begin = 0; begin < sentence.ids.size();) {
        const size_t end = end_of_piece(sentence, begin, most);
        if (filled.ids.size() + end - begin > most) emit();
        filled.append(sentence, begin, end);
        begin = end;
      }
    }
    emit();
  }
  return instances;
}

}  // namespace ink
