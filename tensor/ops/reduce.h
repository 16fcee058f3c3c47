// Sums over axes, not recorded, for the reductions and every gradient that undoes broadcasting.
//
// Accumulated in f64 in an order fixed by the shape alone, so the bits are the same for any number
// of threads and any instruction set, and a sum of R values in f32 is off by half a unit in the
// last place plus at most R·2⁻⁵³·Σ|x|.
#pragma once
#include "tensor/tensor.h"

namespace ink {

// A shape seen as (O, R, I): R stands for the axes [first, last), O for those outside, I inside.
struct Folded {
  int64_t O = 1, R = 1, I = 1;
};
Folded fold(const Shape& shape, int first, int last);

// factor · Σ over axes [first, last) of x, which become extents of 1.
Tensor sum_axes(const char* name, const Tensor& x, int first, int last, double factor = 1);

// Sums x down to `shape`, which broadcasts to x's: the gradient of a stretched operand.
// x itself when nothing was stretched.
Tensor reduce_to(const char* name, const Tensor& x, const Shape& shape);

}  // namespace ink
