// Blocks side by side in one mapping, a guard after each.
#include "cuda/emulated/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sstream>

#include "cuda/emulated/faults.h"
#include "cuda/emulated/sanitizers.h"
#include "cuda/emulated/streams.h"
#include "cuda/stream.h"
#include "tensor/error.h"

namespace ink::cuda::emulated {
namespace {

constexpr size_t kAlignment = 512, kGuard = 512;
constexpr size_t kHugePage = size_t{2} << 20;  // they make closing and opening the arena cheap
constexpr size_t kFilled = size_t{256} << 20;  // larger blocks stay as the system gives them
constexpr unsigned char kNan = 0xff;

size_t rounded(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// The first byte of [from, to) that is no longer as it was filled, or null.
const char* first_written(const char* from, const char* to) {
  const auto written = [](char c) { return static_cast<unsigned char>(c) != kNan; };
  if (from == to) return nullptr;
  // Almost always there is none, which memcmp says faster: each byte is like the next.
  const auto rest = static_cast<size_t>(to - from) - 1;
  if (!written(*from) && std::memcmp(from, from + 1, rest) == 0) return nullptr;
  const char* at = std::find_if(from, to, written);
  return at == to ? nullptr : at;
}

// "right behind a block of 400 bytes", "12 bytes behind a block of 400 bytes"
std::string distance_from(const char* side, ptrdiff_t bytes, size_t block) {
  std::ostringstream out;
  if (bytes == 0) {
    out << "right";
  } else {
    out << bytes << " bytes";
  }
  out << ' ' << side << " a block of " << block << " bytes";
  return out.str();
}

std::recursive_mutex& mutex() {
  static auto& made = *new std::recursive_mutex;
  return made;
}
int depth = 0;  // of the accesses of the thread that has the mutex

}  // namespace

Arena& arena() {
  static auto& made = *new Arena;
  return made;
}

Arena::Arena() {
  void* mapped = mmap(nullptr, kBytes + kHugePage, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(mapped != MAP_FAILED, "emulated cuda: no addresses for the device's memory");
  base_ = reinterpret_cast<char*>(rounded(reinterpret_cast<uintptr_t>(mapped), kHugePage));
  madvise(base_, kBytes, MADV_HUGEPAGE);
  top_ = base_ + kGuard;
}

void Arena::protect(bool touchable) const {
  const size_t bytes = rounded(static_cast<size_t>(top_ - base_), kHugePage);
  mprotect(base_, bytes, touchable ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void* Arena::allocate(size_t bytes) {
  const size_t capacity = rounded(std::max<size_t>(bytes, 1), kAlignment);
  if (capacity + kGuard + kHugePage > available()) return nullptr;
  char* p = find_room(capacity + kGuard);
  if (!p) return nullptr;
  const ArenaAccess access;
  unpoison(p, capacity + kGuard);
  if (capacity <= kFilled) {
    std::memset(p, kNan, capacity + kGuard);
  } else {
    std::memset(p + bytes, kNan, capacity + kGuard - bytes);
  }
  poison(p + bytes, capacity + kGuard - bytes);
  blocks_[p] = {capacity, bytes};
  taken_ += capacity + kGuard;
  return p;
}

bool Arena::release(void* p) {
  const auto found = blocks_.find(static_cast<char*>(p));
  if (found == blocks_.end()) return false;
  const size_t bytes = found->second.capacity + kGuard;
  poison(p, bytes);
  if (bytes >= kHugePage) {  // whole pages go back to the system
    char* const first = base_ + rounded(static_cast<size_t>(found->first - base_), kHugePage);
    char* const end = found->first + found->second.capacity;
    const size_t whole = end > first ? static_cast<size_t>(end - first) / kHugePage * kHugePage : 0;
    if (whole) madvise(first, whole, MADV_DONTNEED);
  }
  give_room(found->first, bytes);
  blocks_.erase(found);
  taken_ -= bytes;
  return true;
}

char* Arena::find_room(size_t bytes) {
  for (const auto& [p, size] : room_) {
    if (size < bytes) continue;
    char* const found = p;
    const size_t rest = size - bytes;
    room_.erase(found);
    if (rest) room_[found + bytes] = rest;
    return found;
  }
  if (top_ + bytes > base_ + kBytes) return nullptr;
  const ArenaAccess access;
  char* const found = top_;
  top_ += bytes;
  protect(true);
  if (found == base_ + kGuard) {
    std::memset(base_, kNan, kGuard);
    poison(base_, kGuard);
  }
  return found;
}

void Arena::give_room(char* p, size_t bytes) {
  const auto next = room_.find(p + bytes);
  if (next != room_.end()) bytes += next->second, room_.erase(next);
  const auto after = room_.lower_bound(p);
  if (after != room_.begin()) {
    const auto last = std::prev(after);
    if (last->first + last->second == p) {
      last->second += bytes;
      return;
    }
  }
  room_[p] = bytes;
}

void Arena::hand_out(void* p, size_t bytes) {
  const auto found = blocks_.find(static_cast<char*>(p));
  check(found != blocks_.end(), "emulated cuda: no block begins at ", p);
  const ArenaAccess access;
  const InStream in_stream(stream());  // where the block's former user has done its work
  char* const begin = found->first;
  const size_t capacity = found->second.capacity;
  const size_t before = found->second.used == kNobody ? 0 : found->second.used;
  const size_t now = bytes == kNobody ? 0 : bytes;
  unpoison(begin, std::max(before, now));
  if (before > now && capacity <= kFilled) std::memset(begin + now, kNan, before - now);
  poison(begin + now, capacity - now);
  found->second.used = bytes;
}

bool Arena::holds(const void* p) const { return p >= base_ && p < base_ + kBytes; }

Arena::Blocks::const_iterator Arena::before(const void* p) const {
  const auto after = blocks_.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  return after == blocks_.begin() ? blocks_.end() : std::prev(after);
}

bool Arena::usable(const void* p, size_t bytes) const {
  const auto found = before(p);
  if (found == blocks_.end() || found->second.used == kNobody) return false;
  const auto at = static_cast<size_t>(static_cast<const char*>(p) - found->first);
  return at <= found->second.used && bytes <= found->second.used - at;
}

std::string Arena::place_of(const void* p) const {
  std::ostringstream out;
  const auto found = before(p);
  if (!holds(p)) {
    out << p << ", which is not on the device";
  } else if (found == blocks_.end()) {
    out << "memory that was never allocated";
  } else {
    const auto at = static_cast<size_t>(static_cast<const char*>(p) - found->first);
    const auto [capacity, used] = found->second;
    if (used != kNobody && at < used) {
      out << "byte " << at << " of a block of " << used << " bytes";
    } else if (used == kNobody && at < capacity) {
      out << "memory that was released";
    } else if (at < capacity + kGuard) {
      out << distance_from("behind", static_cast<ptrdiff_t>(at - used), used);
    } else {
      out << "memory that is not allocated";
    }
  }
  return out.str();
}

std::string Arena::find_overrun() {
  if (kPoisons) return "";  // AddressSanitizer has seen every access
  const Unseen unseen;      // guards are looked at without waiting for the stream
  for (const auto& [p, block] : blocks_) {
    if (block.capacity > kFilled && block.used == kNobody) continue;
    const size_t used = block.used == kNobody ? 0 : block.used;
    char *const end = p + used, *const guard_end =
                                    std::min(end + kGuard, p + block.capacity + kGuard);
    const char* const behind = first_written(end, guard_end);
    const char* const before = behind ? nullptr : first_written(p - kGuard, p);
    if (!behind && !before) continue;
    std::string where = behind ? distance_from("behind", behind - end, used)
                               : distance_from("before", p - before, used);
    std::memset(end, kNan, static_cast<size_t>(guard_end - end));
    std::memset(p - kGuard, kNan, kGuard);
    return where;
  }
  return "";
}

ArenaAccess::ArenaAccess() : lock_(mutex()) {
  catch_faults();
  if (depth++ == 0) arena().protect(true);
}
ArenaAccess::~ArenaAccess() {
  if (--depth == 0) arena().protect(false);
}

}  // namespace ink::cuda::emulated
