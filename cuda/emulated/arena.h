// The memory of the emulated device: an arena that nobody can touch but kernels and copies.
//
// Fresh memory is full of NaN. Around each block, and behind the part of it that a tensor has,
// stand guards of NaN: what reads over an edge computes with NaN, what writes over one is found
// after the launch; under AddressSanitizer both are reported where they happen.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace ink::cuda::emulated {

class Arena {
 public:
  static constexpr size_t kBytes = size_t{32} << 30;  // of addresses; memory where it is written

  // Null when there is no room.
  void* allocate(size_t bytes);
  bool release(void* p);  // false: p is not the begin of a block
  size_t available() const { return kBytes - taken_; }

  // Of a block, the bytes that a tensor has; bytes = kNobody: it waits for the next tensor.
  static constexpr size_t kNobody = ~size_t{0};
  void hand_out(void* p, size_t bytes);

  bool holds(const void* p) const;
  // Whether [p, p + bytes) lies in one tensor.
  bool usable(const void* p, size_t bytes) const;
  // Where an address lies: "12 bytes behind a block of 400 bytes".
  std::string place_of(const void* p) const;
  // The place of something written outside of all tensors, once; empty when there is none.
  std::string find_overrun();

 private:
  friend class ArenaAccess;
  struct Block {
    size_t capacity, used;
  };
  using Blocks = std::map<char*, Block>;

  Arena();
  friend Arena& arena();
  void protect(bool touchable) const;
  char* find_room(size_t bytes);
  void give_room(char* p, size_t bytes);
  // The last block that begins at or before an address.
  Blocks::const_iterator before(const void* p) const;

  char* base_ = nullptr;
  char* top_ = nullptr;  // the end of all blocks so far
  size_t taken_ = 0;
  Blocks blocks_;
  std::map<char*, size_t> room_;  // given back, below top_
};

Arena& arena();

// While one lives, this thread alone may use the device, and its memory can be touched.
class ArenaAccess {
 public:
  ArenaAccess();
  ~ArenaAccess();
  ArenaAccess(const ArenaAccess&) = delete;
  ArenaAccess& operator=(const ArenaAccess&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

}  // namespace ink::cuda::emulated
