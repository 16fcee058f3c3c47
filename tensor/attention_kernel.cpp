// Blocked attention: scores of a block of queries against a block of keys, softmax as it goes,
// times the values.
#include "tensor/attention_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/random_words.h"
#include "tensor/scratch.h"
#include "tensor/simd.h"
#include "tensor/small_product.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// Sizes of blocks; part of the definition of the result (see the header).
constexpr int64_t kForwardQueries = 48, kForwardKeys = 512;
constexpr int64_t kBackwardQueries = 96, kBackwardKeys = 256;

// A row of scores is this long: an odd number of cache lines, so that rows fall into
// different cache sets.
int64_t score_ld(int64_t keys) { return (keys + 15) / 16 / 2 * 32 + 16; }

// One head of one sequence, or some of its queries.
struct Task {
  int64_t begin, length;  // rows of the sequence
  int64_t head;
  int64_t first_query, last_query;  // within the sequence
};
using Tasks = std::vector<Task, PoolAllocator<Task>>;

// Tasks from long to short, so that no thread starts a long one when the others are done. With few
// of them, queries are cut into `piece`s too; 0 for never.
Tasks tasks_of(std::span<const int32_t> offsets, int64_t heads, int64_t piece) {
  std::vector<int64_t, PoolAllocator<int64_t>> order;
  for (size_t b = 0; b + 1 < offsets.size(); ++b) {
    if (offsets[b + 1] > offsets[b]) order.push_back(static_cast<int64_t>(b));
  }
  const auto length = [&](int64_t b) {
    return int64_t{offsets[static_cast<size_t>(b) + 1]} - offsets[static_cast<size_t>(b)];
  };
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return length(a) != length(b) ? length(a) > length(b) : a < b;
  });
  const bool cut = piece > 0 && static_cast<int64_t>(order.size()) * heads < 4 * threads();
  Tasks tasks;
  for (int64_t b : order) {
    const int64_t step = cut ? piece : length(b);
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t q = 0; q < length(b); q += step) {
        tasks.push_back({.begin = offsets[static_cast<size_t>(b)],
                         .length = length(b),
                         .head = h,
                         .first_query = q,
                         .last_query = std::min(length(b), q + step)});
      }
    }
  }
  return tasks;
}

template <class F>
void for_each(const Tasks& tasks, const F& f) {
  parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) f(tasks[static_cast<size_t>(t)]);
  });
}

// What every step of one head needs.
template <class T>
struct Head {
  const AttentionInput<T>& in;
  int64_t column, size;  // columns [column, column + size)

  Head(const AttentionInput<T>& input, const Task& task)
      : in(input), column(task.head * input.head_size), size(input.head_size) {}
  template <class U>
  U* at(Rows<U> rows, int64_t row) const {
    return rows.data + row * rows.ld + column;
  }
};

// to[i] = from[i]·factor for a matrix (rows, columns); `to` has rows of `columns`.
template <class T>
void copy_scaled(int64_t rows, int64_t columns, const T* from, int64_t ld, T factor, T* to) {
  simd::run([=] {
    for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) to[r * columns + c] = from[r * ld + c] * factor;
    }
  });
}

// The mask of dropout for one row of P: factor[j] = 0 or 1/(1 − dropout) for keys first_key + j, j
// < keys. Called inside simd::run.
template <class T>
void draw_mask(const AttentionInput<T>& in, int64_t row, int64_t head, int64_t first_key,
               int64_t keys, T* factor) {
  const auto threshold = static_cast<uint32_t>(in.dropout * 0x1p32);
  const T kept = static_cast<T>(1 / (1 - in.dropout));
  const uint64_t block =
      (static_cast<uint64_t>(row * in.heads + head) << 24) + static_cast<uint64_t>(first_key / 4);
  uint32_t words[kRandomWords];
  for (int64_t j = 0; j < keys; j += kRandomWords) {
    random_words(in.random.key(), block + static_cast<uint64_t>(j / 4), words);
    const int64_t count = std::min(kRandomWords, keys - j);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) factor[j + i] = words[i] >= threshold ? kept : T{0};
  }
}

