// Similar words, in tokens: for each word the ids of words that may stand in its place.
//
//   SimilarWords similar;
//   similar.add(ids_of("预测"), ids_of("预见"));
//   similar.of(ids_of("预测"))   // the ids of 预见
//
// Only words of as many tokens as the word itself are kept, as labels are positional, and never the
// word itself.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ink {

class SimilarWords {
 public:
  // Neighbours come the most similar first. One that equals the word, has another number of tokens
  // or is there already changes nothing.
  void add(std::span<const int32_t> word, std::span<const int32_t> neighbour);
  // k·n ids for a word of n tokens: its k neighbours one behind the other, the best first; empty
  // when there is none.
  std::span<const int32_t> of(std::span<const int32_t> word) const;
  bool empty() const { return neighbours_.empty(); }
  int64_t words() const { return static_cast<int64_t>(neighbours_.size()); }  // with a neighbour
  uint64_t digest() const;  // of all of it, whatever the order in which words were added

 private:
  struct Hash {
    using is_transparent = void;  // NOLINT: the name that the table looks for
    size_t operator()(std::span<const int32_t> ids) const;
  };
  struct Equal {
    using is_transparent = void;  // NOLINT: the name that the table looks for
    bool operator()(std::span<const int32_t> a, std::span<const int32_t> b) const;
  };
  std::unordered_map<std::vector<int32_t>, std::vector<int32_t>, Hash, Equal> neighbours_;
};

}  // namespace ink
