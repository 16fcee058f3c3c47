// Data augmentation for distillation: a text's tokens → others like them, which a teacher labels.
//
//   masked           each token becomes `mask` with probability p
//   deleted          each token is left out with probability p; where all are, one of them stays
//   ngram            one span of tokens, at a random place: its length is drawn from `lengths` by
//                    `weights`, and is that of the text where that is shorter
//   short_disorder   from the first token on, by `weights`: nothing, or the next three tokens abc
//                    become bac, cba, cab or bca. bac moves on by two tokens, the others by three,
//                    nothing by one; of the last two tokens each of the four exchanges the two
//   long_disorder    from the first token on, with probability p the two halves of a span of
//                    `length` tokens are exchanged, which moves on by its length, nothing by one. A
//                    length below 1 is a share of the text. It is rounded up to an even number, of
//                    2 at least; a span that is longer than what is left stays as it is
//
// These are TextBrewer's (data_utils.py), with its defects removed: no text becomes empty, spans
// may be longer than texts, and a share that rounds to 0 ends. Of no tokens they make no tokens.
// Each is a pure function of tokens and draws; a token is an id or a string.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/philox.h"

namespace ink {

template <class T>
std::vector<T> masked(std::vector<T> tokens, double p, const T& mask, Draws& draws) {
  for (T& token : tokens)
    if (draws.uniform() < p) token = mask;
  return tokens;
}

template <class T>
std::vector<T> deleted(const std::vector<T>& tokens, double p, Draws& draws) {
  std::vector<T> kept;
  for (const T& token : tokens)
    if (draws.uniform() >= p) kept.push_back(token);
  if (kept.empty() && !tokens.empty()) kept.push_back(tokens[draws.below(tokens.size())]);
  return kept;
}

// A place in `weights` (not negative, of a positive sum), drawn by them.
size_t drawn_by(std::span<const double> weights, Draws& draws);

template <class T>
std::vector<T> ngram(const std::vector<T>& tokens, std::span<const int64_t> lengths,
                     std::span<const double> weights, Draws& draws) {
  if (tokens.empty()) return {};
  const auto drawn = static_cast<size_t>(lengths[drawn_by(weights, draws)]);
  const size_t length = std::min(drawn, tokens.size());
  const auto first = static_cast<int64_t>(draws.below(tokens.size() - length + 1));
  return {tokens.begin() + first, tokens.begin() + first + static_cast<int64_t>(length)};
}

// Weights of nothing, bac, cba, cab, bca.
using DisorderWeights = std::array<double, 5>;

template <class T>
std::vector<T> short_disorder(std::vector<T> tokens, const DisorderWeights& weights, Draws& draws) {
  constexpr std::array<std::array<size_t, 3>, 5> kOrders{
      {{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {2, 0, 1}, {1, 2, 0}}};
  for (size_t i = 0; i + 1 < tokens.size();) {
    const size_t order = drawn_by(weights, draws);
    if (order == 0) {
      i += 1;
    } else if (order == 1 || i + 2 == tokens.size()) {
      std::swap(tokens[i], tokens[i + 1]);
      i += 2;
    } else {
      const std::array<T, 3> abc{tokens[i], tokens[i + 1], tokens[i + 2]};
      for (size_t k = 0; k < 3; ++k) tokens[i + k] = abc[kOrders[order][k]];
      i += 3;
    }
  }
  return tokens;
}

template <class T>
std::vector<T> long_disorder(std::vector<T> tokens, double p, double length, Draws& draws) {
  const double wanted = length < 1 ? length * static_cast<double>(tokens.size()) : length;
  const size_t half = std::max<size_t>(1, static_cast<size_t>(std::ceil(wanted / 2)));
  for (size_t i = 0; i + 2 * half <= tokens.size();) {
    if (draws.uniform() >= p) {
      i += 1;
      continue;
    }
    const auto begin = tokens.begin() + static_cast<int64_t>(i);
    std::rotate(begin, begin + static_cast<int64_t>(half), begin + static_cast<int64_t>(2 * half));
    i += 2 * half;
  }
  return tokens;
}

}  // namespace ink
