// Any bytes as vocab.txt: a vocabulary or one Error, and what is read is written back alike.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/error.h"
#include "text/vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const ink::Vocabulary vocabulary = ink::Vocabulary::parse(text, "vocab.txt");
    for (int32_t id = 0; id < vocabulary.size(); ++id) {
      const auto last = vocabulary.find(vocabulary.token(id));
      if (!last || *last < id || vocabulary.token(*last) != vocabulary.token(id)) __builtin_trap();
    }
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
