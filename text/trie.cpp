// A prefix tree over code points: strings → numbers, walked one character at a time.
#include "text/trie.h"

#include <bit>
#include <limits>

#include "tensor/error.h"

namespace ink {

Trie::Trie() : values_{no_value} { grow(); }

Trie::Node Trie::insert(std::u32string_view key, int32_t value) {
  Node node = root;
  for (const char32_t c : key) {
    const Node next = step(node, c);
    node = next == nowhere ? add_edge(node, c) : next;
  }
  values_[node] = value;
  return node;
}

Trie::Node Trie::add_edge(Node node, char32_t c) {
  check(values_.size() < std::numeric_limits<Node>::max(), "trie: expected fewer than 2^32 nodes");
  if (2 * values_.size() >= edges_.size()) grow();
  const auto child = static_cast<Node>(values_.size());
  values_.push_back(no_value);
  uint64_t i = slot_of(key_of(node, c));
  while (edges_[i].key != kFree) i = (i + 1) & mask_;
  edges_[i] = {key_of(node, c), child};
  return child;
}

void Trie::grow() {
  const std::vector<Edge> old = std::move(edges_);
  edges_.assign(old.empty() ? 64 : 2 * old.size(), {kFree, nowhere});
  mask_ = edges_.size() - 1;
  shift_ = 64 - std::countr_zero(edges_.size());
  for (const Edge& e : old) {
    if (e.key == kFree) continue;
    uint64_t i = slot_of(e.key);
    while (edges_[i].key != kFree) i = (i + 1) & mask_;
    edges_[i] = e;
  }
}

}  // namespace ink
