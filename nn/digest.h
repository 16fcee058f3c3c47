// SHA-256 and SHA-1 (FIPS 180-4), by which a model hub names and proves its files.
//
// SHA-1 is here because git names files by it; it guards against damage, not against forgers.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace ink {

// Both work on blocks of 64 bytes; `Hash` has kWords of state, kStart and mix(state, block).
template <class Hash>
class Digest {
 public:
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  std::string hex();  // of everything added, in lower case; once, last

 private:
  static constexpr size_t kBlock = 64;
  std::array<uint32_t, Hash::kWords> state_ = Hash::kStart;
  std::array<std::byte, kBlock> rest_{};
  uint64_t size_ = 0;
};

struct Sha1Hash {
  static constexpr size_t kWords = 5;
  static constexpr std::array<uint32_t, kWords> kStart{0x67452301, 0xEFCDAB89, 0x98BADCFE,
                                                       0x10325476, 0xC3D2E1F0};
  static void mix(std::array<uint32_t, kWords>& state, const std::byte* block);
};
struct Sha256Hash {
  static constexpr size_t kWords = 8;
  static constexpr std::array<uint32_t, kWords> kStart{0x6A09E667, 0xBB67AE85, 0x3C6EF372,
                                                       0xA54FF53A, 0x510E527F, 0x9B05688C,
                                                       0x1F83D9AB, 0x5BE0CD19};
  static void mix(std::array<uint32_t, kWords>& state, const std::byte* block);
};
using Sha1 = Digest<Sha1Hash>;
using Sha256 = Digest<Sha256Hash>;

std::string sha256_of(const std::filesystem::path& file);
// As git names a file's content: SHA-1 of "blob <size>", NUL and the content.
std::string git_name_of(const std::filesystem::path& file);

}  // namespace ink
