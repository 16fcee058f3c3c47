// Storage: the bytes come from the pool of their device, the header from the host's.
#include "tensor/storage.h"

#include <mutex>
#include <new>

namespace ink {

uint64_t Storage::next_version() {
  static std::atomic<uint64_t> drawn{0};
  return drawn.fetch_add(1, std::memory_order_relaxed) + 1;
}

Storage* Storage::create(size_t bytes, Device device) {
  Allocator& memory = allocator_of(device);
  void* data = memory.allocate(bytes);
  try {
    return new (pool().allocate(sizeof(Storage))) Storage(data, bytes, device, nullptr);
  } catch (...) {
    memory.release(data, bytes);
    throw;
  }
}

Storage* Storage::borrow(const void* data, size_t bytes, std::shared_ptr<const void> owner) {
  return new (pool().allocate(sizeof(Storage)))
      Storage(const_cast<void*>(data), bytes, Device::cpu, std::move(owner));
}

Storage* Storage::mirror() {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (mirror_ && mirrored_version_ == version_) return mirror_;
  Storage* fresh = create(bytes_, Device::cuda);
  cuda_backend().upload(fresh->data(), data_, bytes_);
  if (mirror_) mirror_->release();
  mirrored_version_ = version_;
  return mirror_ = fresh;
}

void Storage::destroy() noexcept {
  if (mirror_) mirror_->release();
  if (!owner_) allocator_of(device_).release(data_, bytes_);
  this->~Storage();
  pool().release(this, sizeof(Storage));
}

}  // namespace ink
