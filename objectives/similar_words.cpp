// A hash table from the ids of a word to those of its neighbours.
#include "objectives/similar_words.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/fingerprint.h"

namespace ink {

size_t SimilarWords::Hash::operator()(std::span<const int32_t> ids) const {
  uint64_t hash = 0;
  for (const int32_t id : ids) {
    hash = (hash ^ static_cast<uint32_t>(id)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash;
}

bool SimilarWords::Equal::operator()(std::span<const int32_t> a, std::span<const int32_t> b) const {
  return std::ranges::equal(a, b);
}

void SimilarWords::add(std::span<const int32_t> word, std::span<const int32_t> neighbour) {
  check(!word.empty(), "similar words: expected a word of one token or more, got none");
  if (neighbour.size() != word.size() || std::ranges::equal(word, neighbour)) return;
  std::vector<int32_t>& known = neighbours_[{word.begin(), word.end()}];
  for (size_t i = 0; i < known.size(); i += word.size()) {
    if (std::ranges::equal(std::span(known).subspan(i, word.size()), neighbour)) return;
  }
  known.insert(known.end(), neighbour.begin(), neighbour.end());
}

std::span<const int32_t> SimilarWords::of(std::span<const int32_t> word) const {
  const auto found = neighbours_.find(word);
  return found == neighbours_.end() ? std::span<const int32_t>() : found->second;
}

uint64_t SimilarWords::digest() const {
  uint64_t sum = 0;  // a sum, as a hash table has no order
  for (const auto& [word, neighbours] : neighbours_) {
    Digest one;
    one.add(std::span<const int32_t>(word)).add(std::span<const int32_t>(neighbours));
    sum += one.value();
  }
  return sum;
}

}  // namespace ink
