// Gradient sums, scaling in place, and norms.
//
// Never recorded, never differentiated; every written tensor is touched. f32 or f64, on the CUDA
// device f32, f16 or bf16; contiguous. Reductions are cut in fixed chunks, so threads do not
// matter. Those that return a number wait for the device.
#pragma once
#include <span>

#include "tensor/tensor.h"

namespace ink {

// into += g, in place when nobody else shares its memory; an undefined `into` takes g over.
void add_gradient(Tensor& into, Tensor g);
void scale_in_place(Tensor& x, double factor);
// sums[i] += factor·gradients[i] for each gradient that is defined, all on the CUDA device, in one
// launch and in f32; an undefined sum counts as 0. A sum that is not f32 or shares its memory is
// replaced.
void add_gradients(std::span<Tensor> sums, std::span<const Tensor> gradients, double factor);
double squared_norm(const Tensor& x);  // Σ x², summed in f64; on the CUDA device in f32
bool all_finite(const Tensor& x);

}  // namespace ink
