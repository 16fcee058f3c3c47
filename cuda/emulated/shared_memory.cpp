// One mapping for each array, used again by the next block.
#include "cuda/emulated/shared_memory.h"

#include <sys/mman.h>

#include <tuple>

#include <algorithm>
#include <cstring>

#include "cuda/emulated/sanitizers.h"
#include "tensor/error.h"

namespace ink::cuda::emulated {
namespace {

constexpr size_t kPage = 4096, kRoom = 256 * 1024, kAlignment = 16;
constexpr size_t kMargin = 64;  // checked bytes before each array
constexpr size_t kMostArrays = 32;
constexpr unsigned char kNan = 0xff;

}  // namespace

SharedMemory::Array SharedMemory::make_room() {
  void* mapped = mmap(nullptr, kPage + kRoom + kPage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(mapped != MAP_FAILED, "emulated cuda: no memory for shared arrays");
  auto* base = static_cast<char*>(mapped);
  mprotect(base, kPage, PROT_NONE);
  mprotect(base + kPage + kRoom, kPage, PROT_NONE);
  poison(base, kPage);
  poison(base + kPage + kRoom, kPage);
  return {.end = base + kPage + kRoom};
}

void SharedMemory::begin_block(size_t dynamic_bytes) {
  if (arrays_.empty()) {
    arrays_.reserve(kMostArrays);  // kernels hold addresses in it, and must not see it move
    arrays_.push_back(make_room());
  }
  used_ = 0;
  static_bytes_ = 0;
  dynamic_bytes_ = dynamic_bytes;
  place(nullptr, "dynamic", dynamic_bytes);
}

void* SharedMemory::array(const void* key, const char* name, size_t bytes) {
  for (size_t i = 1; i < used_; ++i) {
    if (arrays_[i].key == key) return arrays_[i].data;
  }
  static_bytes_ += bytes;
  if (static_bytes_ > kStatic || static_bytes_ + dynamic_bytes_ > kAll) return nullptr;
  if (used_ == kMostArrays) return nullptr;
  if (used_ == arrays_.size()) arrays_.push_back(make_room());
  return place(key, name, bytes).data;
}

SharedMemory::Array& SharedMemory::place(const void* key, const char* name, size_t bytes) {
  Array& a = arrays_[used_++];
  a.key = key;
  a.name = name;
  a.bytes = bytes;
  a.data = a.end - (bytes + kAlignment - 1) / kAlignment * kAlignment;
  char* const begin = a.data - kMargin;
  const Unseen unseen;  // the block's array is no work of the thread that asks first
  if (kSeesThreads) {   // forgets what the block before did here
    auto* page = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(begin) / kPage * kPage);
    std::ignore = mmap(page, static_cast<size_t>(a.end - page), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  unpoison(a.end - kRoom, kRoom);
  std::memset(begin, kNan, static_cast<size_t>(a.end - begin));
  poison(a.end - kRoom, static_cast<size_t>(a.data - (a.end - kRoom)));
  poison(a.data + bytes, static_cast<size_t>(a.end - (a.data + bytes)));
  return a;
}

const char* SharedMemory::overrun() const {
  if (kPoisons) return nullptr;  // AddressSanitizer has seen every access
  const auto written = [](const char* from, const char* to) {
    return std::any_of(from, to, [](char c) { return static_cast<unsigned char>(c) != kNan; });
  };
  for (size_t i = 0; i < used_; ++i) {
    const Array& a = arrays_[i];
    if (written(a.data - kMargin, a.data) || written(a.data + a.bytes, a.end)) return a.name;
  }
  return nullptr;
}

const char* SharedMemory::near(const void* address) const {
  const auto* at = static_cast<const char*>(address);
  for (size_t i = 0; i < used_; ++i) {
    if (at >= arrays_[i].end - kRoom - kPage && at < arrays_[i].end + kPage) return arrays_[i].name;
  }
  return nullptr;
}

}  // namespace ink::cuda::emulated
