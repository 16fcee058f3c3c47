// Shuffled words, each the beginning of an n-gram, taken while the budget lasts.
#include "objectives/selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace ink {

std::vector<TokenWord> words_of(const Instance& instance, bool whole_words) {
  std::vector<TokenWord> words;
  int32_t sentence = -1;
  bool open = false;  // the token before is of the same sentence
  for (size_t i = 0; i < instance.ids.size(); ++i) {
    if (instance.special[i]) {
      open = false;
      continue;
    }
    const bool same_sentence = open && !instance.begins[i];
    if (!same_sentence) ++sentence;
    const auto position = static_cast<int32_t>(i);
    if (whole_words && same_sentence && instance.continues[i])
      ++words.back().end;
    else
      words.push_back({.begin = position, .end = position + 1, .sentence = sentence});
    open = true;
  }
  return words;
}

std::vector<int32_t> Selection::positions() const {
  std::vector<int32_t> all;
  all.reserve(static_cast<size_t>(tokens));
  for (const TokenWord& word : words)
    for (int32_t i = word.begin; i < word.end; ++i) all.push_back(i);
  std::ranges::sort(all);
  return all;
}

int64_t selection_budget(int64_t n, const SelectionOptions& options) {
  const double share = std::nearbyint(options.fraction * static_cast<double>(n));
  const int64_t budget = std::max<int64_t>(1, static_cast<int64_t>(share));
  return options.max_predictions > 0 ? std::min(budget, options.max_predictions) : budget;
}

void check_selection(const SelectionOptions& options) {
  check(options.fraction > 0 && options.fraction <= 1,
        "masking: expected a fraction in (0, 1], got ", options.fraction);
  double sum = 0;
  for (const double share : options.ngrams) {
    check(share >= 0, "masking: expected shares of n-grams of 0 or more, got ", share);
    sum += share;
  }
  check(std::abs(sum - 1) < 1e-6, "masking: expected shares of n-grams with a sum of 1, got ",
        options.ngrams.size(), " of them with a sum of ", sum);
}

namespace {

size_t draw_length(const std::vector<double>& shares, Draws& draws) {
  if (shares.size() == 1) return 1;
  double left = draws.uniform();
  for (size_t n = 0; n + 1 < shares.size(); ++n) {
    if (left < shares[n]) return n + 1;
    left -= shares[n];
  }
  return shares.size();
}

}  // namespace

Selection select(const Instance& instance, const SelectionOptions& options, Draws& draws) {
  const std::vector<TokenWord> words = words_of(instance, options.whole_words);
  std::vector<size_t> order(words.size());
  std::iota(order.begin(), order.end(), 0);
  draws.shuffle(order);

  const int64_t budget = selection_budget(std::ssize(instance.ids), options);
  std::vector<uint8_t> taken(words.size());
  Selection out;
  int32_t ngram = 0;
  for (const size_t first : order) {
    if (out.tokens >= budget) break;
    const size_t wanted = draw_length(options.ngrams, draws);
    size_t end = first;  // of the n-gram: as many words as are wanted, there and affordable
    bool free = true;
    while (end < words.size() && end - first < wanted &&
           words[end].sentence == words[first].sentence &&
           out.tokens + words[end].end - words[first].begin <= budget) {
      free &= !taken[end++];
    }
    if (end == first || !free) continue;
    for (size_t i = first; i < end; ++i) {
      taken[i] = 1;
      out.words.push_back(words[i]);
      out.words.back().ngram = ngram;
      out.tokens += words[i].size();
    }
    ++ngram;
  }
  return out;
}

}  // namespace ink
