// The rounds of SHA-1 and SHA-256, and the digest of a file.
#include "nn/digest.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/file.h"

namespace ink {
namespace {

uint32_t big_endian(const std::byte* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

constexpr std::array<uint32_t, 64> kConstants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

template <class Sum>
void add_file(Sum& sum, const MappedFile& file) {
  sum.add(std::span(file.data(), file.size()));
}

}  // namespace

void Sha1Hash::mix(std::array<uint32_t, kWords>& state, const std::byte* block) {
  std::array<uint32_t, 80> w{};
  for (size_t t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
  for (size_t t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  auto [a, b, c, d, e] = state;
  for (size_t t = 0; t < 80; ++t) {
    uint32_t f = b ^ c ^ d, k = t < 40 ? 0x6ED9EBA1 : 0xCA62C1D6;
    if (t < 20) {
      f = (b & c) | (~b & d);
      k = 0x5A827999;
    } else if (t >= 40 && t < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8F1BBCDC;
    }
    const uint32_t next = std::rotl(a, 5) + f + e + k + w[t];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const std::array<uint32_t, kWords> added{a, b, c, d, e};
  for (size_t i = 0; i < kWords; ++i) state[i] += added[i];
}

void Sha256Hash::mix(std::array<uint32_t, kWords>& state, const std::byte* block) {
  std::array<uint32_t, 64> w{};
  for (size_t t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
  for (size_t t = 16; t < 64; ++t) {
    const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t t = 0; t < 64; ++t) {
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t first = h + s1 + ((e & f) ^ (~e & g)) + kConstants[t] + w[t];
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t second = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  const std::array<uint32_t, kWords> added{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < kWords; ++i) state[i] += added[i];
}

template <class Hash>
void Digest<Hash>::add(std::span<const std::byte> bytes) {
  const size_t held = size_ % kBlock;
  size_ += bytes.size();
  if (held > 0) {
    const size_t taken = std::min(kBlock - held, bytes.size());
    std::copy_n(bytes.data(), taken, rest_.data() + held);
    if (held + taken < kBlock) return;
    Hash::mix(state_, rest_.data());
    bytes = bytes.subspan(taken);
  }
  for (; bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) Hash::mix(state_, bytes.data());
  std::ranges::copy(bytes, rest_.begin());
}

template <class Hash>
std::string Digest<Hash>::hex() {
  const uint64_t bits = __builtin_bswap64(8 * size_);
  const size_t zeros = (2 * kBlock - 1 - sizeof bits - size_ % kBlock) % kBlock;
  std::array<std::byte, kBlock> padding{std::byte{0x80}};
  add(std::span(padding).first(1 + zeros));
  add(std::as_bytes(std::span(&bits, 1)));
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint32_t word : state_)
    for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[word >> shift & 15];
  return text;
}

template class Digest<Sha1Hash>;
template class Digest<Sha256Hash>;

std::string sha256_of(const std::filesystem::path& file) {
  Sha256 sum;
  add_file(sum, *MappedFile::open(file));
  return sum.hex();
}

std::string git_name_of(const std::filesystem::path& file) {
  const auto mapped = MappedFile::open(file);
  Sha1 sum;
  sum.add("blob " + std::to_string(mapped->size()) + '\0');
  add_file(sum, *mapped);
  return sum.hex();
}

}  // namespace ink
