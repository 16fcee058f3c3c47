// Self-attention inside every sequence of a packed batch, forward and backward, on plain pointers.
//
//   P = softmax(q kᵀ·scale),  out = drop(P) v,  for each head of each sequence
//
// (Vaswani et al. 2017, eq. 1)
//
// Nothing of size T × T is ever stored: forward walks over blocks of keys with a running maximum
// and sum (Milakov & Gimelshein 2018; Dao et al. 2022) and keeps one number per (token, head), log
// Σ exp of the scores; backward computes the probabilities anew from it. Blocks have fixed sizes
// and one thread does one head of one sequence (backward) or some of its queries (forward), so a
// sequence gets the same bits whatever stands beside it and however many threads run.
#pragma once
#include <cstdint>
#include <span>

#include "tensor/device.h"
#include "tensor/dropout_rule.h"
#include "tensor/philox.h"

namespace ink {

// A matrix (N, H·D) whose rows are `ld` elements apart; head h is the columns [h·D, (h + 1)·D).
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t ld = 0;
};

template <class T>
struct AttentionInput {
  Rows<const T> q, k, v;
  std::span<const int32_t> offsets;  // (B + 1): sequence b is the rows [offsets[b], offsets[b + 1])
  int64_t heads = 1, head_size = 0;
  double scale = 1;
  // Probability that an element of P is dropped; the others are divided by 1 − dropout. For query
  // row i of the batch, head h and key j of the sequence half word j from first_dropout_block() on
  // decides (tensor/dropout_rule.h).
  double dropout = 0;
  Random random{0};
};

// The block of the stream with which the dropout of a row of P begins: eight keys to a block.
INK_BOTH constexpr uint64_t first_dropout_block(int64_t query_row, int64_t heads, int64_t head) {
  return static_cast<uint64_t>(query_row * heads + head) << 24;
}

// out and log_sum (N, H), row-major; log_sum may be null when no backward follows. Rows of no
// sequence are not written.
template <class T>
void attention_forward(const AttentionInput<T>& in, Rows<T> out, T* log_sum);

// dq, dk, dv from dout, given what forward wrote; those with null data are not computed. Rows of no
// sequence are not written.
template <class T>
void attention_backward(const AttentionInput<T>& in, Rows<const T> out, const T* log_sum,
                        Rows<const T> dout, Rows<T> dq, Rows<T> dk, Rows<T> dv);

}  // namespace ink
