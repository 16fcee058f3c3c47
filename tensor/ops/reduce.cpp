// y[o, i] = factor · Σ_r x[o, r, i], in fixed blocks of r whose f64 sums are added in order.
#include "tensor/ops/reduce.h"

#include <algorithm>

#include "tensor/op.h"
#include "tensor/sums.h"

#if INK_CUDA
#include "cuda/block.cuh"
#include "cuda/long_row.cuh"
#endif

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

constexpr int64_t kRows = 128;   // of a block when the summed axis is not the last
constexpr int64_t kTile = 1024;  // columns of a block: 8 KiB of running sums stay in L1

// y[i] = factor · Σ_r x[r·I + i] for R rows and a tile of n ≤ kTile columns
template <class T, class Y>
void sum_columns(const T* x, int64_t R, int64_t I, int64_t n, double factor, Y* y) {
  double total[kTile];
  std::fill_n(total, n, 0.0);
  add_rows(x, R, I, n, total);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Y>(factor * total[i]);
}

// One level of blocks: x (O, R, I) → y (O, B, I), B blocks of `block` along R, at least one.
template <class T, class Y>
void sum_blocks(Cpu, const T* x, Y* y, Folded f, int64_t block, double factor) {
  const int64_t B = std::max<int64_t>(1, (f.R + block - 1) / block);
  const int64_t tiles = (f.I + kTile - 1) / kTile;
  const int64_t cost = std::min(f.R, block) * std::min(f.I, kTile);
  parallel_for(f.O * B * tiles, grain_for(cost), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t tile = task % tiles * kTile, b = task / tiles % B, o = task / tiles / B;
        const int64_t rows = std::min(block, f.R - b * block), n = std::min(kTile, f.I - tile);
        const T* from = x + (o * f.R + b * block) * f.I + tile;
        Y* to = y + (o * B + b) * f.I + tile;
        if (f.I == 1) {
          const auto term = [from](int64_t r) { return static_cast<double>(from[r]); };
          *to = static_cast<Y>(factor * row_sum<double>(rows, term));
        } else {
          sum_columns(from, rows, f.I, n, factor, to);
        }
      }
    });
  });
}