// ── forward ─────────────────────────────────────────────────────────────────────────────────────

// A block of queries on its way over the keys.
template <class T>
struct Running {
  T maximum[kForwardQueries], sum[kForwardQueries];
  T* values;  // (queries, D): Σ exp(score − maximum)·v so far
};

// Scores become exp(score − maximum), masked; the running values are brought to the new maximum.
template <class T>
void softmax_block(const Head<T>& head, const Task& task, int64_t first_query, int64_t queries,
                   int64_t first_key, int64_t keys, T* scores, int64_t ld, T* mask,
                   Running<T>& running) {
  simd::run([&] {
    for (int64_t r = 0; r < queries; ++r) {
      T* s = scores + r * ld;
      const T seen = running.maximum[r];
      const T maximum = std::max(seen, row_maximum(keys, s));
#pragma omp simd
      for (int64_t j = 0; j < keys; ++j) s[j] = vmath::exp(s[j] - maximum);
      const T sum = row_sum<T>(keys, [s](int64_t j) { return s[j]; });
      running.maximum[r] = maximum;
      if (first_key == 0) {
        running.sum[r] = sum;
      } else {
        const T factor = vmath::exp(seen - maximum);
        running.sum[r] = running.sum[r] * factor + sum;
        T* values = running.values + r * head.size;
#pragma omp simd
        for (int64_t c = 0; c < head.size; ++c) values[c] *= factor;
      }
      if (!mask) continue;
      draw_mask(head.in, task.begin + first_query + r, task.head, first_key, keys, mask);
#pragma omp simd
      for (int64_t j = 0; j < keys; ++j) s[j] *= mask[j];
    }
  });
}

template <class T>
void finish_queries(const Head<T>& head, const Task& task, int64_t first_query, int64_t queries,
                    const Running<T>& running, Rows<T> out, T* log_sum) {
  simd::run([&] {
    for (int64_t r = 0; r < queries; ++r) {
      const int64_t row = task.begin + first_query + r;
      const T* values = running.values + r * head.size;
      T* y = head.at(out, row);
      const T factor = 1 / running.sum[r];
#pragma omp simd
      for (int64_t c = 0; c < head.size; ++c) y[c] = values[c] * factor;
      if (log_sum)
        log_sum[row * head.in.heads + task.head] = running.maximum[r] + std::log(running.sum[r]);
    }
  });
}

template <class T>
void forward(const AttentionInput<T>& in, const Task& task, Rows<T> out, T* log_sum) {
  const Head<T> head(in, task);
  const int64_t D = head.size, most_keys = std::min(task.length, kForwardKeys),
                ld = score_ld(most_keys);
  const auto room = Scratch<T>::rounded;
  const int64_t blocks = (task.length + kForwardKeys - 1) / kForwardKeys;
  const int64_t key_room = room(packed_size<T>(most_keys, D)),
                value_room = room(packed_size<T>(D, most_keys));
  Scratch<T> scratch(blocks * (key_room + value_room) + 2 * room(kForwardQueries * D) +
                     room(kForwardQueries * ld) + ld);
  T* packed_keys = scratch.take(blocks * key_room);
  T* packed_values = scratch.take(blocks * value_room);
  T* queries = scratch.take(kForwardQueries * D);
  T* scores = scratch.take(kForwardQueries * ld);
  Running<T> running;
  running.values = scratch.take(kForwardQueries * D);
  T* mask = in.dropout > 0 ? scratch.take(ld) : nullptr;

  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t key = b * kForwardKeys, keys = std::min(kForwardKeys, task.length - key);
    pack(head.at(in.k, task.begin + key), in.k.ld, true, keys, D, packed_keys + b * key_room);
    pack(head.at(in.v, task.begin + key), in.v.ld, false, D, keys, packed_values + b * value_room);
  }
  for (int64_t q = task.first_query; q < task.last_query; q += kForwardQueries) {
    const int64_t count = std::min(kForwardQueries, task.last_query - q);
    copy_scaled(count, D, head.at(in.q, task.begin + q), in.q.ld, static_cast<T>(in.scale),
                queries);
    std::fill_n(running.maximum, count, -std::numeric_limits<T>::infinity());
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t key = b * kForwardKeys, keys = std::min(kForwardKeys, task.length - key);
      multiply(count, keys, D, queries, D, false, packed_keys + b * key_room, scores, ld, false);
      softmax_block(head, task, q, count, key, keys, scores, ld, mask, running);
      multiply(count, D, keys, scores, ld, false, packed_values + b * value_room, running.values, D,
               b > 0);
    }
    finish_queries(head, task, q, count, running, out, log_sum);
  }
}

