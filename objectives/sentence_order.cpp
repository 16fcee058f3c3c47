// Chunks of a document, split in two and swapped half of the time.
#include "objectives/sentence_order.h"

#include <utility>

namespace ink {
namespace {

Instance pair_of_chunk(const TokenDocument& document, size_t begin, size_t end, size_t room,
                       const ObjectiveTokens& tokens, Draws& draws) {
  const size_t sentences = end - begin;
  const size_t split = sentences == 1 ? 1 : draw_between(1, sentences - 1, draws);
  Segment a = sentences_of(document, begin, begin + split);
  Segment b = sentences_of(document, begin + split, end);
  truncate_pair(a, b, room, draws);
  if (sentences == 1) return make_instance(a, nullptr, tokens);
  const bool swapped = draws.uniform() < 0.5;
  if (swapped) std::swap(a, b);
  Instance pair = make_instance(a, &b, tokens);
  pair.pair_label = swapped ? 1 : 0;
  return pair;
}

}  // namespace

std::vector<Instance> sentence_order_pairs(std::span<const TokenDocument> documents,
                                           const PairOptions& options, Draws& draws) {
  const size_t room = room_for_pair("sentence order", options);
  std::vector<Instance> instances;
  for (const TokenDocument& document : documents) {
    const size_t target = draw_target(room, options, draws);
    size_t first = 0, tokens = 0;  // the chunk is [first, i]
    for (size_t i = 0; i < document.size(); ++i) {
      tokens += document[i].ids.size();
      if (i + 1 < document.size() && tokens < target) continue;
      instances.push_back(pair_of_chunk(document, first, i + 1, room, options.tokens, draws));
      first = i + 1;
      tokens = 0;
    }
  }
  return instances;
}

}  // namespace ink
