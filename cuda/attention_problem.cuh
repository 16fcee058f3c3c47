// What every attention kernel is given, which rows a block of it works on, and its stream of
// dropout.
#pragma once
#include "cuda/dropped.cuh"
#include "cuda/kernel.cuh"
#include "tensor/attention_kernel.h"

namespace ink::cuda {

// AttentionInput as kernels see it: offsets lie on the device.
template <class T>
struct PackedAttention {
  Rows<const T> q, k, v;
  const int32_t* offsets;
  int32_t sequences;
  int32_t rows;
  int heads, head_size;
  float scale, scale_log2;  // scale_log2 = scale·log2 e
  uint32_t threshold;       // of dropout (tensor/dropout_rule.h); 0: there is none
  float kept;               // factor of the others, 1 / (1 − dropout)
  StreamKey key;
};

// Some rows of one sequence.
struct Part {
  int begin;  // first row of the sequence
  int sequence, length;
  int first, rows;  // within the sequence; rows ≤ 0: nothing to do
};

// The sequences cut into tiles of kTile rows need no more than rows / kTile + sequences slots:
// slots
// [offsets[b] / kTile + b, offsets[b + 1] / kTile + b + 1) belong to sequence b, the last of them
// perhaps to nothing.
template <int kTile>
int64_t slots_of(int64_t rows, int64_t sequences) {
  return rows / kTile + sequences;
}

// Called by whole warps, which look at 32 sequences at a time. Whatever the offsets are, the part
// lies inside the matrices.
template <int kTile, class T>
INK_DEVICE Part part_of_slot(const PackedAttention<T>& in, int slot) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  int low = 0, count = in.sequences;  // the slot's sequence is in [low, low + count)
  while (count > 1) {
    const int step = (count + kWarp - 1) / kWarp, candidate = low + lane * step;
    const bool starts_before =
        candidate < low + count && in.offsets[candidate] / kTile + candidate <= slot;
    const int last = __popc(__ballot_sync(kAllLanes, starts_before)) - 1;
    const int skipped = last > 0 ? last * step : 0;
    low += skipped;
    count = min(step, count - skipped);
  }
  const int begin = min(max(in.offsets[low], 0), in.rows);
  const int length = max(min(in.offsets[low + 1], in.rows) - begin, 0);
  const int first = (slot - low - begin / kTile) * kTile;
  return {begin, low, length, first, first < 0 ? 0 : min(kTile, length - first)};
}

template <class T>
INK_DEVICE T* at(Rows<T> x, int64_t row, int64_t column) {
  return x.data + row * x.ld + column;
}

// Which of eight neighbouring keys of a query (row of the batch) are dropped: keys 8·block, ….
// `key` is the stream's, which a kernel gets once.
template <class T>
INK_DEVICE uint32_t dropped_of_eight(const PackedAttention<T>& in, PhiloxKey key, int64_t query,
                                     int head, int block) {
  const uint64_t first = first_dropout_block(query, in.heads, head);
  return dropped_of_block(key, first | static_cast<uint32_t>(block), in.threshold);
}

}  // namespace ink::cuda