// ── backward ────────────────────────────────────────────────────────────────────────────────────
//
// With S the scores, P = exp(S − log_sum), M the mask (ones without dropout) and d =
// rowsum(dout ∘ out):
//   dv = (P ∘ M)ᵀ dout,   dS = P ∘ ((dout vᵀ) ∘ M − d),   dq = dS k·scale,   dk = dSᵀ q·scale

// A row g of dout vᵀ to one of dS; mask may be null.
template <class T>
void differentiate_row(const T* p, const T* mask, T mean, T* g, int64_t keys) {
  if (mask) {
#pragma omp simd
    for (int64_t j = 0; j < keys; ++j) g[j] = p[j] * (g[j] * mask[j] - mean);
  } else {
#pragma omp simd
    for (int64_t j = 0; j < keys; ++j) g[j] = p[j] * (g[j] - mean);
  }
}

// scores: S → P ∘ M;   products, unless null: dout vᵀ → dS
template <class T>
void differentiate_block(const Head<T>& head, const Task& task, int64_t first_query,
                         int64_t queries, int64_t first_key, int64_t keys, const T* log_sum,
                         const T* d, T* scores, T* products, int64_t ld, T* mask) {
  simd::run([&] {
    for (int64_t r = 0; r < queries; ++r) {
      const int64_t row = task.begin + first_query + r;
      const T total = log_sum[row * head.in.heads + task.head];
      T* p = scores + r * ld;
#pragma omp simd
      for (int64_t j = 0; j < keys; ++j) p[j] = vmath::exp(p[j] - total);
      if (mask) draw_mask(head.in, row, task.head, first_key, keys, mask);
      if (products) differentiate_row(p, mask, d[r], products + r * ld, keys);
      if (!mask) continue;
#pragma omp simd
      for (int64_t j = 0; j < keys; ++j) p[j] *= mask[j];
    }
  });
}

