// The 16-bit formats: every one of the 65536 values, and the rounding between each two neighbours.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tensor/error.h"

namespace ink {
namespace {

struct Format {
  int exponent_bits, mantissa_bits;
};
constexpr Format kF16{5, 10}, kBf16{8, 7};

// The value of `bits` by the definition of IEEE 754.
double value_of(uint32_t bits, Format f) {
  const uint32_t mantissa = bits & ((1U << f.mantissa_bits) - 1);
  const uint32_t exponent = bits >> f.mantissa_bits & ((1U << f.exponent_bits) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  if (exponent == (1U << f.exponent_bits) - 1) {
    return mantissa ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  }
  const double fraction = std::ldexp(static_cast<double>(mantissa), -f.mantissa_bits);
  return exponent ? sign * std::ldexp(1 + fraction, static_cast<int>(exponent) - bias)
                  : sign * std::ldexp(fraction, 1 - bias);
}

// Round is a function from float to the format's bits, widen the reverse.
template <class Round, class Widen>
void check_every_value(Format f, Round round, Widen widen) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float x = widen(static_cast<uint16_t>(bits));
    const double expected = value_of(bits, f);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(x)) << bits;
      ASSERT_TRUE(std::isnan(widen(round(x)))) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(x), expected) << bits;
    ASSERT_EQ(round(x), bits);  // signs of zero included
  }
}

// Between neighbours a < b: the middle goes to the even one, anything else to the nearer one.
template <class Round, class Widen>
void check_rounding(Format f, Round round, Widen widen) {
  const uint32_t infinity = ((1U << f.exponent_bits) - 1) << f.mantissa_bits;
  for (uint32_t bits = 0; bits + 1 < infinity; ++bits) {
    const float a = widen(static_cast<uint16_t>(bits)), b = widen(static_cast<uint16_t>(bits + 1));
    const float middle = a + (b - a) / 2;
    ASSERT_EQ(round(middle), bits % 2 ? bits + 1 : bits) << bits;
    ASSERT_EQ(round(std::nextafter(middle, a)), bits);
    ASSERT_EQ(round(std::nextafter(middle, b)), bits + 1);
    ASSERT_EQ(round(-middle), 0x8000 | (bits % 2 ? bits + 1 : bits));
  }
}

constexpr auto round_f16 = [](float x) { return to_float16(x).bits; };
constexpr auto widen_f16 = [](uint16_t bits) { return to_float(Float16{bits}); };
constexpr auto round_bf16 = [](float x) { return to_bfloat16(x).bits; };
constexpr auto widen_bf16 = [](uint16_t bits) { return to_float(Bfloat16{bits}); };

TEST(Float16, EveryValueIsExactAndComesBack) { check_every_value(kF16, round_f16, widen_f16); }
TEST(Float16, RoundsToNearestTiesToEven) { check_rounding(kF16, round_f16, widen_f16); }
TEST(Bfloat16, EveryValueIsExactAndComesBack) { check_every_value(kBf16, round_bf16, widen_bf16); }
TEST(Bfloat16, RoundsToNearestTiesToEven) { check_rounding(kBf16, round_bf16, widen_bf16); }

TEST(Float16, OverflowsToInfinityAndUnderflowsToZero) {
  EXPECT_EQ(round_f16(65504.0F), 0x7bff);  // the largest
  EXPECT_EQ(round_f16(std::nextafter(65520.0F, 0.0F)), 0x7bff);
  EXPECT_EQ(round_f16(65520.0F), 0x7c00);
  EXPECT_EQ(round_f16(-1e30F), 0xfc00);
  EXPECT_EQ(round_f16(std::ldexp(1.0F, -25)), 0);  // half of the smallest: to even
  EXPECT_EQ(round_f16(std::ldexp(1.1F, -25)), 1);
  EXPECT_EQ(round_f16(-1e-30F), 0x8000);
}

TEST(Bfloat16, OverflowsToInfinity) {
  EXPECT_EQ(round_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(round_bf16(-std::numeric_limits<float>::max()), 0xff80);
  const uint32_t nan_with_low_bits = 0x7f800001U;
  EXPECT_TRUE(std::isnan(widen_bf16(round_bf16(std::bit_cast<float>(nan_with_low_bits)))));
}

TEST(Dtype, SizesAndNames) {
  EXPECT_EQ(size_of(Dtype::f64), 8U);
  EXPECT_EQ(size_of(Dtype::i64), 8U);
  EXPECT_EQ(size_of(Dtype::f32), 4U);
  EXPECT_EQ(size_of(Dtype::i32), 4U);
  EXPECT_EQ(size_of(Dtype::bf16), 2U);
  EXPECT_EQ(size_of(Dtype::f16), 2U);
  EXPECT_EQ(size_of(Dtype::i8), 1U);
  EXPECT_EQ(size_of(Dtype::u8), 1U);
  EXPECT_STREQ(name_of(Dtype::bf16), "bf16");
  EXPECT_TRUE(is_float(Dtype::bf16));
  EXPECT_FALSE(is_float(Dtype::i32));
}

}  // namespace
}  // namespace ink
