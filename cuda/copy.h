// Copies and conversions on the device, for tensors of any type and layout.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace ink::cuda {

// Row-major copy of a strided tensor with elements of 1, 2, 4 or 8 bytes.
void copy_strided(void* to, const void* from, const Shape& shape, const Strides& strides,
                  size_t element_bytes);
// n elements from one type to another: between f32, f16 and bf16, or between i32 and i64.
void convert(void* to, Dtype to_type, const void* from, Dtype from_type, int64_t n);

}  // namespace ink::cuda
