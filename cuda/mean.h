// Sums of f32 numbers on the device as scalars that stay there, in an order fixed by their number.
#pragma once
#include "tensor/tensor.h"

namespace ink::cuda {

// factor·Σ x as an f32 scalar, times *weight where there is one.
Tensor scaled_sum(const Tensor& x, double factor, const float* weight = nullptr);

// 1/count as an f32 scalar, where count is how many of the numbers i32 are not `ignored`; 0 when
// there is none.
Tensor inverse_count(const Tensor& numbers, int32_t ignored);

}  // namespace ink::cuda
