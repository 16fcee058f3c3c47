// Attention by plain multiply-adds in f32, for f32 tensors and any head size up to 256; the lowest
// rung of what the tensor cores do in attention_forward.cuh and attention_backward.cuh.
//
// A block of 16 × 16 threads has a tile of rows of one head and meets one tile of the other kind of
// rows after another, all of them f32 in shared memory. Of a tile of scores a thread has the rows
// y + 16·i and columns x + 16·j; of a tile of results the same rows and columns x + 16·c.
#pragma once
#include "cuda/attention_problem.cuh"

namespace ink::cuda {

template <int kHeadSize_, int kTile_>
struct PlainTiles {
  static constexpr int kHeadSize = kHeadSize_, kTile = kTile_;  // rows of queries and of keys
  static constexpr int kSide = 16, kThreads = kSide * kSide;
  static constexpr int kRows = kTile / kSide, kColumns = kHeadSize / kSide;  // of a thread
  static constexpr int kLd = kHeadSize + 1, kScoreLd = kTile + 1;  // odd: rows in other banks
  static constexpr int kMatrix = kTile * kLd, kScores = kTile * kScoreLd;  // floats
  static constexpr size_t shared(int matrices, int scores) {
    return sizeof(float) * static_cast<size_t>(matrices * kMatrix + scores * kScores);
  }
};

INK_DEVICE int plain_x() { return static_cast<int>(threadIdx.x) % 16; }
INK_DEVICE int plain_y() { return static_cast<int>(threadIdx.x) / 16; }

// Over the 16 threads of a row of scores.
template <class F>
INK_DEVICE float row_reduce(float x, F f) {
  for (int step = 8; step > 0; step /= 2) x = f(x, __shfl_xor_sync(kAllLanes, x, step));
  return x;
}

// to = rows of a matrix; rows from `rows` and columns from `columns` on become 0.
template <class Tiles, class T>
INK_DEVICE void load_plain(float* to, const T* from, int64_t ld, int rows, int columns) {
  for (int i = static_cast<int>(threadIdx.x); i < Tiles::kTile * Tiles::kHeadSize;
       i += Tiles::kThreads) {
    const int row = i / Tiles::kHeadSize, column = i % Tiles::kHeadSize;
    to[row * Tiles::kLd + column] =
        row < rows && column < columns ? widen(from[row * ld + column]) : 0;
  }
}

template <class Tiles>
using PlainScores = float[Tiles::kRows][Tiles::kRows];
template <class Tiles>
using PlainRows = float[Tiles::kRows][Tiles::kColumns];

// s = a·bᵀ
template <class Tiles>
INK_DEVICE void multiply_plain(PlainScores<Tiles>& s, const float* a, const float* b) {
#pragma unroll
  for (int i = 0; i < Tiles::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < Tiles::kRows; ++j) s[i][j] = 0;
  }
  for (int c = 0; c < Tiles::kHeadSize; ++c) {
    float left[Tiles::kRows], right[Tiles::kRows];
#pragma unroll
    for (int i = 0; i < Tiles::kRows; ++i) {
      left[i] = a[(plain_y() + 16 * i) * Tiles::kLd + c];
      right[i] = b[(plain_x() + 16 * i) * Tiles::kLd + c];
    }
#pragma unroll
    for (int i = 0; i < Tiles::kRows; ++i) {
#pragma unroll
      for (int j = 0; j < Tiles::kRows; ++j) s[i][j] = fmaf(left[i], right[j], s[i][j]);
    }
  }
}

// y += p·x; `p_row` and `p_column` are the steps from one row and column of p to the next, so that
// p may be a transpose.
template <class Tiles>
INK_DEVICE void add_plain(PlainRows<Tiles>& y, const float* p, int p_row, int p_column,
                          const float* x) {
  for (int j = 0; j < Tiles::kTile; ++j) {
    float left[Tiles::kRows];
#pragma unroll
    for (int i = 0; i < Tiles::kRows; ++i) left[i] = p[(plain_y() + 16 * i) * p_row + j * p_column];
#pragma unroll
    for (int c = 0; c < Tiles::kColumns; ++c) {
      const float right = x[j * Tiles::kLd + plain_x() + 16 * c];
#pragma unroll
      for (int i = 0; i < Tiles::kRows; ++i) y[i][c] = fmaf(left[i], right, y[i][c]);
    }
  }
}

template <class Tiles>
INK_DEVICE void clear_plain(PlainRows<Tiles>& y) {
#pragma unroll
  for (int i = 0; i < Tiles::kRows; ++i) {
#pragma unroll
    for (int c = 0; c < Tiles::kColumns; ++c) y[i][c] = 0;
  }
}

