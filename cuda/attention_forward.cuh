// out = drop(softmax(q kᵀ·scale)) v on tensor cores (Dao 2023, FlashAttention-2).
//
// A block has a tile of queries of one head and walks over the sequence's keys. Each warp has rows
// of its own: their scores, running maximum and sum, and Σ p·v stay in its registers, and only keys
// and values, double-buffered, pass through shared memory.
//
// The running maximum may lag behind by 2⁸: as long as no score exceeds it by more, p is at most
// 256, nothing has to be scaled anew, and no lane asks another for its maximum.
#pragma once
#include "cuda/attention_dropout.cuh"
#include "cuda/fragments.cuh"

namespace ink::cuda {

// How the work of a block is cut. D is the head size, or the next one that is instantiated.
template <int kHeadSize_, int kWarps_, int kRowTiles_, int kKeys_, int kHeld_, int kBlocks_>
struct ForwardTiles {
  static constexpr int kHeadSize = kHeadSize_, kWarps = kWarps_;
  static constexpr int kRowTiles = kRowTiles_;  // of 16 queries, per warp
  static constexpr int kKeys = kKeys_;          // per step
  static constexpr int kHeld = kHeld_;          // of queries in registers, in 16 columns
  static constexpr int kBlocks = kBlocks_;      // per multiprocessor
  static constexpr int kThreads = kWarps * kWarp, kWarpRows = 16 * kRowTiles;
  static constexpr int kQueries = kWarps * kWarpRows;
  static constexpr int kKeyTile = kKeys * kHeadSize, kStage = 2 * kKeyTile;  // elements
  static constexpr size_t kShared = 2 * static_cast<size_t>(kQueries * kHeadSize + 2 * kStage);
};

inline constexpr float kLag = 8;  // log2

// Running maximum (times scale·log2 e) and this lane's part of the running sum of its rows.
template <int kRowTiles, int kColumnTiles>
struct OnlineSoftmax {
  float maximum[kRowTiles][2], sum[kRowTiles][2];

  INK_DEVICE OnlineSoftmax() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half)
        maximum[m][half] = -__builtin_huge_valf(), sum[m][half] = 0;
    }
  }

  // Brings `values` to new maxima where the old ones lag too far behind the scores.
  template <int kInner>
  INK_DEVICE void follow(const Accumulators<kRowTiles, kInner>& s, float scale,
                         Accumulators<kRowTiles, kColumnTiles>& values) {
    float seen[kRowTiles][2];
    bool lags = false;
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float largest = s[m][0][2 * half];
#pragma unroll
        for (int n = 0; n < kInner; ++n)
          largest = fmaxf(fmaxf(largest, s[m][n][2 * half]), s[m][n][2 * half + 1]);
        seen[m][half] = largest * scale;
        lags = lags || seen[m][half] > maximum[m][half] + kLag;
      }
    }
    if (__any_sync(kAllLanes, lags)) move(seen, values);
  }

  // s becomes exp(s·scale − maximum), and is summed.
  template <int kInner>
  INK_DEVICE void exponentiate(Accumulators<kRowTiles, kInner>& s, float scale) {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kInner; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          s[m][n][i] = exp2_approx(fmaf(s[m][n][i], scale, -maximum[m][i / 2]));
          sum[m][i / 2] += s[m][n][i];
        }
      }
    }
  }

 private:
  INK_DEVICE void move(const float (&seen)[kRowTiles][2],
                       Accumulators<kRowTiles, kColumnTiles>& values) {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float largest = quad_max(seen[m][half]), old = maximum[m][half];
        const bool moves = largest > old + kLag;
        const float factor = moves ? exp2_approx(old - largest) : 1;
        maximum[m][half] = moves ? largest : old;
        sum[m][half] *= factor;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
          values[m][n][2 * half] *= factor, values[m][n][2 * half + 1] *= factor;
      }
    }
  }
};

// `query`: row of the batch of the warp's first score.
template <class T, int kRowTiles, int kColumnTiles>
INK_DEVICE void drop(Accumulators<kRowTiles, kColumnTiles>& p, const PackedAttention<T>& in,
                     PhiloxKey stream, int64_t query, int head, int key) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
    DroppedScores<kColumnTiles> dropped;
    dropped.draw_for_queries(in, stream, query + 16 * m, head, key);
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) p[m][n][i] = dropped(n, i) ? 0 : p[m][n][i];
    }
  }
}

