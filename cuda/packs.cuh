// P neighbouring elements of a row of C as f32: one 128-bit access where the row is `packed`,
// single elements elsewhere and at the row's end.
#pragma once
#include <algorithm>
#include <bit>
#include <type_traits>

#include "cuda/ptx.cuh"

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

// A pack in as few registers as hold it: 16-bit elements that come from different branches would
// get one each.
template <class T, int P = kPack<T>>
class PackedWords {
 public:
  PackedWords() = default;
  INK_DEVICE explicit PackedWords(const Pack<T, P>& pack) : words_(std::bit_cast<Words>(pack)) {}
  INK_DEVICE T stored(int j) const { return std::bit_cast<Pack<T, P>>(words_).at[j]; }
  INK_DEVICE float operator[](int j) const {
    if constexpr (std::is_same_v<T, Bfloat16> && P % 2 == 0) {  // one instruction for each half
      const uint32_t pair = words_.at[j / 2];
      return std::bit_cast<float>(j % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
    } else {
      return widen(stored(j));
    }
  }

 private:
  static constexpr int kWords = P * static_cast<int>(sizeof(T)) / 4;
  using Words = std::conditional_t<kWords == 0, Pack<T, P>, Pack<uint32_t, std::max(kWords, 1)>>;
  Words words_ = {};
};

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

// Each rounded to T, two at a time where T has 16 bits.
template <class T, int P>
INK_DEVICE Pack<T, P> narrow_pack(const float (&v)[P]) {
  if constexpr (sizeof(T) == 2 && P % 2 == 0) {
    Pack<uint32_t, P / 2> pairs;
#pragma unroll
    for (int j = 0; j < P; j += 2) pairs.at[j / 2] = narrow_pair<T>(v[j], v[j + 1]);
    return std::bit_cast<Pack<T, P>>(pairs);
  } else {
    Pack<T, P> pack;
#pragma unroll
    for (int j = 0; j < P; ++j) pack.at[j] = narrow<T>(v[j]);
    return pack;
  }
}

template <class T, int P>
INK_DEVICE void store_floats(T* x, const float (&v)[P], int64_t first, int64_t C, bool packed) {
  if (packed) {
    store_pack<T, P>(x + first, narrow_pack<T>(v));
  } else {
#pragma unroll
    for (int j = 0; j < P; ++j) {
      if (first + j < C) x[first + j] = narrow<T>(v[j]);
    }
  }
}

}  // namespace ink::cuda
