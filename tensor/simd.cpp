// The instruction set in force: what the processor has, unless INK_SIMD or set_level ask for less.
#include "tensor/simd.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "tensor/error.h"

namespace ink::simd {

Level best() {
#if defined(__x86_64__)
  static const Level found = [] {
    // F16C is older than AVX2, so every processor with AVX2 has it.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq");
    return avx512 ? Level::avx512 : avx2 ? Level::avx2 : Level::portable;
  }();
  return found;
#else
  return Level::portable;
#endif
}

namespace {

Level checked(Level l) {
  check(l <= best(), "simd: expected a level of this processor, which goes up to ", name_of(best()),
        ", got ", name_of(l));
  return l;
}

Level initial() {
  const char* asked = std::getenv("INK_SIMD");
  if (!asked || !*asked) return best();
  for (Level l : {Level::portable, Level::avx2, Level::avx512}) {
    if (std::string(asked) == name_of(l)) return checked(l);
  }
  fail("INK_SIMD: expected portable, avx2 or avx512, got '", asked, "'");
}

std::atomic<Level>& current() {
  static std::atomic<Level> level{initial()};
  return level;
}

}  // namespace

Level level() { return current().load(std::memory_order_relaxed); }

void set_level(Level l) { current().store(checked(l), std::memory_order_relaxed); }

const char* name_of(Level l) {
  switch (l) {
    case Level::portable: return "portable";
    case Level::avx2: return "avx2";
    case Level::avx512: return "avx512";
  }
  fail("simd: unknown level ", static_cast<int>(l));
}

}  // namespace ink::simd
