// Many arrays of any sizes in one launch: each block takes one piece of one array.
//
// A table in device memory has an entry for each array, in order of their first piece; a block
// finds its entry by bisection. Elements travel in fours, f32 or 16 bits wide as the entry says.
#pragma once
#include "cuda/kernel.cuh"
#include "cuda/launch.h"

namespace ink::cuda {

inline constexpr int64_t kPiece = 16384;  // elements of a piece
inline constexpr int kPieceThreads = 256;

constexpr int64_t pieces_of(int64_t elements) { return (elements + kPiece - 1) / kPiece; }

// Which entry this piece belongs to. Entries without elements have no piece and are passed over.
template <class Entry>
INK_DEVICE int entry_of(const Entry* entries, int count, int64_t piece) {
  int low = 0, high = count - 1;  // the last entry that begins at or before the piece
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (entries[middle].first_piece <= piece) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// f(i, n) for fours of elements i, …, i + n − 1 of the piece, dealt out over the block.
template <class Entry, class F>
INK_DEVICE void each_four(const Entry& entry, int64_t piece, F f) {
  const int64_t first = (piece - entry.first_piece) * kPiece;
  const int64_t end = first + kPiece < entry.size ? first + kPiece : entry.size;
  const int64_t step = 4 * static_cast<int64_t>(blockDim.x);
  for (int64_t i = first + 4 * static_cast<int64_t>(threadIdx.x); i < end; i += step)
    f(i, static_cast<int>(end - i < 4 ? end - i : 4));
}

// The same U fours at a time where whole fours may be accessed: whole(i, step) is of the elements
// i, i + step, …, U times four of them, and rest(i, n) of what is left. whole() should read all it
// needs before it writes, so that its reads are under way together.
template <int U, class Entry, class Whole, class Rest>
INK_DEVICE void each_fours(const Entry& entry, int64_t piece, Whole whole, Rest rest) {
  const int64_t first = (piece - entry.first_piece) * kPiece;
  const int64_t end = first + kPiece < entry.size ? first + kPiece : entry.size;
  const int64_t step = 4 * static_cast<int64_t>(blockDim.x);
  int64_t i = first + 4 * static_cast<int64_t>(threadIdx.x);
  if (entry.packed) {
    for (; i + (U - 1) * step + 4 <= end; i += U * step) whole(i, step);
  }
  for (; i < end; i += step) rest(i, static_cast<int>(end - i < 4 ? end - i : 4));
}

struct Four {
  float at[4];
};

// U fours of an array of T from i on, `step` apart.
template <int U, class T>
struct Fours {
  Pack<T, 4> at[U];
  INK_DEVICE Fours(const T* x, int64_t i, int64_t step) {
#pragma unroll
    for (int u = 0; u < U; ++u) at[u] = load_pack<T, 4>(x + i + u * step);
  }
  INK_DEVICE void store(T* x, int64_t i, int64_t step) const {
#pragma unroll
    for (int u = 0; u < U; ++u) store_pack(x + i + u * step, at[u]);
  }
};

// Calls f(T{}) for the element type of an array; the same for all threads of a block.
template <class F>
INK_DEVICE void with_storage(Dtype type, F f) {
  switch (type) {
    case Dtype::f16: return f(Float16{});
    case Dtype::bf16: return f(Bfloat16{});
    default: return f(float{});
  }
}

template <class T>
INK_DEVICE Four load_four_of(const T* x, int n, bool packed) {
  Four four = {};
  if (packed && n == 4) {
    const auto pack = load_pack<T, 4>(x);
#pragma unroll
    for (int j = 0; j < 4; ++j) four.at[j] = widen(pack.at[j]);
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j) four.at[j] = j < n ? widen(x[j]) : 0.0f;
  }
  return four;
}

template <class T>
INK_DEVICE void store_four_of(T* x, const Four& four, int n, bool packed) {
  if (packed && n == 4) {
    Pack<T, 4> pack;
#pragma unroll
    for (int j = 0; j < 4; ++j) pack.at[j] = narrow<T>(four.at[j]);
    store_pack(x, pack);
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (j < n) x[j] = narrow<T>(four.at[j]);
    }
  }
}

// Elements i, …, i + n − 1 of an array of this type; those beyond n are 0. `packed`: the array
// begins at a multiple of four elements.
INK_DEVICE Four load_four(const void* x, Dtype type, int64_t i, int n, bool packed) {
  switch (type) {
    case Dtype::f16: return load_four_of(static_cast<const Float16*>(x) + i, n, packed);
    case Dtype::bf16: return load_four_of(static_cast<const Bfloat16*>(x) + i, n, packed);
    default: return load_four_of(static_cast<const float*>(x) + i, n, packed);
  }
}
INK_DEVICE void store_four(void* x, Dtype type, int64_t i, const Four& four, int n, bool packed) {
  switch (type) {
    case Dtype::f16: return store_four_of(static_cast<Float16*>(x) + i, four, n, packed);
    case Dtype::bf16: return store_four_of(static_cast<Bfloat16*>(x) + i, four, n, packed);
    default: return store_four_of(static_cast<float*>(x) + i, four, n, packed);
  }
}

// Whether an array begins where fours of this type may be accessed whole.
inline bool in_fours(const void* x, Dtype type) {
  return reinterpret_cast<uintptr_t>(x) % (4 * size_of(type)) == 0;
}

}  // namespace ink::cuda
