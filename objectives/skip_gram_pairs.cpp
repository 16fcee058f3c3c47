// The pairs of a text for skip-gram, ordered by the parts of the vocabulary that words are in.
#include "objectives/skip_gram_pairs.h"

#include <algorithm>
#include <cmath>

namespace ink {
namespace {

// A word that stays in the text, and how far its window reaches.
struct Kept {
  int32_t word;
  int64_t reach;
};

void add_line(std::span<const Kept> line, std::vector<WordPair>& out) {
  const auto size = static_cast<int64_t>(line.size());
  for (int64_t at = 0; at < size; ++at) {
    const auto [word, reach] = line[static_cast<size_t>(at)];
    const int64_t end = std::min(size, at + reach + 1);
    for (int64_t near = std::max<int64_t>(0, at - reach); near < end; ++near)
      if (near != at) out.push_back({line[static_cast<size_t>(near)].word, word});
  }
}

}  // namespace

std::vector<double> keep_probabilities(const WordCorpus& corpus, double subsample) {
  std::vector<double> keep;
  for (const int64_t count : corpus.counts()) {
    const double ratio =
        subsample * static_cast<double>(corpus.total()) / static_cast<double>(count);
    keep.push_back(subsample > 0 ? std::min(1.0, std::sqrt(ratio) + ratio) : 1.0);
  }
  return keep;
}

std::vector<WordPair> pairs_of(std::span<const int32_t> numbers, std::span<const double> keep,
                               int64_t window, const Random& random) {
  std::vector<WordPair> out;
  std::vector<Kept> line;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == WordCorpus::kLineEnd) {
      add_line(line, out);
      line.clear();
      continue;
    }
    const auto bits = random.block(i);
    if (bits[0] * 0x1p-32 >= keep[static_cast<size_t>(numbers[i])]) continue;
    const uint64_t reach = 1 + (uint64_t{bits[1]} * static_cast<uint64_t>(window) >> 32);
    line.push_back({numbers[i], static_cast<int64_t>(reach)});
  }
  add_line(line, out);
  return out;
}

PairBuckets::PairBuckets(std::span<const WordPair> pairs, const WordStrata& inputs,
                         const WordStrata& outputs)
    : parts_(inputs.parts()),
      sorted_(pairs.size()),
      begins_(static_cast<size_t>(parts_ * parts_) + 1) {
  const auto bucket_of = [&](const WordPair& p) {
    return static_cast<size_t>(inputs.part_of(p.input) * parts_ + outputs.part_of(p.output));
  };
  for (const WordPair& p : pairs) ++begins_[bucket_of(p) + 1];
  for (size_t b = 1; b < begins_.size(); ++b) begins_[b] += begins_[b - 1];
  std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
  for (const WordPair& p : pairs) sorted_[next[bucket_of(p)]++] = p;
}

}  // namespace ink
