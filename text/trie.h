// A prefix tree over code points: strings → numbers, walked one character at a time.
//
// Edges live in one open-addressing hash table keyed by (node, character), so that a step costs one
// probe, whatever the alphabet. Grows only; walking is safe from any number of threads.
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

  Trie();
  // Stores value >= 0 under key, replacing an earlier one; returns the node of the key.
  Node insert(std::u32string_view key, int32_t value);

  // The node reached from `node` by c, or nowhere. Stepping from nowhere is not allowed.
  Node step(Node node, char32_t c) const {
    for (uint64_t i = slot_of(key_of(node, c));; i = (i + 1) & mask_) {
      if (edges_[i].key == key_of(node, c)) return edges_[i].child;
      if (edges_[i].key == kFree) return nowhere;
    }
  }
  int32_t value(Node node) const { return values_[node]; }  // no_value for mere prefixes
  size_t nodes() const { return values_.size(); }

 private:
  struct Edge {
    uint64_t key;
    Node child;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  static uint64_t key_of(Node node, char32_t c) { return uint64_t{node} << 21 | c; }
  // Fibonacci hashing: the high bits of the product are well mixed.
  uint64_t slot_of(uint64_t key) const { return key * 0x9E3779B97F4A7C15u >> shift_; }
  Node add_edge(Node node, char32_t c);
  void grow();

  std::vector<Edge> edges_;
  std::vector<int32_t> values_;
  uint64_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace ink
