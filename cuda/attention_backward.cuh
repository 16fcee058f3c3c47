// Gradients of attention on tensor cores, in two kernels that compute the probabilities anew:
//
//   P = exp(q kᵀ·scale − log_sum),  M the mask over 1 − dropout,  δᵢ = Σ_c dout·out
//   dS = P ∘ (M ∘ dout vᵀ − δ),  dq = scale·dS k          attention_query_gradient_kernel
//   dk = scale·dSᵀ q,            dv = (P ∘ M)ᵀ dout       attention_key_gradient_kernel
//
// One kernel could share S and dS (Dao 2023), but its blocks would have to add to dq one after
// another or by atomics. Two need 7 products instead of 5; in return dS never leaves the registers
// of the warp that computes it: the first kernel has queries as rows of its fragments, the second
// keys, so that dS is each time a left factor as it stands. No order of additions depends on chance.
#pragma once
#include "cuda/attention_tiles.cuh"

namespace ink::cuda {

// Per head and query what the second kernel needs of a row.
struct RowStatistics {
  float log_sum;  // in units of log 2
  float delta;
};

// Statistics of one head: those of a sequence stand together from an even place on, so that two of
// them are 16 aligned bytes.
INK_BOTH constexpr int64_t statistics_begin(int64_t row, int64_t sequence) {
  return (row + sequence) / 2 * 2;
}
INK_BOTH constexpr int64_t statistics_size(int64_t rows, int64_t sequences) {
  return (rows + sequences + 1) / 2 * 2;
}

// A block has kWarps · kRowTiles · 16 rows (of queries or keys) and meets kStep rows of the other
// kind at a time, of which kInner at once in registers.
template <int kHeadSize_, int kWarps_, int kRowTiles_, int kStep_, int kInner_, bool kHold_,
          int kBlocks_>
struct BackwardTiles {
  static constexpr int kHeadSize = kHeadSize_, kWarps = kWarps_, kRowTiles = kRowTiles_;
  static constexpr int kStep = kStep_, kInner = kInner_;
  static constexpr bool kHold = kHold_;     // own rows in registers
  static constexpr int kBlocks = kBlocks_;  // per multiprocessor
  static constexpr int kThreads = kWarps * kWarp, kWarpRows = 16 * kRowTiles;
  static constexpr int kRows = kWarps * kWarpRows;
  static constexpr int kStepTile = kStep * kHeadSize, kRowTile = kRows * kHeadSize;  // elements
  static constexpr int kStage = 2 * kStepTile;
  static constexpr size_t kShared = 2 * static_cast<size_t>(2 * kRowTile + 2 * kStage);
  static constexpr size_t kStatistics = 2 * kStep * sizeof(RowStatistics);  // bytes, both stages
  static_assert(kStep % kInner == 0 && kInner % 16 == 0);
};

// exp(s·scale − log_sum) with everything in units of log 2.
INK_DEVICE float probability(float s, float scale, float log_sum) {
  return exp2_approx(fmaf(s, scale, -log_sum));
}

// δ of the rows that a warp holds in dout and reads from a tile of out.
template <class T, int kRowTiles, int kColumns, bool kHold>
INK_DEVICE void row_deltas(const LeftFactor<T, kRowTiles, kColumns, kHold>& dout, const T* out,
                           int row, float (&delta)[kRowTiles][2]) {
  LeftFactor<T, kRowTiles, kColumns, false> other;
  other.load(out, row);
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) delta[m][0] = delta[m][1] = 0;
#pragma unroll
  for (int k = 0; k < kColumns / 16; ++k) {
    uint32_t a[kRowTiles][4], b[kRowTiles][4];
    dout.get(a, k);
    other.get(b, k);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const T x[2] = {{static_cast<uint16_t>(a[m][i])}, {static_cast<uint16_t>(a[m][i] >> 16)}};
        const T y[2] = {{static_cast<uint16_t>(b[m][i])}, {static_cast<uint16_t>(b[m][i] >> 16)}};
        delta[m][i % 2] += widen(x[0]) * widen(y[0]) + widen(x[1]) * widen(y[1]);
      }
    }
  }
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) delta[m][half] = quad_sum(delta[m][half]);
  }
}

