// Checks of an op's arguments: "layer_norm: gamma should be f32 (768), got f32 (3)".
#pragma once
#include "tensor/tensor.h"

namespace ink {

// `t`, the argument called `argument`, should have this element type and shape.
void expect(const char* op, const char* argument, const Tensor& t, Dtype dtype, const Shape& shape);
// It should be like x: of its type and shape, on its device.
void expect_like(const char* op, const char* argument, const Tensor& t, const Tensor& x);
// `t` should have so many axes.
void expect_rank(const char* op, const char* argument, const Tensor& t, int rank);

// The tensors that are defined should lie on one device.
template <class... Tensors>
void expect_one_device(const char* op, const Tensor& first, const Tensors&... others) {
  check(((!others || others.device() == first.device()) && ...), "", op,
        ": expected tensors on one device, got some on the cpu and some on cuda; move them with "
        "to(tensor, device)");
}

// How many rows x (…, C) has: the product of all extents but the last. A scalar raises Error.
int64_t rows_of(const char* op, const Tensor& x);

}  // namespace ink
