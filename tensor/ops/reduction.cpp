// Reductions: sum, mean and maximum over one axis or all of them; argmax over the last.
//   d sum = dy stretched;   d mean = dy/R stretched;   d maximum = dy at the first largest element
#include <cmath>
#include <limits>

#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/walk.h"

#if INK_CUDA
#include "cuda/block.cuh"
#include "cuda/long_row.cuh"
#endif

namespace ink {
namespace {

// x without the axes [first, last), all of which have extent 1.
Tensor squeezed(const Tensor& x, int first, int last) {
  Shape shape;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis < first || axis >= last) shape.append(x.dim(axis));
  }
  return view(x, shape, row_major(shape), x.offset());
}

// The reverse: dy with axes of extent 1 at [first, last), whether the result squeezed or kept them.
Tensor unsqueezed(const Tensor& dy, Shape shape, int first, int last) {
  for (int axis = first; axis < last; ++axis) shape[axis] = 1;
  const Tensor packed = contiguous(dy);
  return view(packed, shape, row_major(shape), packed.offset());
}

// A sample of a reduction over one axis, whose backward writes dx once.
Sample over_axis(const char* label, Shape shape, int axis, Sample::Call call, bool bench) {
  Sample s{.label = label,
           .in = {randn(shape, 1)},
           .call = std::move(call),
           .bench = bench,
           .backward = moves(1, shape.size())};
  if (axis_of("sample", axis, shape.rank()) > 0) s.by_row = {0};
  return s;
}

// ── sum and mean ────────────────────────────────────────────────────────────────────────────────

std::vector<Sample> samples_of(Tensor (*all)(const Tensor&),
                               Tensor (*over)(const Tensor&, int, bool)) {
  const auto whole = [all](const char* label, Shape shape, bool bench = false) {
    return Sample{.label = label,
                  .in = {randn(shape, 1)},
                  .call = [all](auto in) { return all(in[0]); },
                  .bench = bench,
                  .backward = moves(1, shape.size())};
  };
  const auto axis = [over](const char* label, Shape shape, int a, bool keep, bool bench = false) {
    return over_axis(
        label, shape, a, [=](auto in) { return over(in[0], a, keep); }, bench);
  };
  return {whole("all of a scalar", {}),
          whole("all of 3x1x5", {3, 1, 5}),
          whole("all of 41x43", {41, 43}),
          axis("0x3 over -1", {0, 3}, -1, false),
          axis("1 over 0", {1}, 0, true),
          axis("4x7 over 0", {4, 7}, 0, false),
          axis("4x7 over 1, kept", {4, 7}, 1, true),
          axis("2x3x5 over 1", {2, 3, 5}, 1, false),
          axis("2x1x2x3x4 over 2, kept", {2, 1, 2, 3, 4}, 2, true),
          axis("301x3 over 0", {301, 3}, 0, false),
          whole("all of 1024x3072", {1024, 3072}, true),
          axis("1024x3072 over 0", {1024, 3072}, 0, false, true),
          axis("1024x3072 over 1", {1024, 3072}, 1, false, true)};
}

// Both ops: y = factor·Σ x over the axes [first, last), with factor 1 or 1/R.
struct SavedSum {
  Shape shape;
  int first, last;
  double factor;
};

Tensor sum_forward(const char* name, SavedSum* saved, const Tensor& x, int first, int last,
                   bool keep, double factor) {
  if (saved) *saved = {x.shape(), first, last, factor};
  const Tensor y = sum_axes(name, x, first, last, factor);
  return keep ? y : squeezed(y, first, last);
}

Grads sum_backward(const char* name, const SavedSum& s, const Tensor& dy) {
  const Tensor g = unsqueezed(map(name, Times{s.factor}, dy), s.shape, s.first, s.last);
  return {contiguous(view(g, s.shape, stretched(g, s.shape), g.offset()))};
}

struct Sum {
  static constexpr const char* name = "sum";
  using Saved = SavedSum;
  static Tensor forward(Saved* saved, const Tensor& x, int first, int last, bool keep) {
    return sum_forward(name, saved, x, first, last, keep, 1);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return sum_backward(name, s, dy);
  }
  static std::vector<Sample> samples() { return samples_of(&sum, &sum); }
};

