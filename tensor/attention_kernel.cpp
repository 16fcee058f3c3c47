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
  const DropoutRule rule(in.dropout);
  const T kept = static_cast<T>(rule.kept);
  const uint64_t block = first_dropout_block(row, in.heads, head) +
                         static_cast<uint64_t>(first_key / DropoutRule::kInBlock);
  uint16_t halves[kRandomHalves];
  for (int64_t j = 0; j < keys; j += kRandomHalves) {
    random_halves(in.random.key(), block + static_cast<uint64_t>(j / DropoutRule::kInBlock),
                  halves);
    const int64_t count = std::min(kRandomHalves, keys - j);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) factor[j + i] = halves[i] >= rule.threshold ? kept : T{0};
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
    for (int64_t j = 0; j < keys; ++j) g[j] *= mask[j];
  }
#pragma omp simd
  for (int64_t j = 0; j < keys; ++j) g[j] = p[j] * (g[j] - mean);
}

// What attention_backward() is given.
template <class T>
struct BackwardCall {
  const AttentionInput<T>& in;
  Rows<const T> out;
  const T* log_sum;
  Rows<const T> dout;
  Rows<T> dq, dk, dv;
};

// One head of one sequence: its workspace, and what is done with it, block by block.
template <class T>
class Backward {
 public:
  Backward(const BackwardCall<T>& call, const Task& task);
  void run();

 private:
  static constexpr auto room = Scratch<T>::rounded;
  int64_t keys_of(int64_t block) const {
    return std::min(kBackwardKeys, task_.length - block * kBackwardKeys);
  }
  void pack_keys(int64_t block);
  void take_queries(int64_t first, int64_t count);
  void differentiate(int64_t first_query, int64_t count, int64_t block);
  void accumulate(int64_t first_query, int64_t count, int64_t block);

  const BackwardCall<T>& call_;
  const Task& task_;
  const Head<T> head_;
  const int64_t size_, blocks_, most_keys_, most_queries_, ld_;
  const bool wants_products_;  // dv needs no dS
  const int64_t across_room_, along_room_, query_room_;
  Scratch<T> scratch_;
  T *keys_across_, *values_across_;   // kᵀ, vᵀ of all blocks
  T* keys_along_;                     // k
  T *queries_along_, *dout_along_;    // q·scale, dout
  T *queries_, *scores_, *products_;  // q·scale; S, then P ∘ M; dout vᵀ, then dS
  T *d_, *mask_;                      // mask: null without dropout
};

template <class T>
Backward<T>::Backward(const BackwardCall<T>& call, const Task& task)
    : call_(call),
      task_(task),
      head_(call.in, task),
      size_(head_.size),
      blocks_((task.length + kBackwardKeys - 1) / kBackwardKeys),
      most_keys_(std::min(task.length, kBackwardKeys)),
      most_queries_(std::min(task.length, kBackwardQueries)),
      ld_(score_ld(most_keys_)),
      wants_products_(call.dq.data || call.dk.data),
      across_room_(room(packed_size<T>(most_keys_, size_))),
      along_room_(room(packed_size<T>(size_, most_keys_))),
      query_room_(room(packed_size<T>(size_, most_queries_))),
      scratch_(blocks_ * (2 * across_room_ + along_room_) + 2 * query_room_ +
               room(most_queries_ * size_) + 2 * room(most_queries_ * ld_) + room(most_queries_) +
               ld_),
      keys_across_(scratch_.take(blocks_ * across_room_)),
      values_across_(scratch_.take(blocks_ * across_room_)),
      keys_along_(scratch_.take(blocks_ * along_room_)),
      queries_along_(scratch_.take(query_room_)),
      dout_along_(scratch_.take(query_room_)),
      queries_(scratch_.take(most_queries_ * size_)),
      scores_(scratch_.take(most_queries_ * ld_)),
      products_(scratch_.take(most_queries_ * ld_)),
      d_(scratch_.take(most_queries_)),
      mask_(call.in.dropout > 0 ? scratch_.take(ld_) : nullptr) {}

template <class T>
void Backward<T>::pack_keys(int64_t block) {
  const AttentionInput<T>& in = call_.in;
  const int64_t keys = keys_of(block), row = task_.begin + block * kBackwardKeys;
  const T *k = head_.at(in.k, row), *v = head_.at(in.v, row);
  pack(k, in.k.ld, true, keys, size_, keys_across_ + block * across_room_);
  if (wants_products_) pack(v, in.v.ld, true, keys, size_, values_across_ + block * across_room_);
  if (call_.dq.data) pack(k, in.k.ld, false, size_, keys, keys_along_ + block * along_room_);
}

