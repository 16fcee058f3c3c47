// Greedy filling of sequences with sentences.
#include "objectives/full_sentences.h"

#include "tensor/error.h"

namespace ink {

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
