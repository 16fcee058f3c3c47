// Storage: a counted block of bytes. Tensors that share it are views of one another.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "tensor/device.h"

namespace ink {

class Storage {
 public:
  // Owned memory, uninitialised, from the pool of the device.
  static Storage* create(size_t bytes, Device device = Device::cpu);
  // Memory of someone else (a mapped file): read-only, kept alive by `owner`.
  static Storage* borrow(const void* data, size_t bytes, std::shared_ptr<const void> owner);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool borrowed() const { return owner_ != nullptr; }
  // Names this storage and what it holds: no other storage of this process ever has the same one,
  // and every in-place write (optimizer updates, loading) draws another. So derived copies such as
  // packed weights notice.
  uint64_t version() const { return version_; }
  void touch() { version_ = next_version(); }
  // The same bytes on the CUDA device, sent there by the first call and kept as long as the version
  // stands. For index tensors (ids, offsets, labels), which many ops of a step read.
  Storage* mirror();

  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  int use_count() const { return references_.load(std::memory_order_relaxed); }

 private:
  Storage(void* data, size_t bytes, Device device, std::shared_ptr<const void> owner)
      : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)) {}
  ~Storage() = default;
  void destroy() noexcept;
  static uint64_t next_version();

  std::atomic<int32_t> references_{1};
  uint64_t version_ = next_version();
  void* data_;
  size_t bytes_;
  Device device_;
  std::shared_ptr<const void> owner_;
  Storage* mirror_ = nullptr;
  uint64_t mirrored_version_ = 0;
};

// An intrusive pointer to a Storage.
class StorageRef {
 public:
  StorageRef() = default;
  explicit StorageRef(Storage* adopted) : storage_(adopted) {}
  StorageRef(const StorageRef& o) : storage_(o.storage_) {
    if (storage_) storage_->retain();
  }
  StorageRef(StorageRef&& o) noexcept : storage_(std::exchange(o.storage_, nullptr)) {}
  StorageRef& operator=(StorageRef o) noexcept {
    std::swap(storage_, o.storage_);
    return *this;
  }
  ~StorageRef() {
    if (storage_) storage_->release();
  }
  Storage* get() const { return storage_; }
  Storage* operator->() const { return storage_; }
  explicit operator bool() const { return storage_ != nullptr; }

 private:
  Storage* storage_ = nullptr;
};

}  // namespace ink
