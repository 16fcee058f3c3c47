// Stretching by NumPy's rule, and copies into strided views.
#pragma once
#include "tensor/tensor.h"
#include "tensor/walk.h"

namespace ink {

// The strides by which x is read when NumPy's rule stretches it to `shape`, which it must fit.
Strides stretched(const Tensor& x, const Shape& shape);

// Copies x into a strided view, for example a slice of a larger tensor, of the same shape and type.
// Their memory must not overlap.
void assign(const char* name, Tensor& view, const Tensor& x);

}  // namespace ink
