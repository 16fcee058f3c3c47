// Scratch: pool memory for the length of a scope, for kernels that need room to work.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/allocator.h"

namespace ink {

template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : bytes_(static_cast<size_t>(count) * sizeof(T)),
        data_(count > 0 ? static_cast<T*>(pool().allocate(bytes_)) : nullptr) {}
  ~Scratch() {
    if (data_) pool().release(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() const { return data_; }
  // The next `count` elements that nobody has taken yet, on a cache line of their own.
  T* take(int64_t count) {
    T* taken = data_ + taken_;
    taken_ += rounded(count);
    return taken;
  }
  static int64_t rounded(int64_t count) {
    constexpr int64_t kLine = 64 / sizeof(T);
    return (count + kLine - 1) / kLine * kLine;
  }

 private:
  size_t bytes_;
  T* data_;
  int64_t taken_ = 0;
};

}  // namespace ink
