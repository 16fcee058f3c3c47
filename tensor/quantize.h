// Numbers of a row in 8 bits: x[i] ≈ scale·q[i], scale = max |x| / 127, q[i] = round(x[i] / scale).
//
// Symmetric, so that 0 stays 0 and q lies in [−127, 127]; halves are rounded to even. An element is
// off by half a scale at most. A row that holds NaN or an infinity has NaN for its scale, so that
// every result made of it is NaN; one whose largest element is below 2⁻¹⁰⁰ counts as zeros.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "tensor/vector_math.h"

namespace ink {

inline constexpr float kLargestInt8 = 127;
inline constexpr float kSmallestScaled = 0x1p-100f;  // 127 / it is still far from infinity

// What a row is multiplied by; and its scale, from its largest |x|, which is NaN or infinite where
// an element is.
INK_BOTH inline float quantizing_factor(float largest) {
  return largest >= kSmallestScaled && largest <= std::numeric_limits<float>::max()
             ? kLargestInt8 / largest
             : 0.0f;
}
INK_BOTH inline float scale_of_largest(float largest) {
  if (!(largest <= std::numeric_limits<float>::max()))
    return std::numeric_limits<float>::quiet_NaN();
  return largest >= kSmallestScaled ? largest / kLargestInt8 : 0.0f;
}

struct QuantizedRow {
  float scale = 0;
  int32_t sum = 0;  // of q
};

// max |x[i]|; NaN where one is NaN. Without their signs, numbers are ordered as their bits are.
inline float largest_magnitude(const float* x, int64_t n) {
  int32_t largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < n; ++i) {
    const int32_t magnitude = std::bit_cast<int32_t>(x[i]) & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  }
  return std::bit_cast<float>(largest);
}

// Q is int8_t, or int16_t for kernels that multiply those. Call it inside simd::run.
template <class Q>
QuantizedRow quantize_row(const float* x, int64_t n, Q* q) {
  const float largest = largest_magnitude(x, n), factor = quantizing_factor(largest);
  const float scale = scale_of_largest(largest);
  if (factor == 0) {
    std::fill_n(q, n, Q{0});
    return {scale, 0};
  }
  constexpr float kRounder = 0x1.8p23f;  // adding it rounds to an integer, found in the lowest bits
  int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const int32_t rounded =
        std::bit_cast<int32_t>(x[i] * factor + kRounder) - std::bit_cast<int32_t>(kRounder);
    q[i] = static_cast<Q>(rounded);
    sum += rounded;
  }
  return {scale, sum};
}

}  // namespace ink
