// Attention of a packed batch on the device: tensor/attention_kernel.h with every pointer, that of
// the offsets too, to device memory. log_sum is f32.
//
// f16 and bf16 run on tensor cores when rows are aligned and the head size is a multiple of 8 up to
// 128; else, and f32 always, plain multiply-adds run (head sizes up to 256). No result depends on
// chance, and a sequence gets the same bits whatever stands beside it.
#pragma once
#include "tensor/attention_kernel.h"

namespace ink::cuda {

enum class AttentionKernels { fastest, plain };

// rows: of the matrices; offsets outside are cut off at them.
template <class T>
void attention_forward(const AttentionInput<T>& in, int64_t rows, Rows<T> out, float* log_sum,
                       AttentionKernels kernels = AttentionKernels::fastest);

// What is not wanted of dq, dk and dv is null.
template <class T>
void attention_backward(const AttentionInput<T>& in, int64_t rows, Rows<const T> out,
                        const float* log_sum, Rows<const T> dout, Rows<T> dq, Rows<T> dk,
                        Rows<T> dv, AttentionKernels kernels = AttentionKernels::fastest);

}  // namespace ink::cuda
