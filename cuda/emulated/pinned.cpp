// Blocks by their begin, and of each copy under way a hash of what it should read.
#include "cuda/emulated/pinned.h"

#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <string_view>

namespace ink::cuda::emulated {
namespace {

size_t hash_of(const char* from, size_t bytes) {
  return std::hash<std::string_view>()({from, bytes});
}

struct Copy {
  size_t bytes, hash;
  cudaStream_t stream;
  uint64_t number;
};

struct Pinned {
  std::mutex mutex;
  std::map<const char*, size_t> blocks;
  std::map<const char*, Copy> copies;  // that nobody has waited for
  uint64_t noted = 0;

  bool holds(const char* p) const {
    const auto after = blocks.upper_bound(p);
    if (after == blocks.begin()) return false;
    const auto& [begin, bytes] = *std::prev(after);
    return p <= begin + bytes;
  }
};
Pinned& pinned() {
  static auto& made = *new Pinned;
  return made;
}

}  // namespace

void add_pinned(void* p, size_t bytes) {
  const std::lock_guard lock(pinned().mutex);
  pinned().blocks[static_cast<char*>(p)] = bytes;
}

bool remove_pinned(void* p) {
  const std::lock_guard lock(pinned().mutex);
  return pinned().blocks.erase(static_cast<char*>(p)) == 1;
}

bool in_pinned(const void* p) {
  const std::lock_guard lock(pinned().mutex);
  return pinned().holds(static_cast<const char*>(p));
}

bool note_copy(const void* from, size_t bytes, cudaStream_t stream) {
  Pinned& all = pinned();
  const std::lock_guard lock(all.mutex);
  const auto* const begin = static_cast<const char*>(from);
  if (!all.holds(begin)) return true;
  auto copy = all.copies.upper_bound(begin);
  if (copy != all.copies.begin()) --copy;
  while (copy != all.copies.end() && copy->first < begin + bytes) {
    const bool overlaps = copy->first + copy->second.bytes > begin;
    if (overlaps && hash_of(copy->first, copy->second.bytes) != copy->second.hash) return false;
    copy = overlaps ? all.copies.erase(copy) : std::next(copy);
  }
  all.copies[begin] = {bytes, hash_of(begin, bytes), stream, all.noted++};
  return true;
}

uint64_t copies_noted() {
  const std::lock_guard lock(pinned().mutex);
  return pinned().noted;
}

void copies_are_made(cudaStream_t stream, uint64_t count) {
  const std::lock_guard lock(pinned().mutex);
  std::erase_if(pinned().copies, [=](const auto& copy) {
    return copy.second.stream == stream && copy.second.number < count;
  });
}

}  // namespace ink::cuda::emulated
