// Copies are walks by strides, conversions maps of one element.
#include "cuda/copy.h"

#include <type_traits>

#include "cuda/walk.cuh"
#include "tensor/error.h"

namespace ink::cuda {
namespace {

// An element as one of type T.
template <class T>
struct Converted {
  static constexpr const char* name = "convert";
  template <class S>
  INK_DEVICE T operator()(S x) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(x);
    } else {
      return narrow<T>(widen(x));
    }
  }
};

template <class F>
void with_floats(Dtype dtype, const F& f) {
  switch (dtype) {
    case Dtype::f32: return f(float{});
    case Dtype::f16: return f(Float16{});
    case Dtype::bf16: return f(Bfloat16{});
    default: fail("cuda: cannot convert ", name_of(dtype), " on the device");
  }
}

template <class T, class S>
void convert_elements(void* to, const void* from, int64_t n) {
  map_elements(Converted<T>{}, n, static_cast<T*>(to), static_cast<const S*>(from));
}

}  // namespace

void copy_strided(void* to, const void* from, const Shape& shape, const Strides& strides,
                  size_t element_bytes) {
  const Walk<2> walk(shape, {row_major(shape), strides});
  const auto copy = [&](auto t) {
    using T = decltype(t);
    walk_elements(Same{}, walk, static_cast<T*>(to), static_cast<const T*>(from));
  };
  switch (element_bytes) {
    case 1: return copy(uint8_t{});
    case 2: return copy(uint16_t{});
    case 4: return copy(uint32_t{});
    default: return copy(uint64_t{});
  }
}

void convert(void* to, Dtype to_type, const void* from, Dtype from_type, int64_t n) {
  if (from_type == Dtype::i32 && to_type == Dtype::i64)
    return convert_elements<int64_t, int32_t>(to, from, n);
  with_floats(from_type, [&](auto s) {
    with_floats(to_type, [&](auto t) { convert_elements<decltype(t), decltype(s)>(to, from, n); });
  });
}

}  // namespace ink::cuda
