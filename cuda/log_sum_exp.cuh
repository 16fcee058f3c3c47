// log Σ exp x = peak + log total of a row in one pass (Milakov and Gimelshein 2018), the loss
// −log softmax(x)[label] and its gradient.
//
// NaN in a row makes its total NaN, and so everything that follows from it.
#pragma once
#include "cuda/row_packs.cuh"

namespace ink::cuda {

// Σ exp x = total·exp(peak) over the elements met so far, with peak the largest of them.
struct ExpSum {
  float peak = Larger::kStart, total = 0;

  template <int P>
  INK_DEVICE void add(const float (&x)[P]) {
    float largest = peak;
#pragma unroll
    for (int j = 0; j < P; ++j) largest = Larger{}(largest, x[j]);
    if (largest == Larger::kStart) return;  // exp(−∞) adds nothing
    if (largest != peak) total *= expf(peak - largest);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < P; ++j) sum += expf(x[j] - largest);
    peak = largest, total += sum;
  }
};

// The same value in every thread of the team; `part` as in block_reduce.
template <class Team>
INK_DEVICE ExpSum combined(Team team, ExpSum own, float* part) {
  const float peak = team.largest(own.peak, part);
  const float total = own.peak == peak ? own.total : own.total * expf(own.peak - peak);
  return {peak, team.sum(total, part)};
}

template <class T, class Team>
INK_DEVICE ExpSum exp_sum(Team team, const T* x, int64_t V, bool packed, float* part) {
  ExpSum own;
  each_pack<T>(team, V, [&](int64_t first) {
    float v[kPack<T>];
    load_floats(v, x, first, V, packed, Larger::kStart);
    own.add(v);
  });
  return combined(team, own, part);
}

// x[label]; NaN for a label outside the row.
template <class T>
INK_DEVICE float at_label(const T* x, int32_t label, int64_t V) {
  return label >= 0 && label < V ? widen(x[label]) : __builtin_nanf("");
}

INK_DEVICE float label_loss(ExpSum s, float at_label) {
  return logf(s.total) + (s.peak - at_label);
}

// dx = factor·(softmax(x) − onehot(label)). In place when dx is x: each thread reads and writes its
// own elements.
template <class T, class Team>
INK_DEVICE void label_gradient(Team team, const T* x, ExpSum s, int32_t label, float factor, T* dx,
                               int64_t V, bool packed) {
  const float scale = factor / s.total;
  each_pack<T>(team, V, [&](int64_t first) {
    float v[kPack<T>];
    load_floats(v, x, first, V, packed, 0.0f);
#pragma unroll
    for (int j = 0; j < kPack<T>; ++j)
      v[j] = scale * expf(v[j] - s.peak) - (first + j == label ? factor : 0.0f);
    store_floats(dx, v, first, V, packed);
  });
}

// dx = 0: the gradient of a row that does not count.
template <class T, class Team>
INK_DEVICE void clear_row(Team team, T* dx, int64_t V, bool packed) {
  const float zero[kPack<T>] = {};
  each_pack<T>(team, V, [&](int64_t first) { store_floats(dx, zero, first, V, packed); });
}

}  // namespace ink::cuda
