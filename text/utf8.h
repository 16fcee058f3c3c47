// UTF-8 ⇄ code points, strictly: overlong forms, surrogates and values above U+10FFFF are invalid.
//
// Two policies for bytes that are not UTF-8. Files and API input are refused: decode_utf8 raises
// Error with the byte offset. Text typed or pasted by people can be repaired: replace_invalid_utf8
// puts U+FFFD in place of each maximal invalid part, as browsers do (Unicode 15, section 3.9), and
// the tokenizer then deletes it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

inline constexpr char32_t kReplacement = 0xFFFD;

// A part [begin, end) of a sequence: code points of a text, bytes of a text, tokens of an encoding.
struct Span {
  int32_t begin = 0, end = 0;
  int32_t size() const { return end - begin; }
  bool operator==(const Span&) const = default;
};

// One step of decoding.
struct CodePoint {
  char32_t value;  // U+FFFD when not valid
  uint8_t bytes;   // how many bytes it takes, at least 1
  bool valid;
};

// The code point that starts at text[at]; at < text.size().
CodePoint code_point_at(std::string_view text, size_t at);

// Offset of the first byte that does not belong to valid UTF-8; text.size() when there is none.
size_t first_invalid_utf8(std::string_view text);

// All code points. Raises Error naming `what` and the offset of the first bad byte.
std::u32string decode_utf8(std::string_view text, std::string_view what = "text");

// All code points and where each starts, for spans that must be given in both units.
struct Decoded {
  std::u32string text;         // n code points
  std::vector<int32_t> bytes;  // n + 1 byte offsets; the last is the size of the UTF-8 text
};
// Raises Error as decode_utf8 does, and for texts of 2 GiB or more.
Decoded decode_utf8_with_offsets(std::string_view text, std::string_view what = "text");

std::string replace_invalid_utf8(std::string_view text);

// Appends one code point; surrogates and values above U+10FFFF become U+FFFD.
void append_utf8(std::string& out, char32_t c);
std::string encode_utf8(std::u32string_view text);

}  // namespace ink
