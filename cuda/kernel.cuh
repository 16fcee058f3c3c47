// What kernels are written with, for the real device (nvcc) and the emulated one (g++) alike.
//
// Rules that keep a kernel correct on both: shared memory only through INK_SHARED (at most 48 KiB)
// and INK_DYNAMIC_SHARED; only *_sync intrinsics, with full masks; no return before a barrier or a
// warp's operation that other threads come to; any block size that is a multiple of 32, up to the
// kernel's __launch_bounds__, which the emulated device does not know; offsets in 64 bits; no float
// atomics; arithmetic in f32 (never a double literal); PTX only in cuda/ptx.cuh.
#pragma once
#include <bit>
#include <cstdint>

#include "tensor/dtype.h"

#if INK_EMULATED
#include "cuda/emulated/kernel.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define INK_SHARED(T, name, extents) __shared__ T name extents
#define INK_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char ink_dynamic_shared[]; \
  T* name = reinterpret_cast<T*>(ink_dynamic_shared)
#endif

#define INK_DEVICE __device__ __forceinline__

namespace ink::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;
inline constexpr int kWarp = 32;

// ── elements ────────────────────────────────────────────────────────────────────────────────────

INK_DEVICE float widen(float x) { return x; }
INK_DEVICE int32_t widen(int32_t x) { return x; }
#if INK_EMULATED
INK_DEVICE float widen(Float16 x) { return to_float(x); }
INK_DEVICE float widen(Bfloat16 x) { return to_float(x); }
#else
INK_DEVICE float widen(Float16 x) { return __half2float(__ushort_as_half(x.bits)); }
INK_DEVICE float widen(Bfloat16 x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }
#endif

// narrow<T>(x): an f32 rounded to the storage type.
template <class T>
INK_DEVICE T narrow(float x);
template <>
INK_DEVICE float narrow<float>(float x) {
  return x;
}
#if INK_EMULATED
template <>
INK_DEVICE Float16 narrow<Float16>(float x) {
  return to_float16(x);
}
template <>
INK_DEVICE Bfloat16 narrow<Bfloat16>(float x) {
  return to_bfloat16(x);
}
#else
template <>
INK_DEVICE Float16 narrow<Float16>(float x) {
  return {__half_as_ushort(__float2half_rn(x))};
}
template <>
INK_DEVICE Bfloat16 narrow<Bfloat16>(float x) {
  return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}
#endif

// N neighbouring elements that travel together; 16 bytes of them are one 128-bit access. The
// address must be aligned to its size.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};
// Elements of T in 16 bytes.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

// The compiler takes packs apart where branches meet, unless they travel as one vector.
template <class T, int N>
INK_DEVICE Pack<T, N> load_pack(const T* p) {
#if INK_EMULATED
  emulated::expect_pack_at(p, sizeof(Pack<T, N>));
#else
  if constexpr (sizeof(Pack<T, N>) == 16)
    return std::bit_cast<Pack<T, N> >(*reinterpret_cast<const uint4*>(p));
#endif
  return *reinterpret_cast<const Pack<T, N>*>(p);
}
template <class T, int N>
INK_DEVICE void store_pack(T* p, const Pack<T, N>& pack) {
#if INK_EMULATED
  emulated::expect_pack_at(p, sizeof(Pack<T, N>));
#else
  if constexpr (sizeof(Pack<T, N>) == 16) {
    *reinterpret_cast<uint4*>(p) = std::bit_cast<uint4>(pack);
    return;
  }
#endif
  *reinterpret_cast<Pack<T, N>*>(p) = pack;
}

// ── sums of a warp and of a block ───────────────────────────────────────────────────────────────

struct Plus {
  INK_DEVICE float operator()(float a, float b) const { return a + b; }
  static constexpr float kStart = 0;
};
struct Larger {  // NaN wins, as on the CPU's way of comparing
  INK_DEVICE float operator()(float a, float b) const { return a < b || b != b ? b : a; }
  static constexpr float kStart = -__builtin_huge_valf();
};

// The same value, bit for bit, in every lane.
template <class F>
INK_DEVICE float warp_reduce(float x, F f) {
  for (int step = kWarp / 2; step > 0; step /= 2) x = f(x, __shfl_xor_sync(kAllLanes, x, step));
  return x;
}
INK_DEVICE float warp_sum(float x) { return warp_reduce(x, Plus{}); }
INK_DEVICE float warp_max(float x) { return warp_reduce(x, Larger{}); }

// The same value in every thread. `part` is shared memory for 32 floats; a barrier stands at
// either end, so it may be used again at once.
template <class F>
INK_DEVICE float block_reduce(float x, float* part, F f) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  x = warp_reduce(x, f);
  if (lane == 0) part[warp] = x;
  __syncthreads();
  x = warp_reduce(lane < warps ? part[lane] : F::kStart, f);
  __syncthreads();
  return x;
}
INK_DEVICE float block_sum(float x, float* part) { return block_reduce(x, part, Plus{}); }
// Both sums at once; `part` is shared memory for 64 floats.
INK_DEVICE void block_sums(float& a, float& b, float* part) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  a = warp_sum(a), b = warp_sum(b);
  if (lane == 0) part[warp] = a, part[kWarp + warp] = b;
  __syncthreads();
  a = warp_sum(lane < warps ? part[lane] : 0.0f);
  b = warp_sum(lane < warps ? part[kWarp + lane] : 0.0f);
  __syncthreads();
}
INK_DEVICE float block_max(float x, float* part) { return block_reduce(x, part, Larger{}); }

// ── where a thread stands ───────────────────────────────────────────────────────────────────────

INK_DEVICE int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
INK_DEVICE int64_t all_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace ink::cuda
