// CRC-32 as in zip files: the remainder of division by x³² + x²⁶ + … + 1, bits reflected.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace ink {

// Of the bytes alone, or of everything before (whose sum is `before`) and the bytes.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t before = 0);

}  // namespace ink