struct Mean {
  static constexpr const char* name = "mean";
  using Saved = SavedSum;
  static Tensor forward(Saved* saved, const Tensor& x, int first, int last, bool keep) {
    const int64_t R = fold(x.shape(), first, last).R;
    check(R > 0, "mean: nothing to average in shape ", x.shape());
    return sum_forward(name, saved, x, first, last, keep, 1 / static_cast<double>(R));
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return sum_backward(name, s, dy);
  }
  static std::vector<Sample> samples() { return samples_of(&mean, &mean); }
};

// ── maximum ─────────────────────────────────────────────────────────────────────────────────────

// A NaN counts as larger than any number, so that it is not lost.
template <class T>
INK_BOTH bool larger(T x, T best) {
  return !(x <= best) && !std::isnan(best);
}

// The largest of each of n columns of x (R, I), R > 0, and the first row that has it.
template <class T>
void first_largest_columns(const T* x, int64_t R, int64_t I, int64_t n, T* best, int32_t* index) {
  std::copy_n(x, n, best);
  std::fill_n(index, n, 0);
  for (int32_t r = 1; r < R; ++r) {
    const T* row = x + r * I;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const bool better = larger(row[i], best[i]);
      best[i] = better ? row[i] : best[i];
      index[i] = better ? r : index[i];
    }
  }
}

// The position of the first largest of x[0..n), n > 0: a long row is cut into kLanes columns.
template <class T>
int64_t first_largest(const T* x, int64_t n) {
  constexpr int64_t kLanes = 32;
  const int64_t rows = n / kLanes;
  int64_t at = 0;
  if (rows > 0) {
    T best[kLanes];
    int32_t index[kLanes];
    first_largest_columns(x, rows, kLanes, kLanes, best, index);
    at = index[0] * kLanes;
    for (int64_t l = 1; l < kLanes; ++l) {
      const int64_t here = index[l] * kLanes + l;
      if (larger(x[here], x[at]) || (!larger(x[at], x[here]) && here < at)) at = here;
    }
  }
  for (int64_t i = rows * kLanes; i < n; ++i) at = larger(x[i], x[at]) ? i : at;
  return at;
}

// x (O, R, I) → y, index (O, I)
template <class T>
void maximum_forward(Cpu, const T* x, T* y, int32_t* index, Folded f) {
  constexpr int64_t kTile = 1024;
  const int64_t tiles = (f.I + kTile - 1) / kTile;
  const int64_t cost = f.R * std::min(f.I, kTile);
  parallel_for(f.O * tiles, grain_for(cost), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t tile = task % tiles * kTile, o = task / tiles, at = o * f.I + tile;
        const T* from = x + o * f.R * f.I + tile;
        if (f.I == 1) {
          index[at] = static_cast<int32_t>(first_largest(from, f.R));
          y[at] = from[index[at]];
        } else {
          first_largest_columns(from, f.R, f.I, std::min(kTile, f.I - tile), y + at, index + at);
        }
      }
    });
  });
}

template <class T>
void spread_row(int32_t r, int64_t I, const T* dy, const int32_t* index, T* dx) {
#pragma omp simd
  for (int64_t i = 0; i < I; ++i) dx[i] = index[i] == r ? dy[i] : T(0);
}

// dx[o, r, i] = dy[o, i] where r is the index, else 0
template <class T>
void maximum_backward(Cpu, const T* dy, const int32_t* index, T* dx, Folded f) {
  if (f.I == 1) {
    parallel_for(f.O, grain_for(f.R), [&](int64_t begin, int64_t end) {
      std::fill_n(dx + begin * f.R, (end - begin) * f.R, T(0));
      for (int64_t o = begin; o < end; ++o) dx[o * f.R + index[o]] = dy[o];
    });
    return;
  }
  parallel_for(f.O * f.R, grain_for(f.I), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t row = begin; row < end; ++row) {
        const auto r = static_cast<int32_t>(row % f.R);
        spread_row(r, f.I, dy + row / f.R * f.I, index + row / f.R * f.I, dx + row * f.I);
      }
    });
  });
}

#if INK_CUDA
struct Candidate {
  float value;
  int32_t index;
};
// Loses against every element.
INK_DEVICE Candidate nobody() {
  return {-__builtin_huge_valf(), std::numeric_limits<int32_t>::max()};
}

// The larger of the two; of equals, the first.
INK_DEVICE Candidate winner(Candidate a, Candidate b) {
  const bool b_wins = larger(b.value, a.value) || (!larger(a.value, b.value) && b.index < a.index);
  return b_wins ? b : a;
}

