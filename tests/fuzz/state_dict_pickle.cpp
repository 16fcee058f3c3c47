// Any bytes as the pickle inside pytorch_model.bin, in an archive whose checksums are right.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/error.h"
#include "tensor/torch_file.h"
#include "tests/hostile/torch_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string pickle(reinterpret_cast<const char*>(data), size);
    const std::string file = ink::hostile::zip_of({{"x/data.pkl", pickle},
                                                   {"x/data/0", std::string(24, '\1')},
                                                   {"x/data/1", std::string(16, '\2')}});
    const auto* first = reinterpret_cast<const std::byte*>(file.data());
    const auto bytes = std::make_shared<std::vector<std::byte>>(first, first + file.size());
    const ink::TorchFile torch(*bytes, bytes, "pytorch_model.bin");
    for (const auto& entry : torch.entries()) ink::clone(torch.tensor(entry));
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
