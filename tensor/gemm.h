// Matrix products behind one interface: C = epilogue(op(A)·op(B)), row-major.
//
// f32 runs on our own micro-kernels (8×48 AVX-512, 6×16 AVX2, portable; see simd.h for the choice).
// Every element is one chain of multiply-adds in order of k: blocking in k reloads the partial sum,
// threads split rows and columns only. In a narrow product (N ≤ 4 and A not transposed, as of a
// classifier) it is 16 such chains, k mod 16, added in pairs, and then to C. So an element is the
// same bits for any number of rows, threads and tiles, and of columns on either side of four.
//
// f64, which gradient checks use, runs on OpenBLAS. Its bits do not depend on our threads either,
// but it may add in another order for another number of rows.
#pragma once
#include <cstdint>
#include <memory>

#include "tensor/activation.h"

namespace ink {

// What happens to an element x of the product, in this order:
//
//   the chain starts from C (accumulate) or 0
//   x += bias[n];  before = x;  x = activation(x);  x += residual;  C = x
//
// C holds partial sums on the way: nothing named here may overlap it. To add to C, accumulate.
template <class T>
struct Epilogue {
  bool accumulate = false;  // adds to what C holds
  const T* bias = nullptr;  // (N)
  T* before = nullptr;      // (M, N) at ld_before: the value before the activation, for backward
  int64_t ld_before = 0;
  Activation activation = Activation::none;
  const T* residual = nullptr;  // (M, N) at ld_residual
  int64_t ld_residual = 0;
};

// B laid out once in the panels that the kernels read (columns for narrow products): for weights
// that serve many products.
class PackedMatrix {
 public:
  // op(B) is (K, N): b is (K, N) at ldb, or (N, K) at ldb when `transposed`, as the weight of a
  // linear layer is. `source_version`: Storage::version of b, to tell whether b still holds this.
  PackedMatrix(const float* b, int64_t ldb, bool transposed, int64_t n, int64_t k,
               uint64_t source_version = 0);
  ~PackedMatrix();
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  int64_t bytes() const { return bytes_; }
  const float* panels() const { return panels_; }
  int panel_width() const { return width_; }
  uint64_t source_version() const { return source_version_; }

 private:
  int64_t n_, k_, bytes_ = 0;
  uint64_t source_version_;
  int width_ = 0;
  float* panels_ = nullptr;
};

// a is (M, K) at lda, or (K, M) when transpose_a. M, N or K may be 0; an empty sum is 0.
void gemm(bool transpose_a, int64_t m, const float* a, int64_t lda, const PackedMatrix& b, float* c,
          int64_t ldc, const Epilogue<float>& epilogue = {});

// The same with B as it lies in memory: packed on the fly into pool memory. T is float or double.
template <class T>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a,
          int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc,
          const Epilogue<T>& epilogue = {});

// C = op(A)·op(B), or C += with `accumulate`, by OpenBLAS on one thread: the reference that ours is
// tested and timed against. The first call sets OpenBLAS to one thread for the whole process, an
// application's own calls of OpenBLAS included (openblas_set_num_threads undoes it).
template <class T>
void openblas_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a,
                   int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc,
                   bool accumulate = false);

}  // namespace ink
