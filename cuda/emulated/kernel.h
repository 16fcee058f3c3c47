// CUDA's words for kernels, so that g++ compiles them for the emulated device.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include <vector_types.h>
#include "cuda/emulated/block.h"
#include "cuda/emulated/intrinsics.h"

// NOLINTBEGIN(readability-identifier-naming): CUDA's names

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
// Memory of the host's thread would stand there, the same for all blocks.
#define __shared__ _Pragma("GCC error \"__shared__: write INK_SHARED or INK_DYNAMIC_SHARED\"")

// ── where a thread stands ───────────────────────────────────────────────────────────────────────

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

// ── shared memory ───────────────────────────────────────────────────────────────────────────────

// As in CUDA, each instance of a template has arrays of its own: `name_key` names this one.
#define INK_SHARED(T, name, extents)        \
  using name##_array = T extents;           \
  static const char name##_key = 0;         \
  auto& name = *static_cast<name##_array*>( \
      ::ink::cuda::emulated::shared_array(&name##_key, #name, sizeof(name##_array)))
#define INK_DYNAMIC_SHARED(T, name) \
  T* name = static_cast<T*>(::ink::cuda::emulated::dynamic_shared())

// ── barriers, and a warp's operations ───────────────────────────────────────────────────────────

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  ink::cuda::emulated::barrier({file, line});
}

inline void __syncwarp(unsigned mask = 0xffffffffu, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  using ink::cuda::emulated::Memory;
  ink::cuda::emulated::meet({file, line}, mask, nullptr, nullptr, Memory::ordered);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  return ink::cuda::emulated::shuffle({file, line}, mask, value, source % warpSize);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  return ink::cuda::emulated::shuffle({file, line}, mask, value,
                                      ink::cuda::emulated::lane() ^ bits);
}

// From a lane further up or down; where there is none, the lane's own value.
template <class T>
T __shfl_down_sync(unsigned mask, T value, int step, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  const int lane = ink::cuda::emulated::lane(), source = lane + step;
  return ink::cuda::emulated::shuffle({file, line}, mask, value, source < warpSize ? source : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int step, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
  const int lane = ink::cuda::emulated::lane(), source = lane - step;
  return ink::cuda::emulated::shuffle({file, line}, mask, value, source >= 0 ? source : lane);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return ink::cuda::emulated::ballot({file, line}, mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, file, line) == mask;
}

// ── memory ──────────────────────────────────────────────────────────────────────────────────────

template <class T>
T __ldg(const T* p) {
  return *p;
}

// The value before. Integers only: the order of float additions would change the sum's bits.
template <class T>
T atomicAdd(T* p, T value) {
  static_assert(std::is_integral_v<T>, "no float atomics");
  return __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicMax(T* p, T value) {
  static_assert(std::is_integral_v<T>, "no float atomics");
  T before = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (before < value && !__atomic_compare_exchange_n(p, &before, value, true, __ATOMIC_RELAXED,
                                                        __ATOMIC_RELAXED)) {
  }
  return before;
}
template <class T>
T atomicOr(T* p, T value) {
  return __atomic_fetch_or(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicCAS(T* p, T expected, T value) {
  __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// An address in shared memory as PTX has it. Wrappers of cuda/ptx.cuh take pointers instead.
inline size_t __cvta_generic_to_shared(const void* p) { return reinterpret_cast<size_t>(p); }

// NOLINTEND(readability-identifier-naming)
