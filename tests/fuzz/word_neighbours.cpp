// Any bytes as a table of neighbours: a table whose neighbours are among its words, or one Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/error.h"
#include "text/word_neighbours.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const ink::WordNeighbours table = ink::WordNeighbours::parse(content, "neighbours");
    int64_t with_neighbours = 0;
    for (int32_t i = 0; i < table.words().size(); ++i) {
      with_neighbours += table.of(i).empty() ? 0 : 1;
      for (const ink::Neighbour& n : table.of(i))
        if (table.words()[n.word] == table.words()[i]) __builtin_trap();
    }
    if (with_neighbours != table.size()) __builtin_trap();
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
