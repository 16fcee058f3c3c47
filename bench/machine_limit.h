// What this machine can do at most: multiply-adds a second and bytes read a second, by measurement.
//
// Benches print their results as shares of these limits. Best of several runs: other programs only
// ever take time away.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ink::bench {

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The shortest of `runs` timings of f.
template <class F>
double best_seconds(int runs, const F& f) {
  double best = 1e30;
  for (int i = 0; i < runs; ++i) {
    const double start = seconds();
    f();
    best = std::min(best, seconds() - start);
  }
  return best;
}

namespace detail {

// `steps` multiply-adds on each of 12 vectors: enough to hide their latency. Chains start and end
// apart, else the compiler would run one of them for all. Returns operations done.
#if defined(__x86_64__)
#define INK_BURN(name, Vector, set1, fmadd, width)                                        \
  inline double name(int64_t steps, float* out) {                                         \
    Vector sum[12];                                                                       \
    const Vector a = set1(0.9999f), b = set1(1e-9f);                                      \
    _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) sum[i] = set1(out[i]);          \
    for (int64_t step = 0; step < steps; ++step) {                                        \
      _Pragma("GCC unroll 12") for (auto& s : sum) s = fmadd(s, a, b);                    \
    }                                                                                     \
    _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) out[i] = sum[i][0] + sum[i][1]; \
    return static_cast<double>(steps) * 12 * width * 2;                                   \
  }

INK_BEGIN_TARGET(INK_TARGET_AVX2)
INK_BURN(burn_avx2, __m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
INK_END_TARGET
INK_BEGIN_TARGET(INK_TARGET_AVX512)
INK_BURN(burn_avx512, __m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)
INK_END_TARGET
#undef INK_BURN
#endif

inline double burn_portable(int64_t steps, float* out) {
  using Vector = float __attribute__((vector_size(16)));
  Vector sum[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) sum[i] = Vector{} + out[i];
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (auto& s : sum) s = s * 0.9999f + 1e-9f;
  }
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) out[i] = sum[i][0] + sum[i][1];
  return static_cast<double>(steps) * 12 * 4 * 2;
}

inline double burn(int64_t steps, float* out) {
#if defined(__x86_64__)
  if (simd::level() == simd::Level::avx512) return burn_avx512(steps, out);
  if (simd::level() == simd::Level::avx2) return burn_avx2(steps, out);
#endif
  return burn_portable(steps, out);
}

// Reads `floats` floats, a multiple of 8 vectors, `repeats` times; eight sums hide the latency of
// the additions.
template <class Vector>
void read_all(const float* x, int64_t floats, int64_t repeats, float* out) {
  using Anywhere [[gnu::aligned(4), gnu::may_alias]] = Vector;
  constexpr int64_t W = sizeof(Vector) / sizeof(float);
  Vector sum[8] = {};
  for (int64_t r = 0; r < repeats; ++r) {
    for (int64_t i = 0; i < floats; i += 8 * W) {
#pragma GCC unroll 8
      for (int64_t v = 0; v < 8; ++v) sum[v] += *reinterpret_cast<const Anywhere*>(x + i + v * W);
    }
  }
#pragma GCC unroll 8
  for (int64_t v = 1; v < 8; ++v) sum[0] += sum[v];
  out[0] += sum[0][0];
}

inline void read(const float* x, int64_t floats, int64_t repeats, float* out) {
#if defined(__x86_64__)
  if (simd::level() == simd::Level::avx512)
    return simd::run_avx512([=] { read_all<__m512>(x, floats, repeats, out); });
  if (simd::level() == simd::Level::avx2)
    return simd::run_avx2([=] { read_all<__m256>(x, floats, repeats, out); });
#endif
  using Four = float __attribute__((vector_size(16)));
  read_all<Four>(x, floats, repeats, out);
}

}  // namespace detail

// f32 GFLOP/s of all threads() together, at the instruction set in force.
inline double fma_limit() {
  constexpr int64_t kSteps = 2'000'000;
  std::vector<float> sink(static_cast<size_t>(threads()) * 16, 1.0f);
  double operations = 0;
  const double time = best_seconds(5, [&] {
    std::vector<double> done(static_cast<size_t>(threads()));
    parallel_for(threads(), 1, [&](int64_t begin, int64_t) {
      done[static_cast<size_t>(begin)] =
          detail::burn(kSteps, &sink[static_cast<size_t>(begin) * 16]);
    });
    operations = std::accumulate(done.begin(), done.end(), 0.0);
  });
  return operations / time / 1e9;
}

// GB/s that all threads() together read from `bytes` of memory, each its own part, again and again.
inline double read_limit(int64_t bytes) {
  constexpr int64_t kStep = 128;  // floats: 8 of the widest vectors
  const int64_t parts = threads(), part = bytes / 4 / parts / kStep * kStep;
  const std::vector<float> memory(static_cast<size_t>(part * parts), 1.0f);
  const int64_t repeats = std::max<int64_t>(1, (int64_t{256} << 20) / bytes);
  std::vector<float> sink(static_cast<size_t>(parts) * 16);
  const double time = best_seconds(5, [&] {
    parallel_for(parts, 1, [&](int64_t begin, int64_t) {
      detail::read(memory.data() + begin * part, part, repeats,
                   &sink[static_cast<size_t>(begin) * 16]);
    });
  });
  return static_cast<double>(part * parts * 4 * repeats) / time / 1e9;
}

}  // namespace ink::bench
