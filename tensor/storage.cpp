// Storage: the bytes come from the pool of their device, the header from the host's.
#include "tensor/storage.h"

#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "tensor/error.h"
#include "tensor/recording.h"

namespace ink {

// Of one version: copies on the CUDA device and how they were made.
struct Storage::Derived {
  struct Copy {
    Derivation how;
    Fill fill;
    StorageRef device;
    void send() const {
      std::vector<std::byte> bytes(device->bytes());
      fill(bytes.data());
      cuda_backend().upload(device->data(), bytes.data(), bytes.size());
    }
  };
  uint64_t version;
  std::vector<Copy> copies;
};

Storage::Storage(void* data, size_t bytes, Device device, std::shared_ptr<const void> owner)
    : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)) {}
Storage::~Storage() = default;

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

Storage* Storage::borrow(const void* data, size_t bytes, std::shared_ptr<const void> owner,
                         Device device) {
  return new (pool().allocate(sizeof(Storage)))
      Storage(const_cast<void*>(data), bytes, device, std::move(owner));
}

namespace {

std::mutex& one_at_a_time() {
  static std::mutex made;
  return made;
}

thread_local uint64_t recorded_since = 0;  // version; 0: nothing is recorded

}  // namespace

RecordingScope::RecordingScope() { recorded_since = StorageRef(Storage::create(0))->version(); }
RecordingScope::~RecordingScope() { recorded_since = 0; }

Storage* Storage::derived(const Derivation& how, size_t bytes, const Fill& fill) {
  const std::lock_guard lock(one_at_a_time());
  if (!derived_ || derived_->version != version_)
    derived_ = std::make_unique<Derived>(Derived{version_, {}});
  for (const Derived::Copy& copy : derived_->copies)
    if (copy.how == how) return copy.device.get();
  check(version_ > recorded_since,
        "cuda: work that is recorded reads an index tensor which it did not read when it was done "
        "before");
  const Derived::Copy made{how, fill, StorageRef(create(bytes, Device::cuda))};
  made.send();
  derived_->copies.push_back(made);
  return made.device.get();
}

Storage* Storage::mirror() {
  return derived({"itself"}, bytes_, [this](std::byte* to) { std::memcpy(to, data_, bytes_); });
}

void Storage::renew_derived() {
  const std::lock_guard lock(one_at_a_time());
  if (!derived_ || derived_->version != version_) return;
  for (const Derived::Copy& copy : derived_->copies) copy.send();
}

void Storage::destroy() noexcept {
  if (!owner_) allocator_of(device_).release(data_, bytes_);
  this->~Storage();
  pool().release(this, sizeof(Storage));
}

}  // namespace ink
