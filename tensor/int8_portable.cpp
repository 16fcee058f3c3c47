// Micro-kernels of 8-bit products for any processor, 4×8, and the choice between all kernels.
#include "tensor/int8_tile.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ink {
namespace {

// Four columns, two numbers of each a step.
struct PortableInt8 {
  struct Sum {
    int32_t at[4];
  };
  struct Weights {
    int32_t first[4], second[4];
  };
  struct Pair {
    int16_t first, second;
  };
  static constexpr int width = 4, rows = 4, vectors = 2, group = 2;
  static Sum zero() { return {}; }
  static Weights load(const int8_t* p) {
    Weights w;
    for (int n = 0; n < width; ++n) {
      w.first[n] = p[2 * n];
      w.second[n] = p[2 * n + 1];
    }
    return w;
  }
  static Pair broadcast(const char* p) {
    Pair pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return pair;
  }
  static void multiply_add(Sum& sum, const Pair& a, const Weights& w) {
    for (int n = 0; n < width; ++n) sum.at[n] += a.first * w.first[n] + a.second * w.second[n];
  }
  static void store(int32_t* p, const Sum& sum) { __builtin_memcpy(p, sum.at, sizeof sum.at); }
};

#if defined(__x86_64__)
bool has_avx512vnni() {
  static const bool found = __builtin_cpu_supports("avx512vnni");
  return found;
}
// Bit 4 of EAX in leaf 7.1, for which clang 14 has no name.
bool has_avxvnni() {
  static const bool found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
  }();
  return found;
}
#endif

}  // namespace

const Int8Kernel& portable_int8_kernel() {
  static constexpr Int8Kernel kernel = int8_kernel_of<PortableInt8>("portable");
  return kernel;
}

const Int8Kernel& int8_kernel() {
#if defined(__x86_64__)
  const simd::Level level = simd::level();
  if (level >= simd::Level::avx512 && has_avx512vnni()) return avx512vnni_int8_kernel();
  if (level >= simd::Level::avx2) return has_avxvnni() ? avxvnni_int8_kernel() : avx2_int8_kernel();
#endif
  return portable_int8_kernel();
}

std::vector<const Int8Kernel*> int8_kernels() {
  std::vector<const Int8Kernel*> all = {&portable_int8_kernel()};
#if defined(__x86_64__)
  const simd::Level best = simd::best();
  if (best >= simd::Level::avx2) all.push_back(&avx2_int8_kernel());
  if (best >= simd::Level::avx2 && has_avxvnni()) all.push_back(&avxvnni_int8_kernel());
  if (best >= simd::Level::avx512 && has_avx512vnni()) all.push_back(&avx512vnni_int8_kernel());
#endif
  return all;
}

}  // namespace ink
