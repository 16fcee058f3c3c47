// Micro-kernels for any processor: 6×8 in vectors of four floats, and the choice
// between all kernels.
#include "tensor/error.h"
#include "tensor/gemm_tile.h"

namespace ink {
namespace {

struct Portable {
  using Vector = float __attribute__((vector_size(16)));
  using Unaligned = float __attribute__((vector_size(16), aligned(4), may_alias));
  static constexpr int width = 4, rows = 6, vectors = 2;
  static Vector zero() { return Vector{}; }
  static Vector load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static Vector load_first(int64_t n, const float* p) {
    Vector x{};
    for (int64_t i = 0; i < n; ++i) x[i] = p[i];
    return x;
  }
  static void store(float* p, const Vector& x) { *reinterpret_cast<Unaligned*>(p) = x; }
  static Vector broadcast(const float* p) { return Vector{*p, *p, *p, *p}; }
  static void multiply_add(Vector& sum, const Vector& a, const Vector& b) { sum += a * b; }
};

}  // namespace

const GemmKernel& portable_kernel() {
  static constexpr GemmKernel kernel = kernel_of<Portable>();
  return kernel;
}

const GemmKernel& gemm_kernel() {
#if defined(__x86_64__)
  switch (simd::level()) {
    case simd::Level::avx512: return avx512_kernel();
    case simd::Level::avx2: return avx2_kernel();
    case simd::Level::portable: break;
  }
#endif
  return portable_kernel();
}

const GemmKernel& gemm_kernel_of(int panel_width) {
#if defined(__x86_64__)
  if (panel_width == avx512_kernel().panel_width) return avx512_kernel();
  if (panel_width == avx2_kernel().panel_width) return avx2_kernel();
#endif
  check(panel_width == portable_kernel().panel_width, "gemm: no kernel has panels of ", panel_width,
        " columns");
  return portable_kernel();
}

}  // namespace ink
