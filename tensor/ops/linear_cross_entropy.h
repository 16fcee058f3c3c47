// How much of the masked-LM head's logits the CUDA device holds at a time.
#pragma once
#include <cstdint>

namespace ink {

// Elements: 64 MiB in 16 bits, so that the masks of a usual step are one or two blocks of rows. A
// block has at least 16 rows. Tests set it to a few, so that small samples have several blocks.
inline int64_t logits_block = int64_t{1} << 25;

}  // namespace ink
