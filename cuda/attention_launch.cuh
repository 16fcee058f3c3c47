// What launching the attention kernels has in common.
#pragma once
#include <numbers>

#include "cuda/attention.h"
#include "cuda/attention_plain.cuh"
#include "cuda/launch.h"
#include "tensor/error.h"

namespace ink::cuda {

template <class T>
PackedAttention<T> packed(const AttentionInput<T>& in, int64_t rows) {
  const DropoutRule rule(in.dropout);
  return {.q = in.q,
          .k = in.k,
          .v = in.v,
          .offsets = in.offsets.data(),
          .sequences = static_cast<int32_t>(in.offsets.size()) - 1,
          .rows = static_cast<int32_t>(rows),  // offsets are 32-bit too
          .heads = static_cast<int>(in.heads),
          .head_size = static_cast<int>(in.head_size),
          .scale = static_cast<float>(in.scale),
          .scale_log2 = static_cast<float>(in.scale * std::numbers::log2e),
          .threshold = rule.threshold,
          .kept = static_cast<float>(rule.kept),
          .key = in.random.key_for_device()};
}

// Blocks that each have kTile rows of one sequence and one head.
template <int kTile, class T>
Grid grid_of(const PackedAttention<T>& in, int threads, size_t shared) {
  return {slots_of<kTile>(in.rows, in.sequences), threads, in.heads, shared};
}

// Whether every row of a head starts at 16 bytes.
template <class T>
bool is_aligned(Rows<T> x) {
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.ld % kPack<T> == 0;
}

template <class T, class... X>
bool fits_tensor_cores(const AttentionInput<T>& in, AttentionKernels kernels, X... more) {
  if constexpr (sizeof(T) != 2) return false;
  return kernels == AttentionKernels::fastest && in.head_size % kPack<T> == 0 &&
         in.head_size <= 128 && in.scale > 0 && is_aligned(in.q) && is_aligned(in.k) &&
         is_aligned(in.v) && (is_aligned(more) && ...);
}

// f(std::integral_constant) of the smallest instantiated head size.
template <int... kSizes, class F>
void with_head_size(int64_t size, std::integer_sequence<int, kSizes...>, const F& f) {
  const bool found =
      ((size <= kSizes ? (f(std::integral_constant<int, kSizes>{}), true) : false) || ...);
  check(found, "attention: expected heads of at most 256 channels on cuda, got ", size);
}
using FastHeadSizes = std::integer_sequence<int, 32, 64, 128>;
using PlainHeadSizes = std::integer_sequence<int, 64, 128, 256>;

template <int kHeadSize>
using PlainTilesFor = PlainTiles<kHeadSize, 64 * 64 / kHeadSize>;

}  // namespace ink::cuda
