// Any bytes as config.json: a configuration that survives being written and read, or one Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nn/config.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ink::ModelConfig config;
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    config = ink::ModelConfig::from(ink::parse_json(text, "config.json"));
  } catch (const ink::Error&) {  // the expected answer to damage
    return 0;
  }
  const ink::ModelConfig again = ink::ModelConfig::from(config.to_json());
  if (again.heads_per_layer != config.heads_per_layer || again.labels != config.labels)
    __builtin_trap();
  return 0;
}