// dq (null: not wanted), and the statistics of every row.
template <class T, class Tiles, bool kDropout>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kBlocks)
    attention_query_gradient_kernel(PackedAttention<T> in, Rows<const T> out, const float* log_sum,
                                    Rows<const T> dout, RowStatistics* statistics, Rows<T> dq) {
  constexpr int D = Tiles::kHeadSize, kRowTiles = Tiles::kRowTiles, kInner = Tiles::kInner;
  static_assert(Tiles::kRowTile <= Tiles::kStage);  // out passes through the second stage
  INK_DYNAMIC_SHARED(T, shared);
  T *queries = shared, *douts = queries + Tiles::kRowTile, *stages = douts + Tiles::kRowTile;

  const Part part = part_of_slot<Tiles::kRows>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  const int head = static_cast<int>(blockIdx.y), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp_row = warp * Tiles::kWarpRows, rows = part.rows - warp_row;
  const int64_t column = static_cast<int64_t>(head) * in.head_size;
  const int64_t first_query = part.begin + part.first;
  const float scale = in.scale * kLog2E;

  const auto load_own = [&](T* tile, Rows<const T> x) {
    TileCopy<T, Tiles::kRows, D, Tiles::kThreads>(at(x, first_query, column), x.ld, in.head_size)
        .start(tile, part.rows);
  };
  TileCopy<T, Tiles::kStep, D, Tiles::kThreads> k_copy(at(in.k, part.begin, column), in.k.ld,
                                                       in.head_size),
      v_copy(at(in.v, part.begin, column), in.v.ld, in.head_size);
  const auto load_keys = [&](int key, T* stage) {
    k_copy.start(stage, part.length - key), k_copy.advance();
    v_copy.start(stage + Tiles::kStepTile, part.length - key), v_copy.advance();
    cp_async_commit();
  };

  load_own(queries, in.q);
  load_own(douts, dout);
  load_own(stages + Tiles::kStage, out);
  load_keys(0, stages);
  cp_async_wait<0>();
  __syncthreads();
  LeftFactor<T, kRowTiles, D, Tiles::kHold> left, dout_left;
  left.load(queries, warp_row);
  dout_left.load(douts, warp_row);
  float delta[kRowTiles][2], total[kRowTiles][2];
  row_deltas<T, kRowTiles, D, Tiles::kHold>(dout_left, stages + Tiles::kStage, warp_row, delta);
  const int64_t place = head * statistics_size(in.rows, in.sequences) +
                        statistics_begin(part.begin, part.sequence) + part.first + warp_row;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = 16 * m + 8 * half + lane / 4;
      const int64_t of = (first_query + warp_row + row) * in.heads + head;
      total[m][half] = row < rows ? log_sum[of] * kLog2E : 0;
      const bool paired = row < rows + (rows & 1);  // zeros behind an odd number of rows
      if (paired && lane % 4 == 0) statistics[place + row] = {total[m][half], delta[m][half]};
    }
  }
  if (!dq.data) return;

  Accumulators<kRowTiles, D / 8> gradient;
  clear<kRowTiles, D / 8>(gradient);
  int stage = 0;
  for (int key = 0; key < part.length; key += Tiles::kStep, stage ^= 1) {
    if (key > 0) cp_async_wait<0>();
    __syncthreads();
    if (key + Tiles::kStep < part.length)
      load_keys(key + Tiles::kStep, stages + (stage ^ 1) * Tiles::kStage);
    const T *k = stages + stage * Tiles::kStage, *v = k + Tiles::kStepTile;
#pragma unroll
    for (int inner = 0; inner < Tiles::kStep; inner += kInner) {
      Accumulators<kRowTiles, kInner / 8> s, ds;
      multiply_transposed<T, kRowTiles, kInner / 8>(s, left, k, inner);
      multiply_transposed<T, kRowTiles, kInner / 8>(ds, dout_left, v, inner);
      const int keys = part.length - key - inner;
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        KeptOfQueries<kInner / 8> kept;
        if constexpr (kDropout) kept.draw(in, first_query + warp_row + 16 * m, head, key + inner);
#pragma unroll
        for (int n = 0; n < kInner / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const float p = probability(s[m][n][i], scale, total[m][i / 2]);
            float dp = ds[m][n][i];
            if constexpr (kDropout) dp = kept(n, i) ? dp * in.kept : 0;
            ds[m][n][i] = p * (dp - delta[m][i / 2]);
          }
        }
      }
      if (keys < kInner) mask_columns<kRowTiles, kInner / 8>(ds, keys, 0);
      multiply_add<T, kRowTiles, kInner / 8, D / 8>(gradient, ds, k, inner);
    }
  }
  float factor[kRowTiles][2];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) factor[m][0] = factor[m][1] = in.scale;
  store_rows<T, kRowTiles, D / 8>(gradient, factor, queries + warp_row * D,
                                  at(dq, first_query + warp_row, column), dq.ld, rows,
                                  in.head_size);
}

