// Storage: a counted block of bytes. Tensors that share it are views of one another.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/device.h"

namespace ink {

// What a device's copy is made of memory by: the same name and numbers, the same bytes.
struct Derivation {
  std::string_view name;  // of static lifetime
  std::array<int64_t, 3> of = {};
  bool operator==(const Derivation&) const = default;
};

class Storage {
 public:
  // Owned memory, uninitialised, from the pool of the device.
  static Storage* create(size_t bytes, Device device = Device::cpu);
  // Memory of someone else (a mapped file, a recorded step's): read-only, kept alive by `owner`.
  static Storage* borrow(const void* data, size_t bytes, std::shared_ptr<const void> owner,
                         Device device = Device::cpu);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool borrowed() const { return owner_ != nullptr; }
  // Names this storage and what it holds: no other storage of this process ever has the same one,
  // and every in-place write (optimizer updates, loading) draws another. So derived copies such as
  // packed weights notice.
  uint64_t version() const { return version_; }
  void touch() { version_ = next_version(); }
  // What follows from these bytes, on the CUDA device: `fill` writes it into memory of the host,
  // the first call sends it, and it is kept as long as the version stands. For index tensors (ids,
  // offsets, labels), which many ops of a step read. `fill` holds what it reads besides itself, as
  // renew_derived() calls it again.
  using Fill = std::function<void(std::byte* to)>;
  Storage* derived(const Derivation& how, size_t bytes, const Fill& fill);
  Storage* mirror();  // the bytes themselves
  // After a write that keeps the version: all that is derived, anew, in the same places.
  void renew_derived();

  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  int use_count() const { return references_.load(std::memory_order_relaxed); }

 private:
  Storage(void* data, size_t bytes, Device device, std::shared_ptr<const void> owner);
  ~Storage();
  void destroy() noexcept;
  static uint64_t next_version();

  std::atomic<int32_t> references_{1};
  uint64_t version_ = next_version();
  void* data_;
  size_t bytes_;
  Device device_;
  std::shared_ptr<const void> owner_;
  struct Derived;
  std::unique_ptr<Derived> derived_;
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