template <class Tiles, class T>
INK_DEVICE void store_plain(const PlainRows<Tiles>& y, const float (&factor)[Tiles::kRows], T* to,
                            int64_t ld, int rows, int columns) {
#pragma unroll
  for (int i = 0; i < Tiles::kRows; ++i) {
#pragma unroll
    for (int c = 0; c < Tiles::kColumns; ++c) {
      const int row = plain_y() + 16 * i, column = plain_x() + 16 * c;
      if (row < rows && column < columns) to[row * ld + column] = narrow<T>(y[i][c] * factor[i]);
    }
  }
}

// 0 or 1 / (1 − dropout): the factor of a query's probability of a key.
template <class T>
INK_DEVICE float dropout_factor(const PackedAttention<T>& in, int64_t query, int head, int key) {
  if (in.threshold == 0) return 1;
  return is_dropped(dropped_of_eight(in, in.key.get(), query, head, key / 8), key % 8) ? 0
                                                                                       : in.kept;
}

// log_sum (N, H) may be null.
template <class T, class Tiles>
__global__ void __launch_bounds__(Tiles::kThreads, 2)
    plain_attention_kernel(PackedAttention<T> in, Rows<T> out, float* log_sum) {
  constexpr int kRows = Tiles::kRows;
  INK_DYNAMIC_SHARED(float, shared);
  float *q = shared, *k = q + Tiles::kMatrix, *v = k + Tiles::kMatrix, *p = v + Tiles::kMatrix;
  const Part part = part_of_slot<Tiles::kTile>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  const int head = static_cast<int>(blockIdx.y), D = in.head_size;
  const int64_t column = static_cast<int64_t>(head) * D, query = part.begin + part.first;

  load_plain<Tiles>(q, at(in.q, query, column), in.q.ld, part.rows, D);
  PlainRows<Tiles> values;
  clear_plain<Tiles>(values);
  float maximum[kRows], sum[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) maximum[i] = Larger::kStart, sum[i] = 0;

  for (int key = 0; key < part.length; key += Tiles::kTile) {
    const int keys = part.length - key;
    __syncthreads();
    load_plain<Tiles>(k, at(in.k, part.begin + key, column), in.k.ld, keys, D);
    load_plain<Tiles>(v, at(in.v, part.begin + key, column), in.v.ld, keys, D);
    __syncthreads();
    PlainScores<Tiles> s;
    multiply_plain<Tiles>(s, q, k);
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      float largest = maximum[i], added = 0;
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        s[i][j] = plain_x() + 16 * j < keys ? s[i][j] * in.scale : Larger::kStart;
        largest = Larger{}(largest, s[i][j]);
      }
      largest = row_reduce(largest, Larger{});
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int to = key + plain_x() + 16 * j, row = plain_y() + 16 * i;
        const float e = expf(s[i][j] - largest);
        added += e;
        p[row * Tiles::kScoreLd + plain_x() + 16 * j] =
            e * dropout_factor(in, query + row, head, to);
      }
      const float factor = expf(maximum[i] - largest);
      sum[i] = sum[i] * factor + row_reduce(added, Plus{});
      maximum[i] = largest;
#pragma unroll
      for (int c = 0; c < Tiles::kColumns; ++c) values[i][c] *= factor;
    }
    __syncthreads();
    add_plain<Tiles>(values, p, Tiles::kScoreLd, 1, v);
  }
  float factor[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int row = plain_y() + 16 * i;
    factor[i] = 1 / sum[i];
    if (log_sum && row < part.rows && plain_x() == 0)
      log_sum[(query + row) * in.heads + head] = maximum[i] + logf(sum[i]);
  }
  store_plain<Tiles>(values, factor, at(out, query, column), out.ld, part.rows, D);
}

