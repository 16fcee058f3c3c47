// log Σ exp x = peak + log total of a row in one pass (Milakov and Gimelshein 2018), the loss
// −log softmax(x)[label] and its gradient.
//
// NaN in a row makes its total NaN, and so everything that follows from it.
#pragma once
#include "cuda/row_packs.cuh"

namespace ink::cuda {

// Σ exp x = total·exp(peak), with peak the largest element.
struct ExpSum {
  float peak, total;
};

// The same of the elements met so far, in powers of two: Σ 2^(x·log₂e − shift), where shift is
// peak·log₂e, rounded. So each element costs one multiply-add before its power.
struct RunningExpSum {
  float peak = Larger::kStart, shift = Larger::kStart, total = 0;

  // The largest need not be NaN where an element is: its power is.
  template <int P>
  INK_DEVICE void add(const float (&x)[P]) {
#pragma unroll
    for (int j = 0; j < P; ++j) peak = fmaxf(peak, x[j]);
    const float before = shift;
    shift = peak * kLog2E;
    const float base = peak == Larger::kStart ? 0 : shift;  // 2^−∞ is to add nothing
    float sum = 0;
#pragma unroll
    for (int j = 0; j < P; ++j) sum += exp2_approx(fmaf(x[j], kLog2E, -base));
    total = total * exp2_approx(before - base) + sum;
  }

  // Of all threads of the team, the same in each; `part` as in block_reduce.
  template <class Team>
  INK_DEVICE ExpSum combined(Team team, float* part) const {
    const float all = team.largest(peak, part), base = all * kLog2E;
    const float sum = team.sum(peak == all ? total : total * exp2f(shift - base), part);
    const float rounded_off = fmaf(all, kLog2E, -base);  // r so small that 2^−r is 1 − r·log 2
    return {all, sum * fmaf(-kLn2, rounded_off, 1.0f)};
  }
};

template <class T, class Team>
INK_DEVICE ExpSum exp_sum(Team team, const T* x, int64_t V, bool packed, float* part) {
  constexpr int P = kPack<T>, U = 4;  // packs in flight
  const int64_t step = int64_t{P} * team.size();
  const auto load = [&](int64_t c) { return PackedWords<T>(load_row_pack<P>(x, c, V, packed)); };
  RunningExpSum own;
  int64_t first = int64_t{P} * team.rank();
  for (; packed && first + (U - 1) * step + P <= V; first += U * step) {
    PackedWords<T> at[U];
#pragma unroll
    for (int u = 0; u < U; ++u) at[u] = load(first + u * step);
    float v[U * P];
#pragma unroll
    for (int k = 0; k < U * P; ++k) v[k] = at[k / P][k % P];
    own.add(v);
  }
  each_in_flight<U>(first, V, step, load, [&](const PackedWords<T>& at, int64_t c) {
    const bool whole = c + P <= V;
    float v[P];
#pragma unroll
    for (int j = 0; j < P; ++j) v[j] = whole || c + j < V ? at[j] : Larger::kStart;
    own.add(v);
  });
  return own.combined(team, part);
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
  constexpr int P = kPack<T>;
  const float scale = factor / s.total;
  each_pack_of(team, {x}, V, packed, [&](int64_t first, const float(&v)[1][P]) {
    float d[P];
#pragma unroll
    for (int j = 0; j < P; ++j)
      d[j] = scale * expf(v[0][j] - s.peak) - (first + j == label ? factor : 0.0f);
    store_floats(dx, d, first, V, packed);
  });
}

// dx = 0: the gradient of a row that does not count.
template <class T, class Team>
INK_DEVICE void clear_row(Team team, T* dx, int64_t V, bool packed) {
  const float zero[kPack<T>] = {};
  each_pack<T>(team, V, [&](int64_t first) { store_floats(dx, zero, first, V, packed); });
}

}  // namespace ink::cuda
