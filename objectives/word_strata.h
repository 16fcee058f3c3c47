// WordStrata: the words of a vocabulary dealt out anew into S parts, for updates without conflicts.
//
// A pair of words updates a row of the input matrix and rows of the output matrix. With the rows of
// both in S parts, the pairs of (input part p, output part (p + s) mod S), p = 0 … S − 1, touch
// different rows: a stratum, whose S sets of pairs may run at once and give what they give one
// after the other (Gemulla et al. 2011). Negatives are drawn from the output part of the pair
// (as in Lerer et al. 2019), in proportion to count^0.75.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/philox.h"

namespace ink {

// Draws words in proportion to weights from one 32-bit number each (Walker 1977, Vose 1991).
class NoiseTable {
 public:
  NoiseTable() = default;
  // words: numbers of the words; weights: of all words, by number.
  NoiseTable(std::vector<int32_t> words, const std::vector<double>& weights);
  int32_t draw(uint32_t bits) const {
    const uint64_t scaled = uint64_t{bits} * cells_.size();
    const Cell& cell = cells_[static_cast<size_t>(scaled >> 32)];
    return static_cast<uint32_t>(scaled) < cell.below ? cell.word : cell.other;
  }

 private:
  struct Cell {
    uint32_t below;  // of the fraction of 2^32 that means `word`
    int32_t word, other;
  };
  std::vector<Cell> cells_;
};

class WordStrata {
 public:
  // Words are dealt in order of their numbers, S at a time in an order of its own each time: so
  // where numbers rise as counts fall, the parts are about alike.
  WordStrata(int64_t words, int64_t parts, const Random& random);

  int64_t parts() const { return static_cast<int64_t>(members_.size()); }
  int32_t part_of(int32_t word) const { return part_[static_cast<size_t>(word)]; }
  const std::vector<int32_t>& members(int64_t part) const {
    return members_[static_cast<size_t>(part)];
  }

 private:
  std::vector<int32_t> part_;                  // by word
  std::vector<std::vector<int32_t>> members_;  // by part
};

}  // namespace ink
