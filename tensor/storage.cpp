// Storage: the header and the bytes both come from the pool.
#include "tensor/storage.h"

#include <new>

namespace ink {

uint64_t Storage::next_version() {
  static std::atomic<uint64_t> drawn{0};
  return drawn.fetch_add(1, std::memory_order_relaxed) + 1;
}

Storage* Storage::create(size_t bytes) {
  void* data = pool().allocate(bytes);
  try {
    return new (pool().allocate(sizeof(Storage))) Storage(data, bytes, nullptr);
  } catch (...) {
    pool().release(data, bytes);
    throw;
  }
}

Storage* Storage::borrow(const void* data, size_t bytes, std::shared_ptr<const void> owner) {
  return new (pool().allocate(sizeof(Storage)))
      Storage(const_cast<void*>(data), bytes, std::move(owner));
}

void Storage::destroy() noexcept {
  if (!owner_) pool().release(data_, bytes_);
  this->~Storage();
  pool().release(this, sizeof(Storage));
}

}  // namespace ink