// dq (null: not wanted), and δ (N, H).
template <class T, class Tiles>
__global__ void __launch_bounds__(Tiles::kThreads, 2)
    plain_query_gradient_kernel(PackedAttention<T> in, Rows<const T> out, const float* log_sum,
                                Rows<const T> dout, float* delta, Rows<T> dq) {
  constexpr int kRows = Tiles::kRows;
  INK_DYNAMIC_SHARED(float, shared);
  float *q = shared, *dy = q + Tiles::kMatrix, *k = dy + Tiles::kMatrix;
  float *v = k + Tiles::kMatrix, *ds = v + Tiles::kMatrix;
  const Part part = part_of_slot<Tiles::kTile>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  const int head = static_cast<int>(blockIdx.y), D = in.head_size;
  const int64_t column = static_cast<int64_t>(head) * D, query = part.begin + part.first;

  load_plain<Tiles>(q, at(in.q, query, column), in.q.ld, part.rows, D);
  load_plain<Tiles>(dy, at(dout, query, column), dout.ld, part.rows, D);
  load_plain<Tiles>(k, at(out, query, column), out.ld, part.rows, D);
  __syncthreads();
  float own_delta[kRows], total[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int row = plain_y() + 16 * i;
    const int64_t place = (query + row) * in.heads + head;
    float sum = 0;
    for (int c = plain_x(); c < Tiles::kHeadSize; c += 16)
      sum = fmaf(dy[row * Tiles::kLd + c], k[row * Tiles::kLd + c], sum);
    own_delta[i] = row_reduce(sum, Plus{});
    total[i] = row < part.rows ? log_sum[place] : 0;
    if (row < part.rows && plain_x() == 0) delta[place] = own_delta[i];
  }
  if (!dq.data) return;

  PlainRows<Tiles> gradient;
  clear_plain<Tiles>(gradient);
  for (int key = 0; key < part.length; key += Tiles::kTile) {
    const int keys = part.length - key;
    __syncthreads();
    load_plain<Tiles>(k, at(in.k, part.begin + key, column), in.k.ld, keys, D);
    load_plain<Tiles>(v, at(in.v, part.begin + key, column), in.v.ld, keys, D);
    __syncthreads();
    PlainScores<Tiles> s, dp;
    multiply_plain<Tiles>(s, q, k);
    multiply_plain<Tiles>(dp, dy, v);
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int row = plain_y() + 16 * i, of = plain_x() + 16 * j;
        const float e = of < keys ? expf(s[i][j] * in.scale - total[i]) : 0;
        const float factor = dropout_factor(in, query + row, head, key + of);
        ds[row * Tiles::kScoreLd + of] = e * (dp[i][j] * factor - own_delta[i]);
      }
    }
    __syncthreads();
    add_plain<Tiles>(gradient, ds, Tiles::kScoreLd, 1, k);
  }
  float factor[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) factor[i] = in.scale;
  store_plain<Tiles>(gradient, factor, at(dq, query, column), dq.ld, part.rows, D);
}

// dk and dv (null: not wanted). Scores have queries as rows here too, and dk = scale·dSᵀ q.
template <class T, class Tiles>
__global__ void __launch_bounds__(Tiles::kThreads, 2)
    plain_key_gradient_kernel(PackedAttention<T> in, const float* log_sum, Rows<const T> dout,
                              const float* delta, Rows<T> dk, Rows<T> dv) {
  constexpr int kRows = Tiles::kRows;
  INK_DYNAMIC_SHARED(float, shared);
  float *k = shared, *v = k + Tiles::kMatrix, *q = v + Tiles::kMatrix, *dy = q + Tiles::kMatrix;
  float *p = dy + Tiles::kMatrix, *ds = p + Tiles::kScores;
  const Part part = part_of_slot<Tiles::kTile>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  const int head = static_cast<int>(blockIdx.y), D = in.head_size;
  const int64_t column = static_cast<int64_t>(head) * D, first_key = part.begin + part.first;

  load_plain<Tiles>(k, at(in.k, first_key, column), in.k.ld, part.rows, D);
  load_plain<Tiles>(v, at(in.v, first_key, column), in.v.ld, part.rows, D);
  PlainRows<Tiles> key_gradient, value_gradient;
  clear_plain<Tiles>(key_gradient);
  clear_plain<Tiles>(value_gradient);
  for (int query = 0; query < part.length; query += Tiles::kTile) {
    const int queries = part.length - query;
    const int64_t first_query = part.begin + query;
    __syncthreads();
    load_plain<Tiles>(q, at(in.q, first_query, column), in.q.ld, queries, D);
    load_plain<Tiles>(dy, at(dout, first_query, column), dout.ld, queries, D);
    __syncthreads();
    PlainScores<Tiles> s, dp;
    multiply_plain<Tiles>(s, q, k);
    multiply_plain<Tiles>(dp, dy, v);
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int row = plain_y() + 16 * i;
      const bool inside = row < queries;
      const int64_t place = (first_query + row) * in.heads + head;
      const float total = inside ? log_sum[place] : 0, own_delta = inside ? delta[place] : 0;
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        const int of = plain_x() + 16 * j;
        const float e = inside ? expf(s[i][j] * in.scale - total) : 0;
        const float factor = dropout_factor(in, first_query + row, head, part.first + of);
        p[row * Tiles::kScoreLd + of] = e * factor;
        ds[row * Tiles::kScoreLd + of] = e * (dp[i][j] * factor - own_delta);
      }
    }
    __syncthreads();
    if (dv.data) add_plain<Tiles>(value_gradient, p, 1, Tiles::kScoreLd, dy);
    if (dk.data) add_plain<Tiles>(key_gradient, ds, 1, Tiles::kScoreLd, q);
  }
  float scale[kRows], one[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) scale[i] = in.scale, one[i] = 1;
  if (dk.data)
    store_plain<Tiles>(key_gradient, scale, at(dk, first_key, column), dk.ld, part.rows, D);
  if (dv.data)
    store_plain<Tiles>(value_gradient, one, at(dv, first_key, column), dv.ld, part.rows, D);
}

}  // namespace ink::cuda
