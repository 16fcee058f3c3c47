// One thread an element; a tensor of rank ≤ 5 is walked by its strides.
#include "cuda/copy.h"

#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#include "tensor/error.h"

namespace ink::cuda {
namespace {

constexpr int kThreads = 256;

struct Layout {
  int64_t extent[kMaxRank], stride[kMaxRank];
  int rank;
};

template <class T>
__global__ void copy_strided_kernel(T* to, const T* from, Layout layout, int64_t n) {
  for (int64_t i = global_thread(); i < n; i += all_threads()) {
    int64_t rest = i, at = 0;
    for (int axis = layout.rank; axis-- > 0;) {
      at += rest % layout.extent[axis] * layout.stride[axis];
      rest /= layout.extent[axis];
    }
    to[i] = from[at];
  }
}

template <class T, class S>
__global__ void convert_kernel(T* to, const S* from, int64_t n) {
  for (int64_t i = global_thread(); i < n; i += all_threads()) {
    if constexpr (std::is_integral_v<T>) {
      to[i] = static_cast<T>(from[i]);
    } else {
      to[i] = narrow<T>(widen(from[i]));
    }
  }
}

template <class F>
void with_floats(Dtype dtype, const F& f) {
  switch (dtype) {
    case Dtype::f32: return f(float{});
    case Dtype::f16: return f(Float16{});
    case Dtype::bf16: return f(Bfloat16{});
    default: fail("cuda: cannot convert ", name_of(dtype), " on the device");
  }
}

template <class T>
void copy_elements(void* to, const void* from, const Layout& layout, int64_t n) {
  launch("copy_strided", copy_strided_kernel<T>, {(n + kThreads - 1) / kThreads, kThreads},
         static_cast<T*>(to), static_cast<const T*>(from), layout, n);
}

}  // namespace

void copy_strided(void* to, const void* from, const Shape& shape, const Strides& strides,
                  size_t element_bytes) {
  Layout layout{};
  layout.rank = shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    layout.extent[axis] = shape[axis];
    layout.stride[axis] = strides[axis];
  }
  switch (element_bytes) {
    case 1: return copy_elements<uint8_t>(to, from, layout, shape.size());
    case 2: return copy_elements<uint16_t>(to, from, layout, shape.size());
    case 4: return copy_elements<uint32_t>(to, from, layout, shape.size());
    default: return copy_elements<uint64_t>(to, from, layout, shape.size());
  }
}

void convert(void* to, Dtype to_type, const void* from, Dtype from_type, int64_t n) {
  const Grid grid{(n + kThreads - 1) / kThreads, kThreads};
  if (from_type == Dtype::i32 && to_type == Dtype::i64) {
    return launch("convert", convert_kernel<int64_t, int32_t>, grid, static_cast<int64_t*>(to),
                  static_cast<const int32_t*>(from), n);
  }
  with_floats(from_type, [&](auto s) {
    with_floats(to_type, [&](auto t) {
      using S = decltype(s);
      using T = decltype(t);
      launch("convert", convert_kernel<T, S>, grid, static_cast<T*>(to),
             static_cast<const S*>(from), n);
    });
  });
}

}  // namespace ink::cuda
