// Micro-kernels in AVX-512: 8×48.
#include "tensor/gemm_kernel.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

INK_BEGIN_TARGET(INK_TARGET_AVX512)
#include "tensor/gemm_tile.h"

namespace ink {
namespace {

struct Avx512 {
  using Vector = __m512;
  // 24 sums + 3 of B + 1 of A: 28 of 32 registers
  static constexpr int width = 16, rows = 8, vectors = 3;
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* p) {
    Vector x = _mm512_loadu_ps(p);
    asm("" : "+v"(x));  // g++ would load it anew for each use
    return x;
  }
  static Vector load_first(int64_t n, const float* p) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  }
  static void store(float* p, const Vector& x) { _mm512_storeu_ps(p, x); }
  static Vector broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static void multiply_add(Vector& sum, const Vector& a, const Vector& b) {
    sum = _mm512_fmadd_ps(a, b, sum);
  }
};

}  // namespace
}  // namespace ink
INK_END_TARGET

namespace ink {
const GemmKernel& avx512_kernel() {
  static constexpr GemmKernel kernel = kernel_of<Avx512>();
  return kernel;
}

}  // namespace ink
#endif
