// Element types: sizes, names, and rounding to the 16-bit formats.
#include "tensor/dtype.h"

#include <bit>

#include "tensor/error.h"

namespace ink {

size_t size_of(Dtype t) {
  switch (t) {
    case Dtype::f64:
    case Dtype::i64: return 8;
    case Dtype::f32:
    case Dtype::i32: return 4;
    case Dtype::f16:
    case Dtype::bf16: return 2;
    case Dtype::i8:
    case Dtype::u8: return 1;
  }
  fail("dtype: unknown value ", static_cast<int>(t));
}

const char* name_of(Dtype t) {
  switch (t) {
    case Dtype::f32: return "f32";
    case Dtype::f64: return "f64";
    case Dtype::f16: return "f16";
    case Dtype::bf16: return "bf16";
    case Dtype::i64: return "i64";
    case Dtype::i32: return "i32";
    case Dtype::i8: return "i8";
    case Dtype::u8: return "u8";
  }
  fail("dtype: unknown value ", static_cast<int>(t));
}

Dtype dtype_from(const std::string& name) {
  for (const Dtype t : {Dtype::f32, Dtype::f64, Dtype::f16, Dtype::bf16, Dtype::i64, Dtype::i32,
                        Dtype::i8, Dtype::u8}) {
    if (name == name_of(t)) return t;
  }
  fail("dtype: expected f32, f64, f16, bf16, i64, i32, i8 or u8, got '", name, "'");
}

float to_float(Bfloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }

Bfloat16 to_bfloat16(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  // NaN, kept quiet
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>(u >> 16 | 0x40u)};
  return {static_cast<uint16_t>((u + 0x7fffu + (u >> 16 & 1u)) >> 16)};
}

// f16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. Multiplying by a power of two moves between
// the two biases and lets the FPU handle subnormal numbers.
float to_float(Float16 x) {
  const uint32_t sign = (x.bits & 0x8000u) << 16, rest = x.bits & 0x7fffu;
  // infinity or NaN keeps its mantissa
  const uint32_t special = rest >= 0x7c00u ? 0x7f800000u : 0u;
  const float value = std::bit_cast<float>(rest << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | special |
                              (special ? rest << 13 : std::bit_cast<uint32_t>(value)));
}

Float16 to_float16(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>(u >> 16 & 0x8000u);
  uint32_t rest = u & 0x7fffffffu;
  const auto signed_bits = [sign](uint32_t bits) {
    return Float16{static_cast<uint16_t>(sign | bits)};
  };
  if (rest > 0x7f800000u) return signed_bits(0x7e00u);   // NaN
  if (rest >= 0x477ff000u) return signed_bits(0x7c00u);  // rounds to 65536 or more: infinity
  // below 2^-14: the sum's last bit is worth 2^-24
  if (rest < 0x38800000u) {
    const float sum = std::bit_cast<float>(rest) + 0.5f;
    return signed_bits(std::bit_cast<uint32_t>(sum) - 0x3f000000u);
  }
  rest += 0xfffu + (rest >> 13 & 1u);
  return signed_bits((rest - 0x38000000u) >> 13);
}

}  // namespace ink
