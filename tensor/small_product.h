// Products inside a task: the micro-kernels over operands that fit in the caches, on the
// calling thread, in memory of the caller. f32 uses the kernels of gemm; f64 is plain loops,
// for gradient checks.
#pragma once
#include <cstdint>

namespace ink {

// Elements of op(B) (K, N) once packed.
template <class T>
int64_t packed_size(int64_t n, int64_t k);

// op(B)[k][n] is b[k·ldb + n], or b[n·ldb + k] when transposed; out holds
// packed_size(n, k) elements.
template <class T>
void pack(const T* b, int64_t ldb, bool transposed, int64_t n, int64_t k, T* out);

// C (M, N) = A·B, or C + A·B when `continues`: the chain of multiply-adds then starts from C.
// A[m][k] is a[m·lda + k], or a[k·lda + m] when `a_by_columns`; b is packed.
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, bool a_by_columns,
              const T* b, T* c, int64_t ldc, bool continues);

}  // namespace ink
