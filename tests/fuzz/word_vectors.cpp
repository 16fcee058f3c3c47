// Any bytes as word vectors: as many rows as words, all finite, each word found; or one Error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/error.h"
#include "text/word_vectors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const ink::WordVectors vectors = ink::WordVectors::parse(content, "vectors");
    if (vectors.rows.dim(0) != vectors.words.size()) __builtin_trap();
    for (const float x : ink::to_vector<float>(vectors.rows))
      if (!std::isfinite(x)) __builtin_trap();
    for (int32_t i = 0; i < vectors.words.size(); ++i)
      if (vectors.words.find(vectors.words[i]) != i) __builtin_trap();
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  return 0;
}
