// Any bytes as a safetensors file: tensors whose every number can be read, or one Error.
#include "tensor/safetensors.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto* first = reinterpret_cast<const std::byte*>(data);
    const auto bytes = std::make_shared<std::vector<std::byte>>(first, first + size);
    const ink::SafeTensors file(*bytes, bytes, "model.safetensors");
    size_t total = 0;
    for (const auto& entry : file.entries()) total += ink::clone(file.tensor(entry)).bytes();
    if (total > size) __builtin_trap();  // every byte belongs to one tensor
  } catch (const ink::Error&) {          // the expected answer to damage
  }
  return 0;
}
