// WordStrata: the words of a vocabulary dealt out anew into S parts.
#include "objectives/word_strata.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ink {
namespace {

constexpr double kAll = 0x1p32;

uint32_t share_of_all(double share) {
  return static_cast<uint32_t>(std::min(std::floor(share * kAll), kAll - 1));
}

}  // namespace

// Every cell has room for the mean weight. One with less is filled up by one with more.
NoiseTable::NoiseTable(std::vector<int32_t> words, const std::vector<double>& weights) {
  const size_t n = words.size();
  std::vector<double> share(n);
  for (size_t i = 0; i < n; ++i) share[i] = weights[static_cast<size_t>(words[i])];
  const double mean = std::accumulate(share.begin(), share.end(), 0.0) / static_cast<double>(n);
  std::vector<size_t> less, more;
  for (size_t i = 0; i < n; ++i) {
    share[i] /= mean;
    (share[i] < 1 ? less : more).push_back(i);
    cells_.push_back({share_of_all(1), words[i], words[i]});
  }
  while (!less.empty() && !more.empty()) {
    const size_t low = less.back(), high = more.back();
    less.pop_back();
    cells_[low] = {share_of_all(share[low]), words[low], words[high]};
    share[high] -= 1 - share[low];
    if (share[high] >= 1) continue;
    more.pop_back();
    less.push_back(high);
  }
}

WordStrata::WordStrata(int64_t words, int64_t parts, const Random& random)
    : part_(static_cast<size_t>(words)), members_(static_cast<size_t>(parts)) {
  Draws draws(random);
  std::vector<int32_t> deal(static_cast<size_t>(parts));
  std::iota(deal.begin(), deal.end(), 0);
  for (auto& m : members_) m.reserve(static_cast<size_t>(words / parts + 1));
  for (int64_t word = 0; word < words; ++word) {
    if (word % parts == 0) draws.shuffle(deal);
    const int32_t part = deal[static_cast<size_t>(word % parts)];
    part_[static_cast<size_t>(word)] = part;
    members_[static_cast<size_t>(part)].push_back(static_cast<int32_t>(word));
  }
}

}  // namespace ink
