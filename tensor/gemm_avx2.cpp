// Micro-kernels in AVX2: 6×16, and AVX-512's 8×48 in AVX2 instructions for the tests.
#include "tensor/gemm_kernel.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

INK_BEGIN_TARGET(INK_TARGET_AVX2)
#include "tensor/gemm_tile.h"

namespace ink {
namespace {

struct Avx2 {
  using Vector = __m256;
  // 12 sums + 2 of B + 1 of A: 15 of 16 registers
  static constexpr int width = 8, rows = 6, vectors = 2;
  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* p) {
    Vector x = _mm256_loadu_ps(p);
    asm("" : "+x"(x));  // g++ would load it anew for each use
    return x;
  }
  static Vector load_first(int64_t n, const float* p) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane));
  }
  static void store(float* p, const Vector& x) { _mm256_storeu_ps(p, x); }
  static Vector broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static void multiply_add(Vector& sum, const Vector& a, const Vector& b) {
    sum = _mm256_fmadd_ps(a, b, sum);
  }
};

struct Avx512InAvx2 {
  struct Vector {
    __m256 low, high;
  };
  static constexpr int width = 16, rows = 8, vectors = 3;
  static Vector zero() { return {Avx2::zero(), Avx2::zero()}; }
  static Vector load(const float* p) { return {Avx2::load(p), Avx2::load(p + 8)}; }
  static Vector load_first(int64_t n, const float* p) {
    return {Avx2::load_first(n, p), Avx2::load_first(n - 8, p + 8)};
  }
  static void store(float* p, const Vector& x) {
    Avx2::store(p, x.low);
    Avx2::store(p + 8, x.high);
  }
  static Vector broadcast(const float* p) { return {Avx2::broadcast(p), Avx2::broadcast(p)}; }
  static void multiply_add(Vector& sum, const Vector& a, const Vector& b) {
    Avx2::multiply_add(sum.low, a.low, b.low);
    Avx2::multiply_add(sum.high, a.high, b.high);
  }
};

}  // namespace
}  // namespace ink
INK_END_TARGET

namespace ink {
const GemmKernel& avx2_kernel() {
  static constexpr GemmKernel kernel = kernel_of<Avx2>();
  return kernel;
}

const GemmKernel& avx512_kernel_in_avx2() {
  static constexpr GemmKernel kernel = kernel_of<Avx512InAvx2>();
  return kernel;
}

}  // namespace ink
#endif
