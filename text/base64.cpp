// Base64 (RFC 4648, section 4), in which tokenizer.json holds the charsmap.
#include "text/base64.h"

#include <array>
#include <cstdint>

#include "tensor/error.h"

namespace ink {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 255;

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> out{};
  out.fill(kNoDigit);
  for (size_t i = 0; i < kDigits.size(); ++i)
    out[static_cast<uint8_t>(kDigits[i])] = static_cast<uint8_t>(i);
  return out;
}

constexpr std::array<uint8_t, 256> kValues = make_values();

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < n ? static_cast<uint8_t>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i) out += i <= n ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string decode_base64(std::string_view text, std::string_view source) {
  check(text.size() % 4 == 0, "base64: expected a multiple of 4 characters in ", source, ", got ",
        text.size());
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::string out;
  out.reserve(digits.size() / 4 * 3 + 3);
  uint32_t group = 0;
  int bits = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    const uint8_t value = kValues[static_cast<uint8_t>(digits[i])];
    check(value != kNoDigit, "base64: expected letters, digits, + and / in ", source,
          ", got another character at ", i);
    group = group << 6 | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(group >> bits & 255);
  }
  return out;
}

}  // namespace ink
