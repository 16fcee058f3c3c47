// The pairs of a text for skip-gram, ordered by the parts of the vocabulary that words are in.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "objectives/word_strata.h"
#include "tensor/philox.h"
#include "text/word_corpus.h"

namespace ink {

// `input` is near `output` in the text and is to predict it.
struct WordPair {
  int32_t input, output;
  bool operator==(const WordPair&) const = default;
};

// By word: 1 for rare words, √(t/f) + t/f for those of share f where that is less.
std::vector<double> keep_probabilities(const WordCorpus& corpus, double subsample);

// The pairs of numbered text (WordCorpus::block): words are left out first, so that the window
// reaches across them; it never reaches across the end of a line. Random numbers by position.
std::vector<WordPair> pairs_of(std::span<const int32_t> numbers, std::span<const double> keep,
                               int64_t window, const Random& random);

// Pairs in S × S buckets, in order within each.
class PairBuckets {
 public:
  PairBuckets() = default;
  PairBuckets(std::span<const WordPair> pairs, const WordStrata& inputs, const WordStrata& outputs);
  std::span<const WordPair> bucket(int64_t input_part, int64_t output_part) const {
    const auto b = static_cast<size_t>(input_part * parts_ + output_part);
    return std::span(sorted_).subspan(begins_[b], begins_[b + 1] - begins_[b]);
  }
  int64_t size() const { return static_cast<int64_t>(sorted_.size()); }

 private:
  int64_t parts_ = 0;
  std::vector<WordPair> sorted_;
  std::vector<uint32_t> begins_;  // of each bucket, and the end of the last
};

}  // namespace ink
