// A prefix tree over code points: strings → numbers, walked one character at a time.
//
// Strings lie in one array, each from where it leaves those before it, and a node is a place in
// that array: mostly, a step compares the character there and goes on to the next place. Only where
// strings part is there an edge, in one open-addressing hash table keyed by (node, character), so
// that a step costs one probe at most, whatever the alphabet. So a character takes 4 bytes and a
// string at most 64 more. Grows only; walking is safe from any number of threads.
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

  // With room for so many strings of so many characters together; it grows beyond that.
  explicit Trie(size_t strings = 0, size_t characters = 0);
  // Stores value under key, which may not be empty, replacing an earlier one; returns its node.
  Node insert(std::u32string_view key, int32_t value);

  // What c leads to from `node`, which may not be nowhere.
  Reached step(Node node, char32_t c) const {
    const uint32_t place = places_[node];
    if ((place & kCharacter) == c) return {node + 1, value_at(node + 1)};
    if (!(place & kParts)) return {nowhere, no_value};
    const Edge& edge = edges_[slot(node, c)];
    return {edge.child, edge.value};
  }
  // What the whole key leads to.
  Reached find(std::u32string_view key) const;

 private:
  struct Edge {
    uint64_t key = kFree;
    Node child = nowhere;
    int32_t value = no_value;  // of the child, or of the node itself under kCharacter
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  // A place: the next character of its string, or kCharacter, which none is, behind the last one.
  static constexpr uint32_t kCharacter = 0x1FFFFF;
  static constexpr uint32_t kParts = 1u << 21;      // edges lead away too
  static constexpr uint32_t kHasValue = 1u << 22;   // it is in the next place
  static constexpr uint32_t kEdgeValue = 1u << 23;  // it is in an edge with the key kCharacter

  // Of a node that the place before it leads to. That of another is in the edge that leads to it.
  int32_t value_at(Node node) const {
    const uint32_t place = places_[node];
    if (!(place & (kHasValue | kEdgeValue))) return no_value;
    return place & kHasValue ? static_cast<int32_t>(places_[node + 1])
                             : edges_[slot(node, kCharacter)].value;
  }
  static uint64_t key_of(Node node, char32_t c) { return uint64_t{node} << 21 | c; }
  // Where the edge is, or the free place for it: linear probing behind Fibonacci hashing, as the
  // high bits of the product are well mixed.
  uint64_t slot(Node node, char32_t c) const {
    const uint64_t key = key_of(node, c);
    uint64_t i = key * 0x9E3779B97F4A7C15u >> shift_;
    while (edges_[i].key != key && edges_[i].key != kFree) i = (i + 1) & (edges_.size() - 1);
    return i;
  }
  Edge& edge_at(Node node, char32_t c);  // made where there is none
  Node append(std::u32string_view rest, int32_t value);
  void resize(size_t edges);

  std::vector<uint32_t> places_;  // [0] is the root
  std::vector<Edge> edges_;       // a power of two of them, at most half in use
  uint64_t used_ = 0;             // edges
  int shift_ = 0;
};

}  // namespace ink
