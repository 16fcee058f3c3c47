// The same values in other memory layouts, for tests that strides do not matter.
#pragma once
#include <utility>

#include "tensor/tensor.h"

namespace ink {

inline constexpr int kLayouts = 5;

template <class T>
void copy_axis(const T* from, const Strides& from_strides, T* to, const Strides& to_strides,
               const Shape& shape, int axis) {
  if (axis == shape.rank()) {
    *to = *from;
    return;
  }
  for (int64_t i = 0; i < shape[axis]; ++i) {
    copy_axis(from + i * from_strides[axis], from_strides, to + i * to_strides[axis], to_strides,
              shape, axis + 1);
  }
}

// x with the extent of an axis stretched from its first element, as expand() does: stride 0.
inline Tensor with_stretched_axis(const Tensor& x, int axis) {
  Strides strides = x.strides();
  strides[axis] = 0;
  return view(x, x.shape(), strides, x.offset());
}

// 0: inside a wider buffer, at an offset; 1: every second element of each row; 2: first and last
// axis stored swapped. These keep the values. 3 and 4: the first or the last axis stretched, which
// repeats values; integers (ids, offsets) stay as they are.
inline Tensor with_layout(const Tensor& x, int layout) {
  if (x.rank() == 0 || x.size() == 0) return x;
  if (layout >= 3) return is_float(x.dtype()) ? with_stretched_axis(x, layout == 3 ? 0 : -1) : x;
  Shape wide = x.shape();
  Strides strides = row_major(wide);
  int64_t offset = 0;
  if (layout == 2) {
    std::swap(wide[0], wide[-1]);
    strides = row_major(wide);
    std::swap(strides[0], strides[-1]);
  } else {
    wide[-1] = layout == 0 ? wide[-1] + 3 : 2 * wide[-1];
    strides = row_major(wide);
    offset = layout == 0 ? 3 : 1;
    if (layout == 1) strides[-1] = 2;
  }
  Tensor y = view(full(wide, -7, x.dtype()), x.shape(), strides, offset);
  switch (x.dtype()) {
    case Dtype::f32:
      copy_axis(x.data<float>(), x.strides(), y.data<float>(), strides, x.shape(), 0);
      break;
    case Dtype::f64:
      copy_axis(x.data<double>(), x.strides(), y.data<double>(), strides, x.shape(), 0);
      break;
    case Dtype::i32:
      copy_axis(x.data<int32_t>(), x.strides(), y.data<int32_t>(), strides, x.shape(), 0);
      break;
    default: fail("with_layout: no samples of type ", name_of(x.dtype()));
  }
  return y;
}

}  // namespace ink
