// Gradients of attention on tensor cores, in two kernels that compute the probabilities anew:
//
//   P = exp(q kᵀ·scale − log_sum),  M the mask over 1 − dropout,  δᵢ = Σ_c dout·out
//   dS = P ∘ (M ∘ dout vᵀ − δ),  dq = scale·dS k          attention_query_gradient_kernel
//   dk = scale·dSᵀ q,            dv = (P ∘ M)ᵀ dout       attention_key_gradient_kernel
//
// One kernel could share S and dS (Dao 2023), but its blocks would have to add to dq one after
// another or by atomics. Two need 7 products instead of 5; in return dS never leaves the registers
// of the warp that computes it: the first kernel has queries as rows of its fragments, the second
// keys, so that dS is each time a left factor as it stands. No order of additions depends on
// chance.
#pragma once
#include "cuda/attention_dropout.cuh"
#include "cuda/fragments.cuh"

namespace ink::cuda {

// What the second kernel needs of two neighbouring queries and a head: 16 bytes.
struct PairStatistics {
  float log_sum[2];  // in units of log 2
  float delta[2];
};

// Statistics of one head: the pairs of a sequence stand together.
INK_BOTH constexpr int64_t first_pair(int64_t row, int64_t sequence) {
  return (row + sequence) / 2;
}
INK_BOTH constexpr int64_t pairs_of(int64_t rows, int64_t sequences) {
  return (rows + sequences + 1) / 2;
}

// A block has kWarps · kRowTiles · 16 rows (of queries or keys) and meets kStep rows of the other
// kind at a time, of which kInner at once in registers.
template <int kHeadSize_, int kWarps_, int kRowTiles_, int kStep_, int kInner_, int kHeld_,
          int kHeldToo_, int kBlocks_>
struct BackwardTiles {
  static constexpr int kHeadSize = kHeadSize_, kWarps = kWarps_, kRowTiles = kRowTiles_;
  static constexpr int kStep = kStep_, kInner = kInner_;
  static constexpr int kHeld = kHeld_;        // of own k or q in registers, in 16 columns
  static constexpr int kHeldToo = kHeldToo_;  // of own v or dout
  static constexpr int kBlocks = kBlocks_;    // per multiprocessor
  static constexpr int kThreads = kWarps * kWarp, kWarpRows = 16 * kRowTiles;
  static constexpr int kRows = kWarps * kWarpRows;
  static constexpr int kStepTile = kStep * kHeadSize, kRowTile = kRows * kHeadSize;  // elements
  static constexpr int kStage = 2 * kStepTile;
  static constexpr size_t kShared = 2 * static_cast<size_t>(2 * kRowTile + 2 * kStage);
  static constexpr size_t kStatistics = kStep * sizeof(PairStatistics);  // bytes, both stages
  static_assert(kStep % kInner == 0 && kInner % 16 == 0);
};

// exp(s·scale − log_sum) with everything in units of log 2.
INK_DEVICE float probability(float s, float scale, float log_sum) {
  return exp2_approx(fmaf(s, scale, -log_sum));
}

// δ of a warp's rows: the four lanes that share a row of its fragments take every fourth chunk.
template <int kRowTiles, int kColumns, class T>
INK_DEVICE void row_deltas(Rows<const T> out, Rows<const T> dout, int64_t row, int64_t column,
                           int rows, int columns, float (&delta)[kRowTiles][2]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int own = 16 * m + 8 * half + lane / 4;
      float sum = 0;
#pragma unroll
      for (int c = lane % 4 * kChunk; c < kColumns; c += 4 * kChunk) {
        if (own >= rows || c >= columns) continue;
        const auto x = load_pack<T, kChunk>(at(out, row + own, column + c));
        const auto y = load_pack<T, kChunk>(at(dout, row + own, column + c));
#pragma unroll
        for (int i = 0; i < kChunk; ++i) sum = fmaf(widen(x.at[i]), widen(y.at[i]), sum);
      }
      delta[m][half] = quad_sum(sum);
    }
  }
}