// x (O, R, I) → y (O, I)
template <class T>
void sum_middle(Cpu device, const T* x, T* y, Folded f, double factor) {
  const int64_t block = f.I == 1 ? kChunk : kRows, B = (f.R + block - 1) / block;
  if (B <= 1) return sum_blocks(device, x, y, f, block, factor);
  Tensor partial({f.O, B, f.I}, Dtype::f64);
  sum_blocks(device, x, partial.data<double>(), f, block, 1);
  const double* sums = partial.data<double>();
  sum_blocks(device, sums, y, {f.O, B, f.I}, B, factor);
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// Sums are f32. Where R is long and there is little else to share out, it is cut into B parts whose
// sums are added in a second launch. Shape and alignment decide about the order, nothing else.

constexpr int64_t kWantedBlocks = 528;  // four for each processor of a large device

// Parts of R, each a multiple of `unit` long but the last.
struct Parts {
  int64_t B, length;
};
Parts parts_of(int64_t R, int64_t unit, int64_t wanted) {
  const int64_t units = std::max<int64_t>(1, (R + unit - 1) / unit);
  const int64_t most = std::max<int64_t>(1, wanted), in_part = (units + most - 1) / most;
  return {(units + in_part - 1) / in_part, in_part * unit};
}

// x (O, R) → y (O, B): each team sums one part of a row.
template <class Y, class T, class Team>
__global__ void __launch_bounds__(Team::kRowsInBlock == 1 ? 256 : Team::kMostThreads)
    row_sums_kernel(Team team, const T* x, Y* y, int64_t O, int64_t R, Parts parts, float factor,
                    bool packed) {
  INK_SHARED(float, shared, [cuda::kWarp]);
  const int64_t task = team.first_row(), first = task % parts.B * parts.length;
  if (task >= O * parts.B) return;  // a whole team, and one without company at barriers
  float sums[cuda::kPack<T>] = {};
  cuda::each_in_row(team, x + task / parts.B * R + first, std::min(parts.length, R - first), packed,
                    [&](float v, int64_t, int j) { sums[j] += v; });
#pragma unroll
  for (int width = cuda::kPack<T> / 2; width > 0; width /= 2) {
#pragma unroll
    for (int j = 0; j < width; ++j) sums[j] += sums[j + width];
  }
  const float sum = team.sum(sums[0], shared);
  if (team.rank() == 0) y[task] = cuda::narrow<Y>(factor * sum);
}

template <class Y, class T>
void sum_parts_of_rows(const T* x, Y* y, int64_t O, int64_t R, Parts parts, float factor) {
  const bool packed = cuda::rows_are_packed(x, O, R);
  cuda::with_team_for(std::min(R, parts.length), [&](auto team, int threads) {
    cuda::launch("sum", row_sums_kernel<Y, T, decltype(team)>,
                 {cuda::blocks_for_rows(team, O * parts.B), threads}, team, x, y, O, R, parts,
                 factor, packed);
  });
}

// x (O, R, I) → y (O, B, I). Each block takes one part of a strip of columns: its threads stand
// `across` the strip, with P columns each, and along R. Their sums are added in order.
template <int P, class Y, class T>
__global__ void __launch_bounds__(cuda::kBlock, cuda::blocks_bound(4))
    column_sums_kernel(const T* x, Y* y, Folded f, Parts parts, int across, int64_t strips,
                       float factor) {
  INK_SHARED(float, shared, [cuda::kBlock * P]);
  const int thread = static_cast<int>(threadIdx.x), down = static_cast<int>(blockDim.x) / across;
  const int64_t o = blockIdx.x / strips, width = static_cast<int64_t>(across) * P;
  const int64_t left = blockIdx.x % strips * width, c = left + thread % across * P;
  const int64_t first = blockIdx.y * parts.length, end = std::min(f.R, first + parts.length);
  float sums[P] = {};
  if (c < f.I) {
    const int64_t r = first + thread / across;
    const T* column = x + (o * f.R + r) * f.I + c;
    cuda::each_in_flight<4>(
        r, end, down,
        [&](int64_t k) {
          return cuda::PackedWords<T, P>(cuda::load_pack<T, P>(column + (k - r) * f.I));
        },
        [&](const cuda::PackedWords<T, P>& row, int64_t) {
#pragma unroll
          for (int j = 0; j < P; ++j) sums[j] += row[j];
        });
  }
#pragma unroll
  for (int j = 0; j < P; ++j) shared[thread * P + j] = sums[j];
  __syncthreads();
  for (int i = thread; i < width && left + i < f.I; i += static_cast<int>(blockDim.x)) {
    float sum = 0;
    for (int d = 0; d < down; ++d) sum += shared[d * width + i];
    y[(o * parts.B + blockIdx.y) * f.I + left + i] = cuda::narrow<Y>(factor * sum);
  }
}

// How blocks lie on the columns of x (O, R, I).
template <int P>
struct Strips {
  int across;
  int64_t count;
  explicit Strips(Folded f) : across(cuda::threads_across((f.I + P - 1) / P, f.R)) {
    count = (f.I + across * P - 1) / (across * P);
  }
};

template <int P, class Y, class T>
void sum_strips(const T* x, Y* y, Folded f, Parts parts, float factor) {
  const Strips<P> strips(f);
  cuda::launch("sum", column_sums_kernel<P, Y, T>,
               {.blocks = f.O * strips.count, .threads = cuda::kBlock, .rows = parts.B}, x, y, f,
               parts, strips.across, strips.count, factor);
}

template <int P, class T>
void sum_columns(const T* x, T* y, Folded f, float factor) {
  const Strips<P> strips(f);
  const int64_t unit = 8 * (cuda::kBlock / strips.across);  // eight rows for each thread
  const Parts parts = parts_of(f.R, unit, kWantedBlocks / std::max<int64_t>(1, f.O * strips.count));
  if (parts.B == 1) return sum_strips<P>(x, y, f, parts, factor);
  Tensor partial({f.O, parts.B, f.I}, Dtype::f32, Device::cuda);
  float* sums = partial.data<float>();
  sum_strips<P>(x, sums, f, parts, 1);
  sum_strips<1>(sums, y, {f.O, parts.B, f.I}, {1, parts.B}, factor);
}

template <class T>
void sum_rows(const T* x, T* y, int64_t O, int64_t R, float factor) {
  const Parts parts = parts_of(R, 4096, kWantedBlocks / std::max<int64_t>(1, O));
  if (parts.B == 1) return sum_parts_of_rows(x, y, O, R, parts, factor);
  Tensor partial({O, parts.B}, Dtype::f32, Device::cuda);
  float* sums = partial.data<float>();
  sum_parts_of_rows(x, sums, O, R, parts, 1);
  sum_parts_of_rows(sums, y, O, parts.B, {1, parts.B}, factor);
}

// x (O, R, I) → y (O, I)
template <class T>
void sum_middle(Cuda, const T* x, T* y, Folded f, double factor) {
  constexpr int P = cuda::kPack<T>;
  const auto times = static_cast<float>(factor);
  if (f.I == 1) return sum_rows(x, y, f.O, f.R, times);
  const bool packed = f.I % P == 0 && cuda::is_aligned<P>(x);
  return packed ? sum_columns<P>(x, y, f, times) : sum_columns<1>(x, y, f, times);
}
#endif

}  // namespace

Folded fold(const Shape& shape, int first, int last) {
  Folded f;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    (axis < first ? f.O : axis < last ? f.R : f.I) *= shape[axis];
  }
  return f;
}

Tensor sum_axes(const char* name, const Tensor& x, int first, int last, double factor) {
  Shape shape = x.shape();
  for (int axis = first; axis < last; ++axis) shape[axis] = 1;
  Tensor y(shape, x.dtype(), x.device());
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    const Tensor packed = contiguous(x);
    sum_middle(device, packed.data<T>(), y.data<T>(), fold(x.shape(), first, last), factor);
  });
  return y;
}

Tensor reduce_to(const char* name, const Tensor& x, const Shape& shape) {
  const int extra = x.rank() - shape.rank();
  const auto is_stretched = [&](int axis) {
    return axis < extra || (shape[axis - extra] == 1 && x.dim(axis) != 1);
  };
  Tensor y = x;
  for (int first = 0; first < x.rank(); ++first) {
    int last = first;
    while (last < x.rank() && is_stretched(last)) ++last;
    if (last == first) continue;
    y = sum_axes(name, y, first, last);
    first = last;
  }
  if (extra == 0) return y;
  y = contiguous(y);
  return view(y, shape, row_major(shape), y.offset());
}

}  // namespace ink