template <class T>
void backward(const AttentionInput<T>& in, const Task& task, Rows<const T> out, const T* log_sum,
              Rows<const T> dout, Rows<T> dq, Rows<T> dk, Rows<T> dv) {
  const Head<T> head(in, task);
  const int64_t D = head.size, most_keys = std::min(task.length, kBackwardKeys),
                ld = score_ld(most_keys);
  const int64_t most_queries = std::min(task.length, kBackwardQueries);
  const auto room = Scratch<T>::rounded;
  const int64_t blocks = (task.length + kBackwardKeys - 1) / kBackwardKeys;
  const int64_t across_room = room(packed_size<T>(most_keys, D)),
                along_room = room(packed_size<T>(D, most_keys));
  const int64_t query_room = room(packed_size<T>(D, most_queries));
  const bool differentiate = dq.data || dk.data;  // dv needs no dS
  Scratch<T> scratch(blocks * (2 * across_room + along_room) + 2 * query_room +
                     room(most_queries * D) + 2 * room(most_queries * ld) + room(most_queries) +
                     ld);
  T* keys_across = scratch.take(blocks * across_room);    // kᵀ
  T* values_across = scratch.take(blocks * across_room);  // vᵀ
  T* keys_along = scratch.take(blocks * along_room);      // k
  T* queries_along = scratch.take(query_room);            // q·scale
  T* dout_along = scratch.take(query_room);
  T* queries = scratch.take(most_queries * D);
  T* scores = scratch.take(most_queries * ld);
  T* products = differentiate ? scratch.take(most_queries * ld) : nullptr;
  T* d = scratch.take(most_queries);
  T* mask = in.dropout > 0 ? scratch.take(ld) : nullptr;

  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t key = b * kBackwardKeys, keys = std::min(kBackwardKeys, task.length - key);
    const int64_t row = task.begin + key;
    pack(head.at(in.k, row), in.k.ld, true, keys, D, keys_across + b * across_room);
    if (differentiate)
      pack(head.at(in.v, row), in.v.ld, true, keys, D, values_across + b * across_room);
    if (dq.data) pack(head.at(in.k, row), in.k.ld, false, D, keys, keys_along + b * along_room);
  }
  for (int64_t q = 0; q < task.length; q += kBackwardQueries) {
    const int64_t count = std::min(kBackwardQueries, task.length - q), row = task.begin + q;
    copy_scaled(count, D, head.at(in.q, row), in.q.ld, static_cast<T>(in.scale), queries);
    if (dk.data) pack(queries, D, false, D, count, queries_along);
    if (dv.data) pack(head.at(dout, row), dout.ld, false, D, count, dout_along);
    simd::run([&] {
      for (int64_t r = 0; r < count; ++r) {
        const T *y = head.at(out, row + r), *dy = head.at(dout, row + r);
        d[r] = row_sum<T>(D, [=](int64_t c) { return y[c] * dy[c]; });
      }
    });
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t key = b * kBackwardKeys, keys = std::min(kBackwardKeys, task.length - key);
      multiply(count, keys, D, queries, D, false, keys_across + b * across_room, scores, ld, false);
      if (differentiate)
        multiply(count, keys, D, head.at(dout, row), dout.ld, false,
                 values_across + b * across_room, products, ld, false);
      differentiate_block(head, task, q, count, key, keys, log_sum, d, scores, products, ld, mask);
      if (dv.data)
        multiply(keys, D, count, scores, ld, true, dout_along, head.at(dv, task.begin + key), dv.ld,
                 q > 0);
      if (dk.data)
        multiply(keys, D, count, products, ld, true, queries_along, head.at(dk, task.begin + key),
                 dk.ld, q > 0);
      if (dq.data)
        multiply(count, D, keys, products, ld, false, keys_along + b * along_room, head.at(dq, row),
                 dq.ld, b > 0);
    }
    if (!dq.data) continue;
    for (int64_t r = 0; r < count; ++r) {
      T* x = head.at(dq, row + r);
      for (int64_t c = 0; c < D; ++c) x[c] *= static_cast<T>(in.scale);
    }
  }
}

}  // namespace

template <class T>
void attention_forward(const AttentionInput<T>& in, Rows<T> out, T* log_sum) {
  for_each(tasks_of(in.offsets, in.heads, 4 * kForwardQueries),
           [&](const Task& task) { forward(in, task, out, log_sum); });
}

template <class T>
void attention_backward(const AttentionInput<T>& in, Rows<const T> out, const T* log_sum,
                        Rows<const T> dout, Rows<T> dq, Rows<T> dk, Rows<T> dv) {
  for_each(tasks_of(in.offsets, in.heads, 0),
           [&](const Task& task) { backward(in, task, out, log_sum, dout, dq, dk, dv); });
}

template void attention_forward(const AttentionInput<float>&, Rows<float>, float*);
template void attention_forward(const AttentionInput<double>&, Rows<double>, double*);
template void attention_backward(const AttentionInput<float>&, Rows<const float>, const float*,
                                 Rows<const float>, Rows<float>, Rows<float>, Rows<float>);
template void attention_backward(const AttentionInput<double>&, Rows<const double>, const double*,
                                 Rows<const double>, Rows<double>, Rows<double>, Rows<double>);

}  // namespace ink
