// P neighbouring elements of a row as f32: one 128-bit access where the row is `packed`, single
// elements elsewhere and at the row's end.
#pragma once
#include "cuda/kernel.cuh"

namespace ink::cuda {

// Whether rows of C elements that follow one another from p may be read in packs.
template <class T>
bool packs(int64_t C, const void* p) {
  return C % kPack<T> == 0 && reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

// `left` elements stand before the row's end; those beyond are `beyond`.
template <class T, int P>
INK_DEVICE void load_wide(const T* p, int64_t left, bool packed, float (&v)[P], float beyond = 0) {
  if (packed) {
    const auto pack = load_pack<T, P>(p);
#pragma unroll
    for (int j = 0; j < P; ++j) v[j] = widen(pack.at[j]);
  } else {
#pragma unroll
    for (int j = 0; j < P; ++j) v[j] = j < left ? widen(p[j]) : beyond;
  }
}

template <class T, int P>
INK_DEVICE void store_narrow(T* p, int64_t left, bool packed, const float (&v)[P]) {
  if (packed) {
    Pack<T, P> pack;
#pragma unroll
    for (int j = 0; j < P; ++j) pack.at[j] = narrow<T>(v[j]);
    store_pack<T, P>(p, pack);
  } else {
#pragma unroll
    for (int j = 0; j < P; ++j) {
      if (j < left) p[j] = narrow<T>(v[j]);
    }
  }
}

}  // namespace ink::cuda
