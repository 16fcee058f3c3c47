// Chunks of a document, split in two and swapped half of the time.
#include "objectives/sentence_order.h"

#include <utility>

namespace ink {
namespace {

// A document whose sentences have at most `room` tokens, longer ones being cut in pieces. A chunk
// ends with a sentence that is marked: before and behind a piece that fills it alone.
struct Pieces {
  TokenDocument sentences = {};
  std::vector<uint8_t> ends_chunk = {};
};

Pieces pieces_of(const TokenDocument& document, size_t room) {
  Pieces all;
  for (const TokenSentence& s : document) {
    const bool is_cut = s.ids.size() > room;
    if (is_cut && !all.ends_chunk.empty()) all.ends_chunk.back() = 1;
    for (size_t begin = 0; begin < s.ids.size();) {
      const size_t end = end_of_piece(s, begin, room);
      const auto first = static_cast<std::ptrdiff_t>(begin),
                 last = static_cast<std::ptrdiff_t>(end);
      all.sentences.push_back({{s.ids.begin() + first, s.ids.begin() + last},
                               {s.continues.begin() + first, s.continues.begin() + last}});
      all.ends_chunk.push_back(end < s.ids.size());
      begin = end;
    }
  }
  return all;
}

// The two halves of a sentence, cut before one of its words; the second is empty where it has one.
std::pair<Segment, Segment> halves_of(const TokenSentence& sentence, Draws& draws) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < sentence.ids.size(); ++i)
    if (!sentence.continues[i]) cuts.push_back(i);
  if (cuts.empty()) return {Segment(sentence), Segment()};
  const size_t cut = cuts[draw_between(0, cuts.size() - 1, draws)];
  Segment a, b;
  a.append(sentence, 0, cut);
  b.append(sentence, cut, sentence.ids.size());
  return {a, b};
}

std::pair<Segment, Segment> split_chunk(const TokenDocument& document, size_t begin, size_t end,
                                        Draws& draws) {
  if (end - begin == 1) return halves_of(document[begin], draws);
  const size_t split = begin + draw_between(1, end - begin - 1, draws);
  return {sentences_of(document, begin, split), sentences_of(document, split, end)};
}

// What is made of A and the B that follows it.
using Asked = Instance (*)(Segment& a, Segment& b, const ObjectiveTokens& tokens, Draws& draws);

Instance in_either_order(Segment& a, Segment& b, const ObjectiveTokens& tokens, Draws& draws) {
  const bool swapped = draws.uniform() < 0.5;
  if (swapped) std::swap(a, b);
  Instance pair = make_instance(a, &b, tokens);
  pair.pair_label = swapped ? 1 : 0;
  return pair;
}

Instance in_order(Segment& a, Segment& b, const ObjectiveTokens& tokens, Draws& /*draws*/) {
  return make_instance(a, &b, tokens);
}

std::vector<Instance> pairs_of(std::span<const TokenDocument> documents, const char* task,
                               const PairOptions& options, Asked asked, Draws& draws) {
  const size_t room = room_for_pair(task, options);
  std::vector<Instance> instances;
  for (const TokenDocument& whole : documents) {
    const auto [document, ends_chunk] = pieces_of(whole, room);
    const size_t target = draw_target(room, options, draws);
    size_t first = 0, tokens = 0;  // the chunk is [first, i]
    for (size_t i = 0; i < document.size(); ++i) {
      tokens += document[i].ids.size();
      if (i + 1 < document.size() && tokens < target && !ends_chunk[i]) continue;
      auto [a, b] = split_chunk(document, first, i + 1, draws);
      first = i + 1;
      tokens = 0;
      if (b.ids.empty()) {
        instances.push_back(make_instance(a, nullptr, options.tokens));
        continue;
      }
      truncate_pair(a, b, room, draws);
      instances.push_back(asked(a, b, options.tokens, draws));
    }
  }
  return instances;
}

}  // namespace

std::vector<Instance> sentence_order_pairs(std::span<const TokenDocument> documents,
                                           const PairOptions& options, Draws& draws) {
  return pairs_of(documents, "sentence order", options, in_either_order, draws);
}

std::vector<Instance> consecutive_pairs(std::span<const TokenDocument> documents,
                                        const PairOptions& options, Draws& draws) {
  return pairs_of(documents, "pair", options, in_order, draws);
}

}  // namespace ink
