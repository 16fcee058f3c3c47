// Lengths of chunks, and the truncation of pairs.
#include "objectives/pairs.h"

#include "tensor/error.h"

namespace ink {

size_t room_for_pair(const char* task, const PairOptions& options) {
  check(options.max_tokens >= kShortestPair, "", task, ": expected max_tokens of ", kShortestPair,
        " or more, got ", options.max_tokens);
  return static_cast<size_t>(options.max_tokens) - 3;
}

size_t draw_target(size_t room, const PairOptions& options, Draws& draws) {
  return draws.uniform() < options.short_probability ? draw_between(2, room, draws) : room;
}

size_t draw_between(size_t first, size_t last, Draws& draws) {
  return first + static_cast<size_t>(draws.below(last - first + 1));
}

Segment sentences_of(const TokenDocument& document, size_t begin, size_t end) {
  Segment all;
  for (size_t i = begin; i < end; ++i) all.append(document[i]);
  return all;
}

void truncate_pair(Segment& a, Segment& b, size_t room, Draws& draws) {
  struct Cut {
    Segment& of;
    size_t begin, end;
    size_t size() const { return end - begin; }
  } cut_a{a, 0, a.ids.size()}, cut_b{b, 0, b.ids.size()};
  while (cut_a.size() + cut_b.size() > room) {
    Cut& longer = cut_a.size() > cut_b.size() ? cut_a : cut_b;
    if (draws.uniform() < 0.5) {
      ++longer.begin;
    } else {
      --longer.end;
    }
  }
  for (const Cut& cut : {cut_a, cut_b}) cut.of.keep(cut.begin, cut.end);
}

}  // namespace ink
