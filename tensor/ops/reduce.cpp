// y[o, i] = factor · Σ_r x[o, r, i], in fixed blocks of r whose f64 sums are added in order.
#include "tensor/ops/reduce.h"

#include <algorithm>

#include "tensor/op.h"
#include "tensor/sums.h"

namespace ink {
namespace {

constexpr int64_t kBlock = 128;  // rows of a block when the summed axis is not the last
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
  const int64_t block = f.I == 1 ? kChunk : kBlock, B = (f.R + block - 1) / block;
  if (B <= 1) return sum_blocks(device, x, y, f, block, factor);
  Tensor partial({f.O, B, f.I}, Dtype::f64);
  sum_blocks(device, x, partial.data<double>(), f, block, 1);
  const double* sums = partial.data<double>();
  sum_blocks(device, sums, y, {f.O, B, f.I}, B, factor);
}

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
  Tensor y(shape, x.dtype());
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
