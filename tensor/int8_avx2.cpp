// Micro-kernels of 8-bit products in AVX2: 6×16, on numbers widened to 16 bits.
#include "tensor/int8_kernel.h"
#include "tensor/vector_math.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

INK_BEGIN_TARGET(INK_TARGET_AVX2)
#include "tensor/int8_tile.h"

namespace ink {
namespace {

struct Avx2Int8 {
  using Sum = __m256i;
  using Weights = __m256i;
  // 12 sums + 2 of W + 1 of A + 1 product: all 16 registers
  static constexpr int width = 8, rows = 6, vectors = 2, group = 2;
  static Sum zero() { return _mm256_setzero_si256(); }
  static Weights load(const int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static __m256i broadcast(const char* p) {
    int32_t two = 0;
    __builtin_memcpy(&two, p, sizeof two);
    return _mm256_set1_epi32(two);
  }
  static void multiply_add(Sum& sum, const __m256i& a, const Weights& w) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, w));
  }
  static void store(int32_t* p, const Sum& sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), sum);
  }
};

}  // namespace
}  // namespace ink
INK_END_TARGET

namespace ink {

const Int8Kernel& avx2_int8_kernel() {
  static constexpr Int8Kernel kernel = int8_kernel_of<Avx2Int8>("avx2");
  return kernel;
}

}  // namespace ink
#endif
