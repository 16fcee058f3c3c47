// Micro-kernels of 8-bit products in AVX-512 with VNNI: 8×48.
#include "tensor/int8_kernel.h"
#include "tensor/vector_math.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

INK_BEGIN_TARGET(INK_TARGET_AVX512 ",avx512vnni")
#include "tensor/int8_tile.h"

namespace ink {
namespace {

struct Avx512Vnni {
  using Sum = __m512i;
  using Weights = __m512i;
  // 24 sums + 3 of W + 1 of A: 28 of 32 registers
  static constexpr int width = 16, rows = 8, vectors = 3, group = 4;
  static Sum zero() { return _mm512_setzero_si512(); }
  static Weights load(const int8_t* p) {
    Weights w = _mm512_loadu_si512(p);
    asm("" : "+v"(w));  // g++ would load it anew for each use
    return w;
  }
  static __m512i broadcast(const char* p) {
    int32_t four = 0;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static void multiply_add(Sum& sum, const __m512i& a, const Weights& w) {
    sum = _mm512_dpbusd_epi32(sum, a, w);
  }
  static void store(int32_t* p, const Sum& sum) { _mm512_storeu_si512(p, sum); }
};

}  // namespace
}  // namespace ink
INK_END_TARGET

namespace ink {

const Int8Kernel& avx512vnni_int8_kernel() {
  static constexpr Int8Kernel kernel = int8_kernel_of<Avx512Vnni>("avx512vnni");
  return kernel;
}

}  // namespace ink
#endif
