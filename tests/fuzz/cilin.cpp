// Any bytes as a synonym dictionary: at most as many synonyms as asked for, or one Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/error.h"
#include "text/cilin.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const ink::WordNeighbours table = ink::parse_cilin(content, "cilin", 3);
    for (int32_t i = 0; i < table.words().size(); ++i) {
      if (table.of(i).size() > 3) __builtin_trap();
      for (const ink::Neighbour& n : table.of(i))
        if (n.word == i) __builtin_trap();
    }
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
