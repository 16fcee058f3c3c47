// Which blocks of device memory were cut from one piece of the driver's.
//
// The driver hands out 2 MiB at least, and most weights of a model are a little more than one or
// two: several of a size are cut from a slab, which goes back when all of them are free.
#pragma once
#include <cstddef>
#include <iterator>
#include <map>
#include <unordered_map>

namespace ink::cuda {

class Slabs {
 public:
  static constexpr size_t kBlocks = 8;  // of a slab

  // Whether blocks of this size are cut from slabs: from 1 to 16 MiB.
  static constexpr bool serves(size_t bytes) {
    return bytes >= (size_t{1} << 20) && bytes < (size_t{16} << 20);
  }

  void add(void* slab, size_t block_bytes) { blocks_[static_cast<char*>(slab)] = block_bytes; }
  void remove(void* slab) { blocks_.erase(static_cast<char*>(slab)); }

  // The slab that a block was cut from; null: none.
  void* of(void* block) const {
    const auto after = blocks_.upper_bound(static_cast<char*>(block));
    if (after == blocks_.begin()) return nullptr;
    const auto& [begin, bytes] = *std::prev(after);
    return static_cast<char*>(block) < begin + kBlocks * bytes ? begin : nullptr;
  }

  // How many of these blocks each slab has.
  template <class Blocks>
  std::unordered_map<void*, size_t> counts(const Blocks& blocks) const {
    std::unordered_map<void*, size_t> counts;
    for (const auto& [bytes, data] : blocks) {
      if (void* slab = of(data)) ++counts[slab];
    }
    return counts;
  }

 private:
  std::map<char*, size_t> blocks_;  // where each slab begins, and the size of its blocks
};

}  // namespace ink::cuda
