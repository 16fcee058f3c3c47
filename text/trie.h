// A prefix tree over code points: strings → numbers, walked one character at a time.
//
// Edges live in one open-addressing hash table keyed by (node, character) and carry the number of
// the string that ends there, so that a step costs one probe, whatever the alphabet. Grows only;
// walking is safe from any number of threads.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace ink {

class Trie {
 public:
  using Node = uint32_t;
  static constexpr Node root = 0, nowhere = ~uint32_t{0};
  static constexpr int32_t no_value = -1;

  struct Reached {
    Node node;      // nowhere where no string goes on so
    int32_t value;  // of the string that ends here; no_value for mere prefixes
  };

  // With room for so many strings whose beginnings are strings too; it grows beyond that.
  explicit Trie(size_t strings = 0);
  // Stores value under key, which may not be empty, replacing an earlier one; returns its node.
  Node insert(std::u32string_view key, int32_t value);

  // What c leads to from `node`, which may not be nowhere.
  Reached step(Node node, char32_t c) const {
    const Edge& edge = edges_[slot(node, c)];
    return {edge.child, edge.value};
  }
  // What the whole key leads to.
  Reached find(std::u32string_view key) const;

 private:
  struct Edge {
    uint64_t key = kFree;
    Node child = nowhere;
    int32_t value = no_value;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  static uint64_t key_of(Node node, char32_t c) { return uint64_t{node} << 21 | c; }
  // Where the edge is, or the free place for it: linear probing behind Fibonacci hashing, as the
  // high bits of the product are well mixed.
  uint64_t slot(Node node, char32_t c) const {
    const uint64_t key = key_of(node, c);
    uint64_t i = key * 0x9E3779B97F4A7C15u >> shift_;
    while (edges_[i].key != key && edges_[i].key != kFree) i = (i + 1) & (edges_.size() - 1);
    return i;
  }
  void resize(size_t edges);

  std::vector<Edge> edges_;  // a power of two of them, at most half in use
  uint64_t nodes_ = 1;
  int shift_ = 0;
};

}  // namespace ink
