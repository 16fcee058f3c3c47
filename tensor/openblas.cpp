// OpenBLAS on one thread: the products of f64, and the reference of our own f32 kernels.
#include <cblas.h>

#include <limits>

#include "tensor/error.h"
#include "tensor/gemm.h"

namespace ink {
namespace {

blasint narrow(int64_t x) {
  check(x <= std::numeric_limits<blasint>::max(), "gemm: expected extents below 2^31, got ", x);
  return static_cast<blasint>(x);
}

// A leading dimension must be positive for OpenBLAS, even where it is never used.
blasint leading(int64_t x) { return narrow(x < 1 ? 1 : x); }

}  // namespace

template <class T>
void openblas_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a,
                   int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc, bool accumulate) {
  static const bool once = (openblas_set_num_threads(1), true);
  (void)once;
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (int64_t i = 0; i < m && !accumulate; ++i) {
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = 0;
    }
    return;
  }
  const auto ta = transpose_a ? CblasTrans : CblasNoTrans;
  const auto tb = transpose_b ? CblasTrans : CblasNoTrans;
  const T beta = accumulate ? T{1} : T{0};
  if constexpr (sizeof(T) == sizeof(float)) {
    cblas_sgemm(CblasRowMajor, ta, tb, narrow(m), narrow(n), narrow(k), 1, a, leading(lda), b,
                leading(ldb), beta, c, leading(ldc));
  } else {
    cblas_dgemm(CblasRowMajor, ta, tb, narrow(m), narrow(n), narrow(k), 1, a, leading(lda), b,
                leading(ldb), beta, c, leading(ldc));
  }
}

template void openblas_gemm(bool, bool, int64_t, int64_t, int64_t, const float*, int64_t,
                            const float*, int64_t, float*, int64_t, bool);
template void openblas_gemm(bool, bool, int64_t, int64_t, int64_t, const double*, int64_t,
                            const double*, int64_t, double*, int64_t, bool);

}  // namespace ink
