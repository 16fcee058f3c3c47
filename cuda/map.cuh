// y[i] = f(x[i]…) over n elements that follow one another.
//
// Each thread has several 128-bit packs in flight, a block's width apart. Elements that fill no
// pack
// come one by one, and so do all of them where a pointer does not lie at a multiple of 16 bytes.
#pragma once
#include <algorithm>
#include <concepts>
#include <type_traits>

#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#include "cuda/packs.cuh"

namespace ink::cuda {

// The name under which a function's kernel is launched.
template <class F>
constexpr const char* name_of_function() {
  if constexpr (requires { F::name; }) {
    return F::name;
  } else {
    return "map";
  }
}

// The function without state that takes the place of F where results have 16 bits.
template <class F>
struct Rough {
  using Function = F;
};

// f on elements of a storage type: computed in f32, rounded once.
template <class F, class T>
struct InF32 {
  static constexpr const char* name = name_of_function<F>();
  F f;
  template <class... X>
  INK_DEVICE T operator()(X... x) const {
    using Function = typename Rough<F>::Function;
    if constexpr (sizeof(T) == 2 && !std::is_same_v<Function, F>) {
      return narrow<T>(Function{}(widen(x)...));
    } else {
      return narrow<T>(f(widen(x)...));
    }
  }
};

// The element itself, whatever its type.
struct Same {
  static constexpr const char* name = "copy";
  template <class T>
  INK_DEVICE T operator()(T x) const {
    return x;
  }
};

// How many elements of each of these types fit into 16 bytes.
template <class... T>
inline constexpr int kCommonPack = std::min({kPack<T>...});

// Whether packs of P elements may be read from p on.
template <int P, class T>
bool is_aligned(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % (P * sizeof(T)) == 0;
}

// U packs of x: number `first`, which there is, and every blockDim.x-th from there, as far as there
// are `packs`.
template <int U, int P, class X>
struct InFlight {
  PackedWords<X, P> at[U];
  INK_DEVICE InFlight(const X* x, int64_t first, int64_t packs) {
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64_t i = first + u * static_cast<int64_t>(blockDim.x);
      at[u] = PackedWords<X, P>(load_pack<X, P>(x + (i < packs ? i : first) * P));
    }
  }
};

template <int U, int P, class F, class T, class... X>
INK_DEVICE void map_packs(const F& f, T* y, int64_t first, int64_t packs,
                          const InFlight<U, P, X>&... x) {
#pragma unroll
  for (int u = 0; u < U; ++u) {
    const int64_t i = first + u * static_cast<int64_t>(blockDim.x);
    if (i >= packs) continue;
    Pack<T, P> result;
#pragma unroll
    for (int j = 0; j < P; ++j) result.at[j] = f(x.at[u].stored(j)...);
    store_pack(y + i * P, result);
  }
}

template <int U, class F, class T, class... X>
__global__ void __launch_bounds__(256)
    map_kernel(F f, int64_t packs, int64_t n, T* y, const X*... x) {
  constexpr int P = kCommonPack<T, X...>;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x * U + threadIdx.x;
  if (first < packs) map_packs<U, P>(f, y, first, packs, InFlight<U, P, X>(x, first, packs)...);
  for (int64_t i = packs * P + global_thread(); i < n; i += all_threads()) y[i] = f(x[i]...);
}

// f has a name, and takes and returns elements as they are stored: InF32, Same. y may be one of x.
template <class F, class T, class... X>
void map_elements(const F& f, int64_t n, T* y, const X*... x) {
  constexpr int P = kCommonPack<T, X...>, U = sizeof...(X) == 1 ? 4 : 2;
  const bool packed = is_aligned<P>(y) && (is_aligned<P>(x) && ...);
  const int64_t packs = packed ? n / P : 0, work = std::max(packs, n - packs * P);
  const int threads = work < 256 * 1024 ? 64 : 256;  // small blocks keep more processors busy
  launch(F::name, map_kernel<U, F, T, X...>, {(work + threads * U - 1) / (threads * U), threads}, f,
         packs, n, y, x...);
}

}  // namespace ink::cuda