template <class T>
void Backward<T>::take_queries(int64_t first, int64_t count) {
  const AttentionInput<T>& in = call_.in;
  const int64_t row = task_.begin + first;
  copy_scaled(count, size_, head_.at(in.q, row), in.q.ld, static_cast<T>(in.scale), queries_);
  if (call_.dk.data) pack(queries_, size_, false, size_, count, queries_along_);
  if (call_.dv.data)
    pack(head_.at(call_.dout, row), call_.dout.ld, false, size_, count, dout_along_);
  simd::run([&] {
    for (int64_t r = 0; r < count; ++r) {
      const T *y = head_.at(call_.out, row + r), *dy = head_.at(call_.dout, row + r);
      d_[r] = row_sum<T>(size_, [=](int64_t c) { return y[c] * dy[c]; });
    }
  });
}

// scores: S → P ∘ M;   products, where they are wanted: dout vᵀ → dS
template <class T>
void Backward<T>::differentiate(int64_t first_query, int64_t count, int64_t block) {
  const int64_t keys = keys_of(block), first_key = block * kBackwardKeys;
  simd::run([&] {
    for (int64_t r = 0; r < count; ++r) {
      const int64_t row = task_.begin + first_query + r;
      const T total = call_.log_sum[row * call_.in.heads + task_.head];
      T *p = scores_ + r * ld_, *mask = mask_;
#pragma omp simd
      for (int64_t j = 0; j < keys; ++j) p[j] = vmath::exp(p[j] - total);
      if (mask) draw_mask(call_.in, row, task_.head, first_key, keys, mask);
      if (wants_products_) differentiate_row(p, mask, d_[r], products_ + r * ld_, keys);
      if (!mask) continue;
#pragma omp simd
      for (int64_t j = 0; j < keys; ++j) p[j] *= mask[j];
    }
  });
}

// Adds what the block's keys and the queries give each other.
template <class T>
void Backward<T>::accumulate(int64_t first_query, int64_t count, int64_t block) {
  const auto& [in, out, log_sum, dout, dq, dk, dv] = call_;
  const int64_t keys = keys_of(block), row = task_.begin + first_query,
                key_row = task_.begin + block * kBackwardKeys;
  multiply(count, keys, size_, queries_, size_, false, keys_across_ + block * across_room_, scores_,
           ld_, false);
  if (wants_products_)
    multiply(count, keys, size_, head_.at(dout, row), dout.ld, false,
             values_across_ + block * across_room_, products_, ld_, false);
  differentiate(first_query, count, block);
  if (dv.data)
    multiply(keys, size_, count, scores_, ld_, true, dout_along_, head_.at(dv, key_row), dv.ld,
             first_query > 0);
  if (dk.data)
    multiply(keys, size_, count, products_, ld_, true, queries_along_, head_.at(dk, key_row), dk.ld,
             first_query > 0);
  if (dq.data)
    multiply(count, size_, keys, products_, ld_, false, keys_along_ + block * along_room_,
             head_.at(dq, row), dq.ld, block > 0);
}

template <class T>
void Backward<T>::run() {
  for (int64_t block = 0; block < blocks_; ++block) pack_keys(block);
  for (int64_t first = 0; first < task_.length; first += kBackwardQueries) {
    const int64_t count = std::min(kBackwardQueries, task_.length - first);
    take_queries(first, count);
    for (int64_t block = 0; block < blocks_; ++block) accumulate(first, count, block);
    if (!call_.dq.data) continue;
    for (int64_t r = 0; r < count; ++r) {
      T* x = head_.at(call_.dq, task_.begin + first + r);
      for (int64_t c = 0; c < size_; ++c) x[c] *= static_cast<T>(call_.in.scale);
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
  const BackwardCall<T> call{in, out, log_sum, dout, dq, dk, dv};
  for_each(tasks_of(in.offsets, in.heads, 0),
           [&](const Task& task) { Backward<T>(call, task).run(); });
}

template void attention_forward(const AttentionInput<float>&, Rows<float>, float*);
template void attention_forward(const AttentionInput<double>&, Rows<double>, double*);
template void attention_backward(const AttentionInput<float>&, Rows<const float>, const float*,
                                 Rows<const float>, Rows<float>, Rows<float>, Rows<float>);
template void attention_backward(const AttentionInput<double>&, Rows<const double>, const double*,
                                 Rows<const double>, Rows<double>, Rows<double>, Rows<double>);

}  // namespace ink