// dk and dv (null: not wanted).
template <class T, class Tiles, bool kDropout>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kBlocks)
    attention_key_gradient_kernel(PackedAttention<T> in, Rows<const T> dout,
                                  const RowStatistics* statistics, Rows<T> dk, Rows<T> dv) {
  constexpr int D = Tiles::kHeadSize, kRowTiles = Tiles::kRowTiles, kInner = Tiles::kInner;
  INK_DYNAMIC_SHARED(T, shared);
  T *keys = shared, *values = keys + Tiles::kRowTile, *stages = values + Tiles::kRowTile;
  auto* row_statistics = reinterpret_cast<RowStatistics*>(stages + 2 * Tiles::kStage);

  INK_SHARED(Part, kept_part, [1]);  // for the end: registers are short in between

  const Part part = part_of_slot<Tiles::kRows>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  if (threadIdx.x == 0) kept_part[0] = part;
  const int head = static_cast<int>(blockIdx.y), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp_row = warp * Tiles::kWarpRows;
  const int64_t column = static_cast<int64_t>(head) * in.head_size;
  const int64_t first_key = part.begin + part.first;
  const float scale = in.scale * kLog2E;
  statistics +=
      head * statistics_size(in.rows, in.sequences) + statistics_begin(part.begin, part.sequence);

  const auto load_own = [&](T* tile, Rows<const T> x) {
    TileCopy<T, Tiles::kRows, D, Tiles::kThreads>(at(x, first_key, column), x.ld, in.head_size)
        .start(tile, part.rows);
  };
  TileCopy<T, Tiles::kStep, D, Tiles::kThreads> q_copy(at(in.q, part.begin, column), in.q.ld,
                                                       in.head_size),
      dout_copy(at(dout, part.begin, column), dout.ld, in.head_size);
  const auto load_queries = [&](int query, int stage) {
    const int queries = part.length - query, pair = 2 * static_cast<int>(threadIdx.x);
    T* tile = stages + stage * Tiles::kStage;
    q_copy.start(tile, queries), q_copy.advance();
    dout_copy.start(tile + Tiles::kStepTile, queries), dout_copy.advance();
    if (pair < Tiles::kStep) {
      cp_async_16(row_statistics + stage * Tiles::kStep + pair, statistics + query + pair,
                  pair < queries);
    }
    cp_async_commit();
  };

  load_own(keys, in.k);
  load_own(values, in.v);
  load_queries(0, 0);
  cp_async_wait<0>();
  __syncthreads();
  LeftFactor<T, kRowTiles, D, Tiles::kHold> key_left, value_left;
  key_left.load(keys, warp_row);
  value_left.load(values, warp_row);

  Accumulators<kRowTiles, D / 8> key_gradient, value_gradient;
  clear<kRowTiles, D / 8>(key_gradient);
  clear<kRowTiles, D / 8>(value_gradient);
  int stage = 0;
  for (int query = 0; query < part.length; query += Tiles::kStep, stage ^= 1) {
    if (query > 0) {
      cp_async_wait<0>();
      __syncthreads();
    }
    if (query + Tiles::kStep < part.length) load_queries(query + Tiles::kStep, stage ^ 1);
    const T *q = stages + stage * Tiles::kStage, *dy = q + Tiles::kStepTile;
#pragma unroll
    for (int inner = 0; inner < Tiles::kStep; inner += kInner) {
      const int queries = part.length - query - inner;
      Accumulators<kRowTiles, kInner / 8> p, ds;
      multiply_transposed<T, kRowTiles, kInner / 8>(p, key_left, q, inner);
      const RowStatistics* of = row_statistics + stage * Tiles::kStep + inner + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < kInner / 8; ++n) {
        const auto two = load_pack<RowStatistics, 2>(of + 8 * n);
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
          for (int i = 0; i < 4; ++i)
            p[m][n][i] = probability(p[m][n][i], scale, two.at[i % 2].log_sum);
        }
      }
      if (queries < kInner) mask_columns<kRowTiles, kInner / 8>(p, queries, 0);
      multiply_transposed<T, kRowTiles, kInner / 8>(ds, value_left, dy, inner);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        KeptOfKeys<kInner / 8> kept;
        if constexpr (kDropout)
          kept.draw(in, part.begin + query + inner, head, part.first + warp_row + 16 * m);
#pragma unroll
        for (int n = 0; n < kInner / 8; ++n) {
          const auto two = load_pack<RowStatistics, 2>(of + 8 * n);
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            float dp = ds[m][n][i];
            if constexpr (kDropout) dp = kept(n, i) ? dp * in.kept : 0;
            ds[m][n][i] = p[m][n][i] * (dp - two.at[i % 2].delta);
            if constexpr (kDropout) p[m][n][i] = kept(n, i) ? p[m][n][i] : 0;
          }
        }
      }
      multiply_add<T, kRowTiles, kInner / 8, D / 8>(value_gradient, p, dy, inner);
      multiply_add<T, kRowTiles, kInner / 8, D / 8>(key_gradient, ds, q, inner);
    }
  }
  const Part own = kept_part[0];
  const int64_t first_row = own.begin + own.first + warp_row;
  const auto store = [&](const Accumulators<kRowTiles, D / 8>& x, float by, T* room, Rows<T> to) {
    if (!to.data) return;
    float factor[kRowTiles][2];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) factor[m][0] = factor[m][1] = by;
    store_rows<T, kRowTiles, D / 8>(x, factor, room + warp_row * D,
                                    at(to, first_row, column), to.ld,
 own.rows - warp_row,
                                    in.head_size);
  };
  store(key_gradient, in.scale, keys, dk);
  store(value_gradient, in.kept, values, dv);
}

}  // namespace ink::cuda
