// Any bytes as model.safetensors.index.json: files in the same folder, or one Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nn/weights.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& [tensor, file] : ink::parse_weight_index(text, "index.json"))
      if (std::filesystem::path(file).filename() != file || file == "." || file == "..")
        __builtin_trap();
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