// log_sum (N, H) may be null.
template <class T, class Tiles, bool kDropout>
__global__ void __launch_bounds__(Tiles::kThreads, Tiles::kBlocks)
    attention_forward_kernel(PackedAttention<T> in, Rows<T> out, float* log_sum) {
  constexpr int D = Tiles::kHeadSize, kRowTiles = Tiles::kRowTiles, kKeys = Tiles::kKeys;
  INK_DYNAMIC_SHARED(T, shared);
  constexpr int kStages = Tiles::kQueries * D;  // behind the queries

  INK_SHARED(Part, kept_part, [1]);  // for the end: registers are short in between

  const Part part = part_of_slot<Tiles::kQueries>(in, static_cast<int>(blockIdx.x));
  if (part.rows <= 0) return;
  if (threadIdx.x == 0) kept_part[0] = part;
  const int head = static_cast<int>(blockIdx.y), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warp_row = warp * Tiles::kWarpRows;
  const int64_t column = static_cast<int64_t>(head) * in.head_size;
  const int first_query = part.begin + part.first;

  const auto load_keys = [&](int key, int stage) {
    const int rows = part.length - key;
    T* tile = shared + kStages + stage * Tiles::kStage;
    copy_tile<kKeys, D, Tiles::kThreads>(tile, at(in.k, part.begin + key, column), in.k.ld, rows,
                                         in.head_size);
    copy_tile<kKeys, D, Tiles::kThreads>(tile + Tiles::kKeyTile, at(in.v, part.begin + key, column),
                                         in.v.ld, rows, in.head_size);
    cp_async_commit();
  };

  copy_tile<Tiles::kQueries, D, Tiles::kThreads>(shared, at(in.q, first_query, column), in.q.ld,
                                                 part.rows, in.head_size);
  load_keys(0, 0);
  cp_async_wait<0>();
  __syncthreads();
  LeftFactor<T, kRowTiles, D, Tiles::kHeld> left;
  left.load({shared, warp_row * D});

  Accumulators<kRowTiles, D / 8> values;
  clear<kRowTiles, D / 8>(values);
  OnlineSoftmax<kRowTiles, D / 8> softmax;
  const PhiloxKey stream = kDropout ? in.key.get() : PhiloxKey{};
  int stage = 0;
  for (int key = 0; key < part.length; key += kKeys, stage ^= 1) {
    if (key > 0) {
      cp_async_wait<0>();
      __syncthreads();
    }
    if (key + kKeys < part.length) load_keys(key + kKeys, stage ^ 1);
    const int tile = kStages + stage * Tiles::kStage;
    Accumulators<kRowTiles, kKeys / 8> s;
    multiply_transposed<T, kRowTiles, kKeys / 8>(s, left, {shared, tile});
    if (key + kKeys > part.length)
      mask_columns<kRowTiles, kKeys / 8>(s, part.length - key, -__builtin_huge_valf());
    softmax.template follow<kKeys / 8>(s, in.scale_log2, values);
    softmax.template exponentiate<kKeys / 8>(s, in.scale_log2);
    if constexpr (kDropout)
      drop<T, kRowTiles, kKeys / 8>(s, in, stream, first_query + warp_row, head, key);
    multiply_add<T, kRowTiles, kKeys / 8, D / 8>(values, s, {shared, tile + Tiles::kKeyTile});
  }

  const Part own = kept_part[0];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, rows = own.rows - warp_row;
  const int first_row = own.begin + own.first + warp_row;
  float factor[kRowTiles][2];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = quad_sum(softmax.sum[m][half]);
      factor[m][half] = in.kept / sum;
      const int row = 16 * m + 8 * half + lane / 4;
      if (log_sum && row < rows && lane % 4 == 0) {
        log_sum[int64_t{first_row + row} * in.heads + head] =
            softmax.maximum[m][half] * kLn2 + logf(sum);
      }
    }
  }
  store_rows<T, kRowTiles, D / 8>(values, factor, shared + warp_row * D, at(out, first_row, column),
                                  out.ld, rows, in.head_size);
}

}  // namespace ink::cuda