INK_DEVICE Candidate winner_of_team(cuda::WarpTeam, Candidate best, Candidate*) {
  for (int step = cuda::kWarp / 2; step > 0; step /= 2) {
    const Candidate other{__shfl_xor_sync(cuda::kAllLanes, best.value, step),
                          __shfl_xor_sync(cuda::kAllLanes, best.index, step)};
    best = winner(best, other);
  }
  return best;
}
INK_DEVICE Candidate winner_of_team(cuda::BlockTeam, Candidate best, Candidate* part) {
  const int lane = static_cast<int>(threadIdx.x) % cuda::kWarp;
  const int warps = static_cast<int>(blockDim.x) / cuda::kWarp;
  best = winner_of_team(cuda::WarpTeam{}, best, nullptr);
  if (lane == 0) part[threadIdx.x / cuda::kWarp] = best;
  __syncthreads();
  return winner_of_team(cuda::WarpTeam{}, lane < warps ? part[lane] : nobody(), nullptr);
}

// x (O, R) → y, index (O)
template <class T, class Team>
__global__ void maximum_of_rows_kernel(Team team, const T* x, T* y, int32_t* index, int64_t O,
                                       int64_t R, bool packed) {
  INK_SHARED(Candidate, part, [cuda::kWarp]);
  const int64_t o = team.first_row();
  if (o >= O) return;  // a whole team, and one without company at barriers
  Candidate best = nobody();
  cuda::each_in_row(team, x + o * R, R, packed, [&](float v, int64_t r, int) {
    best = winner(best, {v, static_cast<int32_t>(r)});
  });
  best = winner_of_team(team, best, part);
  if (team.rank() == 0) y[o] = cuda::narrow<T>(best.value), index[o] = best.index;
}

// x (O, R, I) → y, index (O, I). A block takes a strip of columns, its threads stand `across` it
// and along R.
template <class T>
__global__ void __launch_bounds__(cuda::kBlock, cuda::blocks_bound(4))
    maximum_of_columns_kernel(const T* x, T* y, int32_t* index, Folded f, int across,
                              int64_t strips) {
  INK_SHARED(Candidate, part, [cuda::kBlock]);
  const int thread = static_cast<int>(threadIdx.x), down = static_cast<int>(blockDim.x) / across;
  const int64_t o = blockIdx.x / strips, i = blockIdx.x % strips * across + thread % across;
  Candidate best = nobody();
  if (i < f.I) {
    const T* column = x + o * f.R * f.I + i;
    cuda::each_in_flight<4>(
        thread / across, f.R, down, [&](int64_t r) { return column[r * f.I]; },
        [&](T v, int64_t r) {
          best = winner(best, {cuda::widen(v), static_cast<int32_t>(r)});
        });
  }
  part[thread] = best;
  __syncthreads();
  if (thread >= across || i >= f.I) return;
  for (int d = 1; d < down; ++d) best = winner(best, part[d * across + thread]);
  y[o * f.I + i] = cuda::narrow<T>(best.value), index[o * f.I + i] = best.index;
}

template <class T>
void maximum_forward(Cuda, const T* x, T* y, int32_t* index, Folded f) {
  if (f.I == 1) {
    const bool packed = cuda::rows_are_packed(x, f.O, f.R);
    return cuda::with_team_for(f.R, [&](auto team, int threads) {
      cuda::launch("maximum", maximum_of_rows_kernel<T, decltype(team)>,
                   {cuda::blocks_for_rows(team, f.O), threads}, team, x, y, index, f.O, f.R,
                   packed);
    });
  }
  const int across = cuda::threads_across(f.I, f.R);
  const int64_t strips = (f.I + across - 1) / across;
  cuda::launch("maximum", maximum_of_columns_kernel<T>, {f.O * strips, cuda::kBlock}, x, y, index,
               f, across, strips);
}

template <class T>
__global__ void maximum_backward_kernel(const T* dy, const int32_t* index, T* dx, Folded f) {
  constexpr int P = cuda::kPack<T>;
  const int64_t n = f.O * f.R * f.I, first = cuda::global_thread() * P;
  if (first >= n) return;
  const int64_t row = first / f.I, o = row / f.R;
  cuda::Pack<T, P> pack{};
  int64_t i = first - row * f.I, r = row - o * f.R, at = o * f.I;
#pragma unroll
  for (int j = 0; j < P; ++j) {
    if (first + j < n && index[at + i] == r) pack.at[j] = dy[at + i];
    if (++i == f.I) i = 0, ++r;
    if (r == f.R) r = 0, at += f.I;
  }
  if (first + P <= n) return cuda::store_pack(dx + first, pack);
#pragma unroll
  for (int j = 0; j < P; ++j) {
    if (first + j < n) dx[first + j] = pack.at[j];
  }
}