// dq (null: not wanted), and the statistics of every row.
template <class T, class Tiles, bool kDropout>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kBlocks)
    attention_query_gradient_kernel(PackedAttention<T> in, Rows<const T> out, const float* log_sum,
                                    Rows<const T> dout, PairStatistics* statistics, Rows<T> dq) {
  constexpr int D = Tiles::kHeadSize, kRowTiles = Tiles::kRowTiles, kInner = Tiles::kInner;
  INK_DYNAMIC_SHARED(T, shared);
  INK_SHARED(Part, kept_part, [1]);  // for the end: registers are short in between
  constexpr int kDouts = Tiles::kRowTile, kStages = 2 * Tiles::kRowTile;  // behind the queries

  const Part part = part_of_slot<Tiles::kRows>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  if (threadIdx.x == 0) kept_part[0] = part;
  const int head = static_cast<int>(blockIdx.y), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp_row = warp * Tiles::kWarpRows, rows = part.rows - warp_row;
  const int64_t column = static_cast<int64_t>(head) * in.head_size;
  const int first_query = part.begin + part.first;

  const auto load_own = [&](T* tile, Rows<const T> x) {
    copy_tile<Tiles::kRows, D, Tiles::kThreads>(tile, at(x, first_query, column), x.ld, part.rows,
                                                in.head_size);
  };
  const auto load_keys = [&](int key, int stage) {
    T* tile = shared + kStages + stage * Tiles::kStage;
    copy_tile<Tiles::kStep, D, Tiles::kThreads>(tile, at(in.k, part.begin + key, column), in.k.ld,
                                                part.length - key, in.head_size);
    copy_tile<Tiles::kStep, D, Tiles::kThreads>(tile + Tiles::kStepTile,
                                                at(in.v, part.begin + key, column), in.v.ld,
                                                part.length - key, in.head_size);
    cp_async_commit();
  };

  load_own(shared, in.q);
  load_own(shared + kDouts, dout);
  load_keys(0, 0);
  float delta[kRowTiles][2], total[kRowTiles][2];
  row_deltas<kRowTiles, D>(out, dout, first_query + warp_row, column, rows, in.head_size, delta);
  statistics += head * pairs_of(in.rows, in.sequences) + first_pair(part.begin, part.sequence) +
                (part.first + warp_row) / 2;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = 16 * m + 8 * half + lane / 4;
      const int64_t of = int64_t{first_query + warp_row + row} * in.heads + head;
      total[m][half] = row < rows ? log_sum[of] * kLog2E : 0;
      const bool paired = row < rows + (rows & 1);  // zeros behind an odd number of rows
      if (paired && lane % 4 == 0) {
        statistics[row / 2].log_sum[row % 2] = total[m][half];
        statistics[row / 2].delta[row % 2] = delta[m][half];
      }
    }
  }
  if (!dq.data) return;

  cp_async_wait<0>();
  __syncthreads();
  LeftFactor<T, kRowTiles, D, Tiles::kHeld> left;
  LeftFactor<T, kRowTiles, D, Tiles::kHeldToo> dout_left;
  left.load({shared, warp_row * D});
  dout_left.load({shared, kDouts + warp_row * D});
  Accumulators<kRowTiles, D / 8> gradient;
  clear<kRowTiles, D / 8>(gradient);
  const PhiloxKey stream = kDropout ? in.key.get() : PhiloxKey{};
  int stage = 0;
  for (int key = 0; key < part.length; key += Tiles::kStep, stage ^= 1) {
    if (key > 0) {
      cp_async_wait<0>();
      __syncthreads();
    }
    if (key + Tiles::kStep < part.length) load_keys(key + Tiles::kStep, stage ^ 1);
#pragma unroll 1
    for (int inner = 0; inner < Tiles::kStep; inner += kInner) {
      const int place = kStages + stage * Tiles::kStage + inner * D;
      const Tile<T> k{shared, place}, v{shared, place + Tiles::kStepTile};
      Accumulators<kRowTiles, kInner / 8> s, ds;
      multiply_transposed<T, kRowTiles, kInner / 8>(s, left, k);
      multiply_transposed<T, kRowTiles, kInner / 8>(ds, dout_left, v);
      const int keys = part.length - key - inner;
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        DroppedScores<kInner / 8> dropped;
        if constexpr (kDropout)
          dropped.draw_for_queries(in, stream, first_query + warp_row + 16 * m, head, key + inner);
#pragma unroll
        for (int n = 0; n < kInner / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const float p = probability(s[m][n][i], in.scale_log2, total[m][i / 2]);
            float dp = ds[m][n][i];
            if constexpr (kDropout) dp = dropped(n, i) ? 0 : dp * in.kept;
            ds[m][n][i] = p * (dp - delta[m][i / 2]);
          }
        }
      }
      if (keys < kInner) mask_columns<kRowTiles, kInner / 8>(ds, keys, 0);
      multiply_add<T, kRowTiles, kInner / 8, D / 8>(gradient, ds, k);
    }
  }
  const Part own = kept_part[0];
  float factor[kRowTiles][2];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) factor[m][0] = factor[m][1] = in.scale;
  store_rows<T, kRowTiles, D / 8>(gradient, factor, shared + warp_row * D,
                                  at(dq, own.begin + own.first + warp_row, column), dq.ld,
                                  own.rows - warp_row, in.head_size);
}

