// A 64-bit checksum of bytes, fast enough for every checkpoint: XXH64 with seed 0 (Collet 2012).
//
// It finds truncation and flipped bits; it is no protection against someone who wants to deceive.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ink {

uint64_t checksum(std::span<const std::byte> bytes);
// The same in 16 hexadecimal digits, for JSON, whose numbers have not as many bits.
std::string checksum_text(std::span<const std::byte> bytes);

}  // namespace ink
