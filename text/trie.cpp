// A prefix tree over code points: strings → numbers, walked one character at a time.
#include "text/trie.h"

#include <algorithm>
#include <bit>

#include "tensor/error.h"

namespace ink {

Trie::Trie(size_t strings) { resize(std::bit_ceil(std::max<size_t>(64, 2 * strings))); }

Trie::Node Trie::insert(std::u32string_view key, int32_t value) {
  check(!key.empty(), "trie: expected a key of at least one character");
  Node node = root;
  uint64_t at = 0;
  for (const char32_t c : key) {
    if (2 * nodes_ >= edges_.size()) resize(2 * edges_.size());
    at = slot(node, c);
    if (edges_[at].key == kFree) {
      check(nodes_ < nowhere, "trie: expected fewer than 2^32 nodes");
      edges_[at] = {key_of(node, c), static_cast<Node>(nodes_++), no_value};
    }
    node = edges_[at].child;
  }
  edges_[at].value = value;
  return node;
}

Trie::Reached Trie::find(std::u32string_view key) const {
  Reached at{root, no_value};
  for (const char32_t c : key) {
    at = step(at.node, c);
    if (at.node == nowhere) break;
  }
  return at;
}

void Trie::resize(size_t edges) {
  const std::vector<Edge> old = std::move(edges_);
  edges_.assign(edges, {});
  shift_ = 64 - std::countr_zero(edges_.size());
  for (const Edge& edge : old)
    if (edge.key != kFree)
      edges_[slot(static_cast<Node>(edge.key >> 21), edge.key & 0x1FFFFF)] = edge;
}

}  // namespace ink
