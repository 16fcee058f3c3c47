// Moving words, and moving them back.
#include "tasks/word_order.h"

#include <algorithm>

#include "tensor/error.h"
#include "text/character.h"
#include "text/utf8.h"

namespace ink {
namespace {

// The words [begin, split) and [split, end) as X and Y.
struct Swap {
  size_t begin, split, end;
};

bool is_word(const std::u32string& word) {
  return std::ranges::all_of(word, [](char32_t c) {
    return (character_classes(c) & (character::letter | character::number)) != 0;
  });
}

std::u32string joined(std::span<const std::u32string> words) {
  std::u32string all;
  for (const std::u32string& word : words) all += word;
  return all;
}

bool changes(std::span<const std::u32string> words, const Swap& s) {
  const std::u32string x = joined(words.subspan(s.begin, s.split - s.begin)),
                       y = joined(words.subspan(s.split, s.end - s.split));
  return x + y != y + x;
}

std::vector<Swap> swaps_of(std::span<const std::u32string> words, size_t longest) {
  std::vector<bool> usable;
  for (const std::u32string& word : words) usable.push_back(is_word(word));
  std::vector<Swap> all;
  for (size_t begin = 0; begin < words.size(); ++begin) {
    size_t run = begin;  // the end of the words without punctuation from here on
    while (run < words.size() && usable[run]) ++run;
    const auto add = [&](size_t x, size_t y) {
      const Swap swap{begin, begin + x, begin + x + y};
      if (swap.end <= run && changes(words, swap)) all.push_back(swap);
    };
    for (size_t y = 1; y <= longest; ++y) add(1, y);
    for (size_t x = 2; x <= longest; ++x) add(x, 1);
  }
  return all;
}

// Some of them, drawn one after the other, that do not overlap; in order.
std::vector<Swap> drawn(std::vector<Swap> all, uint64_t count, Draws& draws) {
  std::vector<Swap> chosen;
  while (chosen.size() < count && !all.empty()) {
    const Swap one = all[draws.below(all.size())];
    chosen.push_back(one);
    std::erase_if(all, [&](const Swap& s) { return s.begin < one.end && one.begin < s.end; });
  }
  std::ranges::sort(chosen, {}, &Swap::begin);
  return chosen;
}

void append(TaggedSentence& to, std::u32string_view text, int32_t first, int32_t others) {
  int32_t tag = first;
  for (const char32_t c : text) {
    if (is_whitespace(c)) continue;
    to.units.push_back(encode_utf8(std::u32string(1, c)));
    to.tags.push_back(tag);
    tag = others;
  }
}

}  // namespace

const Labels& order_labels() {
  static const Labels labels({"O", "B", "I", "E"});
  return labels;
}

std::vector<OrderError> order_errors(std::span<const int32_t> tags) {
  std::vector<OrderError> errors;
  const auto n = static_cast<int32_t>(tags.size());
  const auto run_end = [&](int32_t from, int32_t tag) {
    while (from < n && tags[static_cast<size_t>(from)] == tag) ++from;
    return from;
  };
  for (int32_t begin = 0; begin < n; ++begin) {
    if (tags[static_cast<size_t>(begin)] != kErrorBegin) continue;
    const int32_t split = run_end(begin + 1, kErrorInside), end = run_end(split, kMoved);
    if (end > split) errors.push_back({begin, split, end});
  }
  return errors;
}

std::vector<std::string> corrected(std::vector<std::string> units,
                                   std::span<const OrderError> errors) {
  for (const OrderError& e : errors) {
    check(e.begin <= e.split && e.split <= e.end && e.end <= std::ssize(units),
          "corrected: expected an error within ", units.size(), " units, got [", e.begin, ", ",
          e.split, ", ", e.end, ")");
    std::rotate(units.begin() + e.begin, units.begin() + e.split, units.begin() + e.end);
  }
  return units;
}

TaggedSentence disordered(std::span<const std::u32string> words, const DisorderOptions& options,
                          Draws& draws) {
  check(options.longest >= 1 && options.most >= 1,
        "word order: expected longest and most of at least 1, got ", options.longest, " and ",
        options.most);
  std::vector<Swap> swaps;
  if (draws.uniform() < options.corrupt) {
    const uint64_t count = 1 + draws.below(static_cast<uint64_t>(options.most));
    swaps = drawn(swaps_of(words, static_cast<size_t>(options.longest)), count, draws);
  }
  TaggedSentence sentence;
  size_t next = 0;
  for (const Swap& s : swaps) {
    append(sentence, joined(words.subspan(next, s.begin - next)), kInPlace, kInPlace);
    append(sentence, joined(words.subspan(s.split, s.end - s.split)), kErrorBegin, kErrorInside);
    append(sentence, joined(words.subspan(s.begin, s.split - s.begin)), kMoved, kMoved);
    next = s.end;
  }
  append(sentence, joined(words.subspan(next)), kInPlace, kInPlace);
  return sentence;
}

}  // namespace ink
