// A prefix tree over code points: strings → numbers, walked one character at a time.
#include "text/trie.h"

#include <algorithm>
#include <bit>

#include "tensor/error.h"

namespace ink {

Trie::Trie(size_t strings, size_t characters) {
  resize(std::bit_ceil(std::max<size_t>(64, 2 * strings)));
  constexpr size_t kRoot = 1, kPrefix = 16;
  places_.reserve(kRoot + kPrefix + strings + characters);
  places_.push_back(kCharacter);
}

Trie::Node Trie::insert(std::u32string_view key, int32_t value) {
  check(!key.empty(), "trie: expected a key of at least one character");
  Node node = root;
  Edge* into = nullptr;  // the edge that led to the node, where one did
  for (size_t i = 0; i < key.size(); ++i) {
    check(key[i] < kCharacter, "trie: expected a code point, got ", static_cast<uint32_t>(key[i]));
    if ((places_[node] & kCharacter) == key[i]) {
      ++node;
      into = nullptr;
      continue;
    }
    into = &edge_at(node, key[i]);
    if (into->child == nowhere) {
      places_[node] |= kParts;
      into->child = static_cast<Node>(places_.size());
      if (i + 1 == key.size()) into->value = value;
      return append(key.substr(i + 1), value);
    }
    node = into->child;
  }
  if (into)
    into->value = value;
  else if (places_[node] & kHasValue)
    places_[node + 1] = static_cast<uint32_t>(value);
  else {
    places_[node] |= kEdgeValue;
    edge_at(node, kCharacter).value = value;
  }
  return node;
}

// The rest of a string behind its edge; of an empty rest the edge has the value.
Trie::Node Trie::append(std::u32string_view rest, int32_t value) {
  check(rest.size() + 2 < nowhere - places_.size(), "trie: expected fewer than 2^32 characters");
  for (const char32_t c : rest) places_.push_back(static_cast<uint32_t>(c));
  const auto last = static_cast<Node>(places_.size());
  places_.push_back(rest.empty() ? kCharacter : kCharacter | kHasValue);
  if (!rest.empty()) places_.push_back(static_cast<uint32_t>(value));
  return last;
}

Trie::Edge& Trie::edge_at(Node node, char32_t c) {
  uint64_t at = slot(node, c);
  if (edges_[at].key == kFree) {
    if (2 * used_ >= edges_.size()) {
      resize(2 * edges_.size());
      at = slot(node, c);
    }
    edges_[at].key = key_of(node, c);
    ++used_;
  }
  return edges_[at];
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
