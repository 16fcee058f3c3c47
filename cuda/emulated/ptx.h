// The twins of cuda/ptx.cuh on the emulated device: tensor cores, and copies that do not wait.
#pragma once
#include "cuda/emulated/async_copies.h"
#include "cuda/kernel.cuh"

namespace ink::cuda {
namespace emulated {

// d += a·b, whose registers all lanes of a warp hold together.
void multiply_tile(Site site, Dtype type, float* d, const uint32_t* a, const uint32_t* b);

// Eight 16-bit elements.
struct TileRow {
  uint16_t at[8];
};
// Each lane brings a row of one of four 8×8 matrices.
void share_tiles(Site site, uint32_t* r, const TileRow& row, bool transposed);

void start_copy(AsyncCopy copy);
void end_copy_group();
bool take_arrived_copy(int groups_left, AsyncCopy& copy);

inline bool on_16_bytes(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

inline void load_tiles(Site site, uint32_t* r, const void* row, bool transposed) {
  if (!on_16_bytes(row)) give_up(site, "ldmatrix from an address that is not a multiple of 16");
  const TileRow own = *static_cast<const TileRow*>(row);  // here, where sanitizers see it
  share_tiles(site, r, own, transposed);
}

}  // namespace emulated

template <class T>
void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                 const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulated::multiply_tile({file, line}, dtype_of<T>, d, a, b);
}

inline void ldmatrix_x4(uint32_t (&r)[4], const void* shared_row,
                        const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulated::load_tiles({file, line}, r, shared_row, false);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* shared_row,
                              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulated::load_tiles({file, line}, r, shared_row, true);
}

// Until the wait, NaN stands where the bytes will be.
inline void cp_async_16(void* shared, const void* global, bool take,
                        const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!emulated::on_16_bytes(shared) || (take && !emulated::on_16_bytes(global)))
    emulated::give_up({file, line}, "cp.async with an address that is not a multiple of 16");
  *static_cast<uint4*>(shared) = {~0u, ~0u, ~0u, ~0u};
  emulated::start_copy({shared, global, take});
}
inline void cp_async_commit() { emulated::end_copy_group(); }
template <int N>
void cp_async_wait() {
  emulated::AsyncCopy copy = {};
  while (emulated::take_arrived_copy(N, copy))
    *static_cast<uint4*>(copy.shared) =
        copy.take ? *static_cast<const uint4*>(copy.global) : uint4{};
}

inline float exp2_approx(float x) {
  const float y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;
}

template <class T>
uint32_t narrow_pair(float low, float high) {
  return narrow<T>(low).bits | static_cast<uint32_t>(narrow<T>(high).bits) << 16;
}

}  // namespace ink::cuda
