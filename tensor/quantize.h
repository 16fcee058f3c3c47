// Numbers of a row in 8 bits, for products of integers.
//
// A row of activations has a scale and a zero of its own:
//
//   x[i] ≈ scale·(q[i] − zero),   q[i] = round(x[i] / scale) + zero in [0, 255],
//   scale = (high − low) / 255,   high = max(x, 0),  low = min(x, 0)
//
// so that all 256 steps are used where numbers lie to one side, as behind GELU, and 0 stays 0. A
// row of weights is symmetric: w[i] ≈ scale·q[i], scale = max |w| / 127, q[i] in [−127, 127].
//
// An element is off by half a scale at most; halves are rounded to even. A row that holds NaN or an
// infinity has NaN for its scale, so that every result made of it is NaN; one whose numbers all lie
// within 2⁻¹⁰⁰ counts as zeros.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "tensor/vector_math.h"

namespace ink {

// The largest and the least number of a row without their signs, each at least 0. Where an element
// is NaN or infinite, one of the two is.
struct RowRange {
  float high = 0, low = 0;
};

INK_BOTH inline float largest_of(const RowRange& range) {  // NaN if there is one
  return range.low > range.high || range.low != range.low ? range.low : range.high;
}

// How numbers become integers: times the factor, which is 0 where nothing can be done.
struct RowSteps {
  float scale = 0, factor = 0;
};

// So that the largest number becomes `steps`.
INK_BOTH inline RowSteps steps_of(float largest, float steps) {
  if (!(largest <= std::numeric_limits<float>::max()))
    return {std::numeric_limits<float>::quiet_NaN(), 0};
  if (largest < 0x1p-100f) return {0, 0};
  return {largest / steps, steps / largest};
}
// Of activations: half the range becomes half of 255, and cannot be infinite.
INK_BOTH inline RowSteps steps_of(const RowRange& range) {
  return steps_of(0.5f * range.high + 0.5f * range.low, 127.5f);
}

// Positive numbers are ordered as their bits are, and so are negative ones with the sign turned;
// those of the other sign are then less than 0.
inline RowRange range_of(const float* x, int64_t n) {
  int32_t high = 0, low = 0;
#pragma omp simd reduction(max : high, low)
  for (int64_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<int32_t>(x[i]);
    const int32_t turned = bits ^ std::numeric_limits<int32_t>::min();
    high = bits > high ? bits : high;
    low = turned > low ? turned : low;
  }
  return {std::bit_cast<float>(high), std::bit_cast<float>(low)};
}

// round(x·factor) for products below 2²²: adding the rounder leaves an integer in the lowest bits.
inline int32_t rounded(float x, float factor) {
  constexpr float kRounder = 0x1.8p23f;
  return std::bit_cast<int32_t>(x * factor + kRounder) - std::bit_cast<int32_t>(kRounder);
}

struct QuantizedRow {
  float scale = 0;
  int32_t zero = 0;
};

// A row of activations. Q is uint8_t, or int16_t for kernels that multiply those. Call it inside
// simd::run, as the next.
template <class Q>
QuantizedRow quantize_row(const float* x, int64_t n, Q* q) {
  const RowRange range = range_of(x, n);
  const auto [scale, factor] = steps_of(range);
  if (factor == 0) {
    std::fill_n(q, n, Q{0});
    return {scale, 0};
  }
  const float times = factor;
  const int32_t zero = rounded(range.low, times);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    int32_t v = rounded(x[i], times) + zero;  // 256 where halves met
    v = v > 255 ? 255 : v;
    q[i] = static_cast<Q>(v < 0 ? 0 : v);
  }
  return {scale, zero};
}

struct QuantizedWeights {
  float scale = 0;
  int32_t sum = 0;  // Σ q
};

// A row of weights.
inline QuantizedWeights quantize_weights(const float* w, int64_t n, int8_t* q) {
  const RowRange range = range_of(w, n);
  const auto [scale, factor] = steps_of(largest_of(range), 127);
  if (factor == 0) {
    std::fill_n(q, n, int8_t{0});
    return {scale, 0};
  }
  const float times = factor;
  int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const int32_t v = rounded(w[i], times);
    q[i] = static_cast<int8_t>(v);
    sum += v;
  }
  return {scale, sum};
}

}  // namespace ink
