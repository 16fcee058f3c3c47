// Targets in n-grams, and the random order in which they are predicted.
#include "objectives/factorization.h"

#include <algorithm>
#include <numeric>

#include "objectives/selection.h"
#include "tensor/error.h"

namespace ink {
namespace {

// n from 1 to `longest`, p(n) ∝ 1/n.
int64_t draw_length(int64_t longest, Draws& draws) {
  double sum = 0;
  for (int64_t n = 1; n <= longest; ++n) sum += 1.0 / static_cast<double>(n);
  double left = draws.uniform() * sum;
  for (int64_t n = 1; n < longest; ++n) {
    left -= 1.0 / static_cast<double>(n);
    if (left < 0) return n;
  }
  return longest;
}

// Marks n-grams from left to right; returns how many tokens that are.
int64_t mark_ngrams(const std::vector<TokenWord>& words, int64_t goal,
                    const FactorizationOptions& options, std::vector<uint8_t>& target,
                    Draws& draws) {
  int64_t marked = 0, at = 0;
  for (size_t word = 0; marked < goal;) {
    const int64_t n = draw_length(options.longest_ngram, draws);
    const auto context = static_cast<uint64_t>(n * options.context);
    const auto before = static_cast<int64_t>(context == 0 ? 0 : draws.below(context));
    while (word < words.size() && words[word].begin < at + before) ++word;
    if (word == words.size()) break;
    const TokenWord& first = words[word];
    at = first.begin;
    for (int64_t i = 0; i < n && word < words.size(); ++i, ++word) {
      const TokenWord& next = words[word];
      if (next.sentence != first.sentence || marked + next.size() > goal) break;
      std::fill(target.begin() + next.begin, target.begin() + next.end, 1);
      marked += next.size();
      at = next.end;
    }
    if (at == first.begin) break;  // the goal has no room for the word
    at += static_cast<int64_t>(context) - before;
  }
  return marked;
}

void mark_single_tokens(const Instance& instance, int64_t count, std::vector<uint8_t>& target,
                        Draws& draws) {
  std::vector<size_t> others;
  for (size_t i = 0; i < target.size(); ++i)
    if (!target[i] && !instance.special[i]) others.push_back(i);
  draws.shuffle(others);
  others.resize(std::min(others.size(), static_cast<size_t>(count)));
  for (const size_t i : others) target[i] = 1;
}

}  // namespace

Corruption permutation_model(const FactorizationOptions& options) {
  const SelectionOptions share{.fraction = options.fraction,
                               .max_predictions = options.max_predictions};
  check_selection(share);
  check(options.longest_ngram >= 1 && options.context >= 0,
        "plm: expected n-grams of one word or more and a context of 0 tokens or more, got ",
        options.longest_ngram, " and ", options.context);
  return [options, share](const Instance& instance, Draws& draws) {
    const size_t T = instance.ids.size();
    std::vector<uint8_t> target(T);
    const int64_t goal = selection_budget(static_cast<int64_t>(T), share);
    const int64_t marked = mark_ngrams(words_of(instance, true), goal, options, target, draws);
    mark_single_tokens(instance, goal - marked, target, draws);

    Corrupted out{.inputs = instance.ids, .positions = {}, .labels = {}};
    out.ranks.resize(T);
    std::iota(out.ranks.begin(), out.ranks.end(), 0);
    draws.shuffle(out.ranks);
    for (size_t i = 0; i < T; ++i)
      if (!target[i] && !instance.special[i]) out.ranks[i] = -1;
    const int32_t first = *std::ranges::min_element(out.ranks);
    for (size_t i = 0; i < T; ++i)
      if (target[i] && out.ranks[i] > first) out.positions.push_back(static_cast<int32_t>(i));
    out.labels = ids_at(instance, out.positions);
    return out;
  };
}

}  // namespace ink
