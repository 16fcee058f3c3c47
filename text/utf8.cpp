// UTF-8 ⇄ code points, strictly (Unicode 15, table 3-7: well-formed byte sequences).
#include "text/utf8.h"

#include <cstring>
#include <limits>

#include "tensor/error.h"

namespace ink {
namespace {

bool is_ascii_word(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

[[noreturn]] void fail_at(std::string_view text, size_t at, std::string_view what) {
  constexpr char digits[] = "0123456789ABCDEF";
  const auto byte = static_cast<uint8_t>(text[at]);
  fail("utf8: expected valid UTF-8 in ", what, ", got byte 0x", digits[byte >> 4],
       digits[byte & 15], " at offset ", at, "; convert it to UTF-8 first");
}

// Calls take(code point, byte offset) for each code point; raises Error at the first bad byte.
template <class F>
void for_each_code_point(std::string_view text, std::string_view what, const F& take) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    if (!c.valid) fail_at(text, at, what);
    take(c.value, at);
    at += c.bytes;
  }
}

}  // namespace

CodePoint code_point_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> uint32_t { return static_cast<uint8_t>(text[at + i]); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {kReplacement, 1, false};
  const uint8_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte alone decides about overlong forms, surrogates and the end of the code space.
  uint32_t low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  uint32_t value = lead & (0x7Fu >> length);
  for (uint8_t i = 1; i < length; ++i) {
    if (at + i >= text.size() || byte(i) < low || byte(i) > high) return {kReplacement, i, false};
    value = value << 6 | (byte(i) & 0x3F);
    low = 0x80, high = 0xBF;
  }
  return {value, length, true};
}

size_t first_invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (at + 8 <= text.size() && is_ascii_word(text.data() + at)) {
      at += 8;
      continue;
    }
    const CodePoint c = code_point_at(text, at);
    if (!c.valid) return at;
    at += c.bytes;
  }
  return text.size();
}

std::u32string decode_utf8(std::string_view text, std::string_view what) {
  std::u32string out;
  out.reserve(text.size());
  for_each_code_point(text, what, [&](char32_t c, size_t) { out += c; });
  return out;
}

Decoded decode_utf8_with_offsets(std::string_view text, std::string_view what) {
  check(text.size() < std::numeric_limits<int32_t>::max(), "utf8: expected ", what,
        " of less than 2 GiB, got ", text.size(), " bytes; split it");
  Decoded out;
  out.text.reserve(text.size());
  out.bytes.reserve(text.size() + 1);
  for_each_code_point(text, what, [&](char32_t c, size_t at) {
    out.text += c;
    out.bytes.push_back(static_cast<int32_t>(at));
  });
  out.bytes.push_back(static_cast<int32_t>(text.size()));
  return out;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    append_utf8(out, c.value);
    at += c.bytes;
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = kReplacement;
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size() * 3);
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

}  // namespace ink
