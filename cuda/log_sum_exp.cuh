// log Σ exp x = peak + log total of a row in one pass (Milakov and Gimelshein 2018), the loss
// −log softmax(x)[label] and its gradient.
//
// NaN in a row makes its total NaN, and so everything that follows from it.
#pragma once
#include "cuda/row_packs.cuh"

namespace ink::cuda {

// eˣ for x ≤ 0, to about 2 ulp more the farther x is from 0, where it counts for less.
INK_DEVICE float exp_below(float x) { return exp2_approx(x * 1.44269504f); }

// Σ exp x = total·exp(peak) over the elements met so far, with peak the largest of them.
struct ExpSum {
  float peak = Larger::kStart, total = 0;

  // The largest need not be NaN where an element is: its exponential is.
  template <int P>
  INK_DEVICE void add(const float (&x)[P]) {
    float largest = peak;
#pragma unroll
    for (int j = 0; j < P; ++j) largest = fmaxf(largest, x[j]);
    const float base = largest == Larger::kStart ? 0 : largest;  // exp(−∞) is to add nothing
    float sum = 0;
#pragma unroll
    for (int j = 0; j < P; ++j) sum += exp_below(x[j] - base);
    total = total * exp_below(peak - base) + sum;
    peak = largest;
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
  constexpr int P = kPack<T>, U = 4;  // packs in flight
  const int64_t step = int64_t{P} * team.size();
  ExpSum own;
  for (int64_t first = int64_t{P} * team.rank(); first < V; first += U * step) {
    Pack<T, P> at[U];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64_t c = first + u * step;
      at[u] = load_row_pack<P>(x, c < V ? c : first, V, packed);
    }
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64_t c = first + u * step;
      float v[P];
#pragma unroll
      for (int j = 0; j < P; ++j) v[j] = packed || c + j < V ? widen(at[u].at[j]) : Larger::kStart;
      if (c < V) own.add(v);
    }
  }
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
