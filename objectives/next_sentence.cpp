// Chunks of a document: A, and B from it or from another document.
#include "objectives/next_sentence.h"

#include "tensor/error.h"

namespace ink {
namespace {

// Another document than `self`, which is not alone.
const TokenDocument& other_document(std::span<const TokenDocument> documents, size_t self,
                                    const PairOptions& options, Draws& draws) {
  if (documents.size() == 1)
    return options.others[draw_between(0, options.others.size() - 1, draws)];
  size_t other = draw_between(0, documents.size() - 2, draws);
  if (other >= self) ++other;
  return documents[other];
}

// B when it is not the continuation: sentences of another document until `wanted` tokens.
Segment random_next(const TokenDocument& document, size_t wanted, Draws& draws) {
  Segment b;
  for (size_t i = draw_between(0, document.size() - 1, draws); i < document.size(); ++i) {
    b.append(document[i]);
    if (b.ids.size() >= wanted) break;
  }
  return b;
}

void pairs_of_document(std::span<const TokenDocument> documents, size_t self,
                       const PairOptions& options, Draws& draws, std::vector<Instance>& out) {
  const TokenDocument& document = documents[self];
  const size_t room = room_for_pair("next sentence", options);
  const size_t target = draw_target(room, options, draws);

  size_t first = 0, tokens = 0;  // the chunk is [first, i]
  for (size_t i = 0; i < document.size(); ++i) {
    tokens += document[i].ids.size();
    if (i + 1 < document.size() && tokens < target) continue;
    const size_t sentences = i + 1 - first;
    const size_t split = sentences == 1 ? 1 : draw_between(1, sentences - 1, draws);
    Segment a = sentences_of(document, first, first + split), b;
    // There is no B but the one that follows.
    const bool alone = documents.size() == 1 && options.others.empty();
    const bool random = !alone && (sentences == 1 || draws.uniform() < 0.5);
    if (random) {
      const size_t wanted = target > a.ids.size() ? target - a.ids.size() : 0;
      b = random_next(other_document(documents, self, options, draws), wanted, draws);
      i -= sentences - split;  // what followed A is read again
    } else {
      b = sentences_of(document, first + split, i + 1);
    }
    first = i + 1;
    tokens = 0;
    if (b.ids.empty()) continue;
    truncate_pair(a, b, room, draws);
    out.push_back(make_instance(a, &b, options.tokens));
    out.back().pair_label = random ? 1 : 0;
  }
}

}  // namespace

std::vector<Instance> next_sentence_pairs(std::span<const TokenDocument> documents,
                                          const PairOptions& options, Draws& draws) {
  room_for_pair("next sentence", options);  // its check
  std::vector<Instance> instances;
  for (size_t i = 0; i < documents.size(); ++i) {
    check(!documents[i].empty(), "next sentence: document ", i, " has no sentences");
    pairs_of_document(documents, i, options, draws, instances);
  }
  return instances;
}

}  // namespace ink
