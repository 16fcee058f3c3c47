// Any bytes as a SentencePiece model: read and written back alike, its charsmap used, or one Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/error.h"
#include "text/charsmap.h"
#include "text/sentencepiece_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const ink::SentencePieceFile file = ink::parse_sentencepiece(bytes, "spiece.model");
    const std::string written = ink::write_sentencepiece(file);
    if (ink::parse_sentencepiece(written, "copy").pieces.size() != file.pieces.size())
      __builtin_trap();
    const ink::Charsmap map(file.charsmap, "charsmap");
    ink::Normalized text{U"aé\u0301ﬁ①砚\U0001F600", {0, 1, 2, 3, 4, 5, 6}};
    map.apply(text);
    if (text.text.size() != text.source.size()) __builtin_trap();
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