// dk and dv (null: not wanted).
template <class T, class Tiles, bool kDropout>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kBlocks)
    attention_key_gradient_kernel(PackedAttention<T> in, Rows<const T> dout,
                                  const PairStatistics* statistics, Rows<T> dk, Rows<T> dv) {
  constexpr int D = Tiles::kHeadSize, kRowTiles = Tiles::kRowTiles, kInner = Tiles::kInner;
  constexpr int kPairs = Tiles::kStep / 2;
  INK_DYNAMIC_SHARED(T, shared);
  constexpr int kValues = Tiles::kRowTile, kStages = 2 * Tiles::kRowTile;  // behind the keys
  auto* pairs = reinterpret_cast<PairStatistics*>(shared + kStages + 2 * Tiles::kStage);

  INK_SHARED(Part, kept_part, [1]);  // for the end: registers are short in between

  const Part part = part_of_slot<Tiles::kRows>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  if (threadIdx.x == 0) kept_part[0] = part;
  const int head = static_cast<int>(blockIdx.y), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp_row = warp * Tiles::kWarpRows;
  const int64_t column = static_cast<int64_t>(head) * in.head_size;
  const int first_key = part.begin + part.first;
  statistics += head * pairs_of(in.rows, in.sequences) + first_pair(part.begin, part.sequence);

  const auto load_own = [&](T* tile, Rows<const T> x) {
    copy_tile<Tiles::kRows, D, Tiles::kThreads>(tile, at(x, first_key, column), x.ld, part.rows,
                                                in.head_size);
  };
  const auto load_queries = [&](int query, int stage) {
    const int queries = part.length - query, pair = static_cast<int>(threadIdx.x);
    T* tile = shared + kStages + stage * Tiles::kStage;
    copy_tile<Tiles::kStep, D, Tiles::kThreads>(tile, at(in.q, part.begin + query, column), in.q.ld,
                                                queries, in.head_size);
    copy_tile<Tiles::kStep, D, Tiles::kThreads>(tile + Tiles::kStepTile,
                                                at(dout, part.begin + query, column), dout.ld,
                                                queries, in.head_size);
    if (pair < kPairs) {
      cp_async_16(pairs + stage * kPairs + pair, statistics + query / 2 + pair, 2 * pair < queries);
    }
    cp_async_commit();
  };

  load_own(shared, in.k);
  load_own(shared + kValues, in.v);
  load_queries(0, 0);
  cp_async_wait<0>();
  __syncthreads();
  LeftFactor<T, kRowTiles, D, Tiles::kHeld> key_left;
  LeftFactor<T, kRowTiles, D, Tiles::kHeldToo> value_left;
  key_left.load({shared, warp_row * D});
  value_left.load({shared, kValues + warp_row * D});

  Accumulators<kRowTiles, D / 8> key_gradient, value_gradient;
  clear<kRowTiles, D / 8>(key_gradient);
  clear<kRowTiles, D / 8>(value_gradient);
  const PhiloxKey stream = kDropout ? in.key.get() : PhiloxKey{};
  int stage = 0;
  for (int query = 0; query < part.length; query += Tiles::kStep, stage ^= 1) {
    if (query > 0) {
      cp_async_wait<0>();
      __syncthreads();
    }
    if (query + Tiles::kStep < part.length) load_queries(query + Tiles::kStep, stage ^ 1);
#pragma unroll 1
    for (int inner = 0; inner < Tiles::kStep; inner += kInner) {
      const int queries = part.length - query - inner;
      const int place = kStages + stage * Tiles::kStage + inner * D;
      const Tile<T> q{shared, place}, dy{shared, place + Tiles::kStepTile};
      Accumulators<kRowTiles, kInner / 8> p, ds;
      multiply_transposed<T, kRowTiles, kInner / 8>(p, key_left, q);
      const PairStatistics* of = pairs + stage * kPairs + inner / 2 + lane % 4;
#pragma unroll
      for (int n = 0; n < kInner / 8; ++n) {
        const auto log_sum = load_pack<float, 2>(of[4 * n].log_sum);
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
          for (int i = 0; i < 4; ++i)
            p[m][n][i] = probability(p[m][n][i], in.scale_log2, log_sum.at[i % 2]);
        }
      }
      // Zeros behind the last query times an infinite key are NaN.
      if (queries < kInner) mask_columns<kRowTiles, kInner / 8>(p, queries, 0);
      multiply_transposed<T, kRowTiles, kInner / 8>(ds, value_left, dy);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        DroppedScores<kInner / 8> dropped;
        if constexpr (kDropout)
          dropped.draw_for_keys(in, stream, part.begin + query + inner, head,
                                part.first + warp_row + 16 * m);
#pragma unroll
        for (int n = 0; n < kInner / 8; ++n) {
          const auto delta = load_pack<float, 2>(of[4 * n].delta);
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            float dp = ds[m][n][i];
            if constexpr (kDropout) dp = dropped(n, i) ? 0 : dp * in.kept;
            ds[m][n][i] = p[m][n][i] * (dp - delta.at[i % 2]);
            if constexpr (kDropout) p[m][n][i] = dropped(n, i) ? 0 : p[m][n][i];
          }
        }
      }
      multiply_add<T, kRowTiles, kInner / 8, D / 8>(value_gradient, p, dy);
      multiply_add<T, kRowTiles, kInner / 8, D / 8>(key_gradient, ds, q);
    }
  }
  const Part own = kept_part[0];
  const int first_row = own.begin + own.first + warp_row;
  const auto store = [&](const Accumulators<kRowTiles, D / 8>& x, float by, T* room, Rows<T> to) {
    if (!to.data) return;
    float factor[kRowTiles][2];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) factor[m][0] = factor[m][1] = by;
    store_rows<T, kRowTiles, D / 8>(x, factor, room + warp_row * D, at(to, first_row, column),
                                    to.ld, own.rows - warp_row, in.head_size);
  };
  store(key_gradient, in.scale, shared, dk);
  store(value_gradient, in.kept, shared + kValues, dv);
}

}  // namespace ink::cuda
