// Base64 (RFC 4648, section 4), in which tokenizer.json holds the charsmap.
#pragma once
#include <string>
#include <string_view>

namespace ink {

std::string encode_base64(std::string_view bytes);
// Raises Error naming `source` for other characters, a wrong length or wrong padding.
std::string decode_base64(std::string_view text, std::string_view source);

}  // namespace ink
