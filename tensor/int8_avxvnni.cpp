// Micro-kernels of 8-bit products in AVX2 with VNNI: 6×16.
#include "tensor/int8_kernel.h"
#include "tensor/vector_math.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

INK_BEGIN_TARGET(INK_TARGET_AVX2 ",avxvnni")
#include "tensor/int8_tile.h"

namespace ink {
namespace {

struct AvxVnni {
  using Sum = __m256i;
  using Weights = __m256i;
  // 12 sums + 2 of W + 1 of A: 15 of 16 registers
  static constexpr int width = 8, rows = 6, vectors = 2, group = 4;
  static Sum zero() { return _mm256_setzero_si256(); }
  static Weights load(const int8_t* p) {
    Weights w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    asm("" : "+x"(w));  // g++ would load it anew for each use
    return w;
  }
  static __m256i broadcast(const char* p) {
    int32_t four = 0;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static void multiply_add(Sum& sum, const __m256i& a, const Weights& w) {
    sum = _mm256_dpbusd_avx_epi32(sum, a, w);
  }
  static void store(int32_t* p, const Sum& sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), sum);
  }
};

}  // namespace
}  // namespace ink
INK_END_TARGET

namespace ink {

const Int8Kernel& avxvnni_int8_kernel() {
  static constexpr Int8Kernel kernel = int8_kernel_of<AvxVnni>("avxvnni");
  return kernel;
}

}  // namespace ink
#endif
