// Element types. Arithmetic runs in f32 (f64 in gradient checks); f16 and bf16 are storage formats;
// i32 holds ids.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace ink {

enum class Dtype : uint8_t { f32, f64, f16, bf16, i64, i32, i8, u8 };

// 16-bit storage formats. Rounding is to nearest, ties to even; NaN stays NaN.
struct Float16 {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};
float to_float(Float16 x);
float to_float(Bfloat16 x);
Float16 to_float16(float x);
Bfloat16 to_bfloat16(float x);

size_t size_of(Dtype t);                    // bytes of one element
const char* name_of(Dtype t);               // "f32", "i64", …
Dtype dtype_from(const std::string& name);  // the way back; raises Error for another name
inline bool is_float(Dtype t) { return t <= Dtype::bf16; }

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::f32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::f64;
};
template <>
struct DtypeOf<Float16> {
  static constexpr Dtype value = Dtype::f16;
};
template <>
struct DtypeOf<Bfloat16> {
  static constexpr Dtype value = Dtype::bf16;
};
template <>
struct DtypeOf<int64_t> {
  static constexpr Dtype value = Dtype::i64;
};
template <>
struct DtypeOf<int32_t> {
  static constexpr Dtype value = Dtype::i32;
};
template <>
struct DtypeOf<int8_t> {
  static constexpr Dtype value = Dtype::i8;
};
template <>
struct DtypeOf<uint8_t> {
  static constexpr Dtype value = Dtype::u8;
};
template <class T>
inline constexpr Dtype dtype_of = DtypeOf<T>::value;

// The type in which arithmetic on elements of T runs, and in which sums and losses are handed out:
// f32 for the 16-bit formats, else T itself.
template <class T>
struct WideOf {
  using type = T;  // NOLINT(readability-identifier-naming): as in the standard library
};
template <>
struct WideOf<Float16> {
  using type = float;  // NOLINT(readability-identifier-naming)
};
template <>
struct WideOf<Bfloat16> {
  using type = float;  // NOLINT(readability-identifier-naming)
};
template <class T>
using Wide = typename WideOf<T>::type;
inline Dtype wide(Dtype t) { return t == Dtype::f16 || t == Dtype::bf16 ? Dtype::f32 : t; }

}  // namespace ink
