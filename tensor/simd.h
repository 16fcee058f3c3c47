// One kernel source, every instruction set: simd::run(f) compiles the body of f once for each level
// and calls the version for this processor.
//
// How: `flatten` inlines everything f calls into a function built for the target, so plain loops
// become AVX2 or AVX-512 code while the rest of the program stays portable. Products and sums are
// never contracted to fused multiply-adds (-ffp-contract=off), so elementwise results are the same
// bits at every level.
//
// How to write a kernel: one simd::run around all rows of a chunk, inside parallel_for, not one a
// row (a call costs a few nanoseconds and cannot be inlined). Inside it, plain `for` loops over
// pointers to T with `#pragma omp simd` on the innermost; helpers may be called when they are
// templates or inline, loops in them are vectorised too. Functions of numbers come from
// vector_math.h, sums over a row from sums.h (a plain `+=` over floats is not vectorised: its order
// is its meaning). Select with `c ? a : b` between values already computed. Copy what loops read
// (sizes, factors, pointers) to locals: through `this` or a reference the compiler must fear that
// stores change them. Nothing inside may throw.
#pragma once
#include <cstdint>

namespace ink::simd {

enum class Level : uint8_t { portable, avx2, avx512 };

Level best();   // the highest level of this processor
Level level();  // the level in force: best(), or what INK_SIMD=portable|avx2|avx512 asks for
void set_level(Level l);  // for tests and benches; raises Error when the processor lacks it
const char* name_of(Level l);

#if defined(__x86_64__)
#define INK_TARGET_AVX2 "avx2,fma,f16c"
#define INK_FEATURES_AVX512 "avx512f,avx512vl,avx512bw,avx512dq," INK_TARGET_AVX2
#define INK_PRAGMA(text) _Pragma(#text)

// INK_BEGIN_TARGET(t): everything from here to INK_END_TARGET, templates included, is compiled for
// that level: for code in intrinsics.
#if defined(__clang__)
#define INK_TARGET_AVX512 INK_FEATURES_AVX512
#define INK_BEGIN_TARGET(t) \
  INK_PRAGMA(clang attribute push(__attribute__((target(t))), apply_to = function))
#define INK_END_TARGET INK_PRAGMA(clang attribute pop)
#else
#define INK_TARGET_AVX512 INK_FEATURES_AVX512 ",prefer-vector-width=512"
#define INK_BEGIN_TARGET(t) INK_PRAGMA(GCC push_options) INK_PRAGMA(GCC target(t))
#define INK_END_TARGET INK_PRAGMA(GCC pop_options)
#endif

template <class F>
[[gnu::flatten, gnu::noinline, gnu::target(INK_TARGET_AVX2)]] void run_avx2(const F& f) {
  f();
}
template <class F>
[[gnu::flatten, gnu::noinline, gnu::target(INK_TARGET_AVX512)]] void run_avx512(const F& f) {
  f();
}
#endif

// Builds with the emulated CUDA device, which are for tests, have the portable version alone.
template <class F>
void run(const F& f) {
#if defined(__x86_64__) && !INK_EMULATED
  switch (level()) {
    case Level::avx512: return run_avx512(f);
    case Level::avx2: return run_avx2(f);
    case Level::portable: break;
  }
#endif
  f();
}

}  // namespace ink::simd
