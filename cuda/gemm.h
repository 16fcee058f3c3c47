// Matrix products on the CUDA device through cuBLASLt: C = alpha·op(A)·op(B) + beta·C + bias,
// row-major.
//
// Elements of A and B are f32, f16 or bf16; sums are f32 and are rounded once, when C is written
// (with beta, some algorithms round the product of 16-bit numbers before they add C too).
// f32 is exact unless allow_tf32. Every product of one shape runs by the same algorithm, and the
// same product twice gives the same bits; another number of rows may add in another order.
//
// Factors may also be i8, with exact sums in i32: C is i32, alpha 1, beta 0, and nothing is added.
// cuBLASLt multiplies them where A is as it lies, B transposed, and N, K and all distances of rows
// are multiples of 4 (of 16, to be fast).
//
// What cuBLASLt needs to know about a product (descriptors and the chosen algorithm) is made when
// its shape is first seen and kept, so a steady step asks for nothing. cuBLASLt's own GELU is left
// aside: it is the tanh form by a fast approximation, too rough for small results.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace ink::cuda {

// A or B as it lies in memory: rows at a distance of `ld` elements, (M, K) or (K, N), or the
// transpose of that when `transposed`. `stride` leads to the next matrix of a batch; 0: all share
// one.
struct Factor {
  template <class T>
  Factor(const T* elements, int64_t leading, bool is_transposed = false, int64_t batch_stride = 0)
      : data(elements),
        dtype(dtype_of<T>),
        transposed(is_transposed),
        ld(leading),
        stride(batch_stride) {}
  const void* data;
  Dtype dtype;
  bool transposed;
  int64_t ld, stride;
};

// C, (M, N): of the type of A and B, or f32; i32 of i8.
struct Result {
  template <class T>
  Result(T* elements, int64_t leading, int64_t batch_stride = 0)
      : data(elements), dtype(dtype_of<T>), ld(leading), stride(batch_stride) {}
  void* data;
  Dtype dtype;
  int64_t ld, stride;
};

struct GemmOptions {
  float alpha = 1, beta = 0;   // with beta 0, C need not hold numbers
  const void* bias = nullptr;  // (N) of C's type, added to every row
  void* row_sums = nullptr;    // (M) of C's type: Σ_k op(A)[m][k], the gradient of a bias
  int64_t batch = 1;           // products; bias and row_sums need a batch of one
};

// M, N or K may be 0; an empty sum is 0. A product that cuBLASLt refuses raises Error with its
// shapes.
void gemm(int64_t M, int64_t N, int64_t K, const Factor& a, const Factor& b, const Result& c,
          const GemmOptions& options = {});

// Products of f32 on tensor cores, which cut the factors to 10 bits of mantissa. Off at first.
void allow_tf32(bool allowed);
bool tf32_allowed();

// On: where a shape is first seen, outside a graph capture, the best few algorithms of cuBLASLt's
// list are timed on the device and the fastest is kept; off: the first of the list. Off at first,
// for a measurement may choose another algorithm in another process, and so other last bits.
void tune_products(bool are_tuned);

// What the products of this process have made so far: in a steady step it stands still.
int64_t gemm_plans();

}  // namespace ink::cuda
