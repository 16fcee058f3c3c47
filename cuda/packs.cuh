// P neighbouring elements of a row of C as f32: one 128-bit access where the row is `packed`,
// single elements elsewhere and at the row's end.
#pragma once
#include "cuda/kernel.cuh"

namespace ink::cuda {

// Whether rows of C elements that follow one another from here may be read in packs.
template <class T>
bool packs(int64_t C, const void* p) {
  return C % kPack<T> == 0 && reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

// x[first], x[first + 1], … as they are stored, with 0 for what lies behind the row.
template <int P, class T>
INK_DEVICE Pack<T, P> load_row_pack(const T* x, int64_t first, int64_t C, bool packed) {
  if (packed) return load_pack<T, P>(x + first);
  Pack<T, P> pack;
#pragma unroll
  for (int j = 0; j < P; ++j) pack.at[j] = first + j < C ? x[first + j] : T{};
  return pack;
}

// v = x[first], x[first + 1], … with `beyond` for what lies behind the row.
template <class T, int P>
INK_DEVICE void load_floats(float (&v)[P], const T* x, int64_t first, int64_t C, bool packed,
                            float beyond = 0) {
  if (packed) {
    const auto pack = load_pack<T, P>(x + first);
#pragma unroll
    for (int j = 0; j < P; ++j) v[j] = widen(pack.at[j]);
  } else {
#pragma unroll
    for (int j = 0; j < P; ++j) v[j] = first + j < C ? widen(x[first + j]) : beyond;
  }
}

template <class T, int P>
INK_DEVICE void store_floats(T* x, const float (&v)[P], int64_t first, int64_t C, bool packed) {
  if (packed) {
    Pack<T, P> pack;
#pragma unroll
    for (int j = 0; j < P; ++j) pack.at[j] = narrow<T>(v[j]);
    store_pack<T, P>(x + first, pack);
  } else {
#pragma unroll
    for (int j = 0; j < P; ++j) {
      if (first + j < C) x[first + j] = narrow<T>(v[j]);
    }
  }
}

}  // namespace ink::cuda
