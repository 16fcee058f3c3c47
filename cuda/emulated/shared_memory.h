// The shared memory of the block that runs: arrays filled with NaN, with guards around each.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace ink::cuda::emulated {

class SharedMemory {
 public:
  static constexpr size_t kStatic = 48 * 1024, kAll = 227 * 1024;

  // All arrays are new to the next block.
  void begin_block(size_t dynamic_bytes);
  // Null when the block would have more than the device allows.
  void* array(const void* key, const char* name, size_t bytes);
  void* dynamic() const { return arrays_.empty() ? nullptr : arrays_.front().data; }
  // The name of an array around which something was written; null when all is well.
  const char* overrun() const;
  // The array whose surroundings the address lies in, or null.
  const char* near(const void* address) const;

 private:
  // A page that cannot be touched, room that ends at `end`, and another such page. The array stands
  // at the end of the room, so that an index that runs over it faults at once.
  struct Array {
    const void* key = nullptr;
    const char* name = nullptr;
    size_t bytes = 0;
    char* data = nullptr;
    char* end = nullptr;
  };
  Array& place(const void* key, const char* name, size_t bytes);
  static Array make_room();

  std::vector<Array> arrays_;  // the first is the dynamic one
  size_t used_ = 0;            // of them, by this block
  size_t static_bytes_ = 0, dynamic_bytes_ = 0;
};

}  // namespace ink::cuda::emulated
