// Reading the sizes of a new model from a file like config.json, in which no key may be misspelt.
#pragma once
#include <cstdint>
#include <filesystem>

#include "nn/config.h"

namespace ink {

// The vocabulary is `vocab_size` tokens large where the file names none. Raises Error for keys that
// neither mean something to the family nor are written by transformers ("unknown key 'hiden_size';
// did you mean 'hidden_size'?") and whatever ModelConfig::from refuses.
ModelConfig read_architecture(const std::filesystem::path& file, int64_t vocab_size);

}  // namespace ink
