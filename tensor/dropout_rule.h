// Which elements dropout drops (Srivastava et al. 2014).
//
// Every element has 16 bits of a random stream, a number in [0, 2¹⁶): below `threshold`, the
// element is dropped; the others are divided by the probability to be kept. A block of the cipher
// decides about eight elements.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/philox.h"

namespace ink {

struct DropoutRule {
  // p in [0, 1), which is rounded to a multiple of 2⁻¹⁶.
  explicit DropoutRule(double p)
      : threshold(static_cast<uint32_t>(std::min(std::lround(p * kNumbers), kNumbers - 1))),
        kept(static_cast<double>(kNumbers) / static_cast<double>(kNumbers - threshold)) {}

  uint32_t threshold;
  double kept;  // factor of what is kept

  static constexpr long kNumbers = 1L << 16;
  static constexpr int kInBlock = 8;  // elements of one block of the cipher
};

// Dropout as an argument of a kernel that computes something else of what is left.
struct DropoutMask {
  StreamKey key = {};
  uint32_t threshold = 0;  // 0: nothing is dropped
  float kept = 1;
};

}  // namespace ink
