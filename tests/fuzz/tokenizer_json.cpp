// Any bytes as tokenizer.json: a tokenizer that encodes, or one Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const ink::Tokenizer tokenizer(ink::parse_tokenizer_json(text, "tokenizer.json"));
    const ink::Encoding e = tokenizer.encode("``Ink the 砚台 <mask>é\U0001F600", "[MASK]\n磨墨");
    tokenizer.decode(e.ids);
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
