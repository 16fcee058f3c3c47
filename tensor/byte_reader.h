// A position in bytes that never leaves them: the one way in which untrusted binary files are read.
//
//   ByteReader in(bytes, "model.bin");
//   const auto count = in.number<uint32_t>();        // little-endian; Error where the bytes end
//   const std::string_view name = in.text(count);    // borrows; Error where fewer are left
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "tensor/error.h"

namespace ink {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

class ByteReader {
 public:
  // `source` names the bytes in messages and must outlive the reader.
  ByteReader(std::span<const std::byte> bytes, const std::string& source)
      : bytes_(bytes), source_(source) {}

  const std::string& source() const { return source_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  size_t position() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  void seek(uint64_t position) {
    check(position <= bytes_.size(), "", source_, ": expected something at byte ", position,
          ", there are ", bytes_.size(), " bytes; it may be truncated");
    at_ = position;
  }
  std::span<const std::byte> take(uint64_t count) {
    check(count <= left(), "", source_, ": expected ", count, " bytes at byte ", at_,
          ", there are ", left(), "; it may be truncated");
    const std::span<const std::byte> taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  std::string_view text(uint64_t count) {
    const std::span<const std::byte> taken = take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& source_;
  size_t at_ = 0;
};

}  // namespace ink
