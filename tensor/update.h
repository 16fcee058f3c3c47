// Gradient sums, scaling in place, and norms.
//
// Never recorded, never differentiated; every written tensor is touched. f32 or f64, contiguous;
// reductions are cut in fixed chunks, so threads do not matter.
#pragma once
#include "tensor/tensor.h"

namespace ink {

// into += g, in place when nobody else shares its memory; an undefined `into` takes g over.
void add_gradient(Tensor& into, Tensor g);
void scale_in_place(Tensor& x, double factor);
double squared_norm(const Tensor& x);  // Σ x², summed in f64
bool all_finite(const Tensor& x);

}  // namespace ink
