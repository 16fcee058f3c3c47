// Instructions that CUDA C++ has no name for: tensor cores, and copies that do not wait.
//
// The only place of PTX. Every function has a twin for the emulated device in
// cuda/emulated/ptx.h.
#pragma once
#include <cstdint>

#include "cuda/kernel.cuh"

namespace ink::cuda {
// eˣ = 2^(x·log₂e), and log x = log₂x·log 2: exp2_approx() is the power that the device has.
inline constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;
}  // namespace ink::cuda

#if INK_EMULATED
#include "cuda/emulated/ptx.h"
#else

namespace ink::cuda {

INK_DEVICE uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// d += a·b by one warp: a (16, 16) row-major, b (16, 8) column-major, T = Bfloat16 or Float16.
// With r = lane / 4 and c = 2·(lane % 4), a lane holds
//   d: rows r and r + 8, columns c and c + 1         (d[2·half + e] is row r + 8·half, column c +
// e)   a: a[half] likewise at columns c, c + 1; a[2 + half] at columns c + 8, c + 9
//   b: b[0] at rows c, c + 1, b[1] at rows c + 8, c + 9, both of column r
template <class T>
INK_DEVICE void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
template <>
INK_DEVICE void mma_16x8x16<Bfloat16>(float (&d)[4], const uint32_t (&a)[4],
                                      const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <>
INK_DEVICE void mma_16x8x16<Float16>(float (&d)[4], const uint32_t (&a)[4],
                                     const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8×8 16-bit elements from shared memory: lane l gives the address of row l % 8 of
// matrix l / 8 (16 bytes, aligned) and receives in r[m] row l / 4, columns 2·(l % 4) and + 1, of
// matrix m; `trans`: of its transpose.
INK_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared_row)));
}
INK_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared_row)));
}

// Starts copying 16 bytes from global to shared memory, both aligned; not `take`: writes zeros and
// reads nothing. The bytes are there after the wait that covers the copy's group, and for other
// threads after a barrier behind it.
INK_DEVICE void cp_async_16(void* shared, const void* global, bool take) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(global), "r"(take ? 16 : 0)
               : "memory");
}
// Ends a group of copies.
INK_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until all of this thread's groups but the last N have arrived.
template <int N>
INK_DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// 2ˣ to about 2 ulp; a result below 2⁻¹²⁶ is 0.
INK_DEVICE float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Two numbers rounded to T, the first in the lower half.
template <class T>
INK_DEVICE uint32_t narrow_pair(float low, float high);
template <>
INK_DEVICE uint32_t narrow_pair<Bfloat16>(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
template <>
INK_DEVICE uint32_t narrow_pair<Float16>(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

}  // namespace ink::cuda
#endif