// dx is fresh memory, and so aligned.
template <class T>
void maximum_backward(Cuda, const T* dy, const int32_t* index, T* dx, Folded f) {
  constexpr int64_t kInBlock = 256 * cuda::kPack<T>;
  cuda::launch("maximum_backward", maximum_backward_kernel<T>,
               {(f.O * f.R * f.I + kInBlock - 1) / kInBlock, 256}, dy, index, dx, f);
}
#endif

// Largest elements of x over `axis` and where they are, both with that axis kept at extent 1.
void find_largest(const char* name, const Tensor& x, int axis, Tensor& y, Tensor& index) {
  const Folded f = fold(x.shape(), axis, axis + 1);
  check(f.R > 0 && f.R <= std::numeric_limits<int32_t>::max(), "", name, ": cannot choose among ",
        f.R, " elements along axis ", axis, " of shape ", x.shape());
  Shape shape = x.shape();
  shape[axis] = 1;
  y = Tensor(shape, x.dtype(), x.device());
  index = Tensor(shape, Dtype::i32, x.device());
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    const Tensor packed = contiguous(x);
    maximum_forward(device, packed.data<T>(), y.data<T>(), index.data<int32_t>(), f);
  });
}

struct Maximum {
  static constexpr const char* name = "maximum";
  struct Saved {
    Tensor index;
    Shape shape;
    int axis;
  };
  static Tensor forward(Saved* saved, const Tensor& x, int axis, bool keep) {
    Tensor y, index;
    find_largest(name, x, axis, y, index);
    if (saved) *saved = {index, x.shape(), axis};
    return keep ? y : squeezed(y, axis, axis + 1);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    Tensor dx(s.shape, dy.dtype(), dy.device());
    on(name, dy, [&](auto device, auto t) {
      using T = decltype(t);
      const Tensor g = contiguous(dy);
      maximum_backward(device, g.data<T>(), s.index.data<int32_t>(), dx.data<T>(),
                       fold(s.shape, s.axis, s.axis + 1));
    });
    return {dx};
  }
  static std::vector<Sample> samples() {
    const auto over = [](const char* label, Shape shape, int axis, bool keep, bool bench = false) {
      return over_axis(
          label, shape, axis, [=](auto in) { return maximum(in[0], axis, keep); }, bench);
    };
    return {over("0x3 over -1", {0, 3}, -1, false),
            over("3x0 over 0", {3, 0}, 0, true),
            over("1 over 0", {1}, 0, false),
            over("5x67 over 1", {5, 67}, 1, false),
            over("7x4 over 0, kept", {7, 4}, 0, true),
            over("2x3x5 over 1", {2, 3, 5}, 1, false),
            over("2x3x1x2x7 over -1, kept", {2, 3, 1, 2, 7}, -1, true),
            over("1024x3072 over 0", {1024, 3072}, 0, false, true),
            over("1024x3072 over 1", {1024, 3072}, 1, false, true)};
  }
};

}  // namespace

Tensor sum(const Tensor& x) { return apply<Sum>(x, 0, x.rank(), false); }
Tensor mean(const Tensor& x) { return apply<Mean>(x, 0, x.rank(), false); }
Tensor sum(const Tensor& x, int axis, bool keep) {
  const int a = axis_of("sum", axis, x.rank());
  return apply<Sum>(x, a, a + 1, keep);
}
Tensor mean(const Tensor& x, int axis, bool keep) {
  const int a = axis_of("mean", axis, x.rank());
  return apply<Mean>(x, a, a + 1, keep);
}
Tensor maximum(const Tensor& x, int axis, bool keep) {
  return apply<Maximum>(x, axis_of("maximum", axis, x.rank()), keep);
}

// Not an op: an index has no gradient, so there is nothing to record.
Tensor argmax(const Tensor& x) {
  const int axis = axis_of("argmax", -1, x.rank());
  Tensor y, index;
  find_largest("argmax", x, axis, y, index);
  return squeezed(index, axis, axis + 1);
}

INK_OPS entries[] = {describe<Sum>(), describe<Mean>(), describe<Maximum>()};

}  // namespace ink
