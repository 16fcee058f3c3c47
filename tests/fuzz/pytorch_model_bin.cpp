// Any bytes as pytorch_model.bin: tensors whose every number can be read, or one Error.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/error.h"
#include "tensor/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto* first = reinterpret_cast<const std::byte*>(data);
    const auto bytes = std::make_shared<std::vector<std::byte>>(first, first + size);
    const ink::TorchFile file(*bytes, bytes, "pytorch_model.bin");
    size_t copied = 0;
    for (const auto& entry : file.entries()) {
      const ink::Tensor x = file.tensor(entry);
      if (!x.is_contiguous() || x.shape() != entry.shape || x.dtype() != entry.dtype)
        __builtin_trap();
      if (x.bytes() > 2 * size) __builtin_trap();
      if (!x.storage()->borrowed()) copied += x.bytes();
      if (copied > 2 * size + (size_t{1} << 20)) __builtin_trap();
      ink::clone(x);
    }
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
