// y[n] = x[ids[n]]: rows of a matrix by number, as `embedding` of a table and as `gather_rows`.
//   dx[v] = Σ dy[n] over the n with ids[n] = v, in order of n
//
// The host sorts the ids for backward, also for the CUDA device, where the result is kept with the
// ids (Storage::derived). Ids that lie on the device are fetched for that, which waits for it:
// leave ids on the host where a table is trained.
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

#if INK_CUDA
#include "cuda/row_packs.cuh"
#endif

namespace ink {
namespace {

// Raises Error when one of the ids of this shape is outside [0, V), naming the first.
void check_ids(const char* name, const int32_t* id, const Shape& shape, int64_t V) {
  for (int64_t n = 0; n < shape.size(); ++n) {
    if (id[n] >= 0 && id[n] < V) continue;
    Shape position = shape;
    for (int64_t axis = shape.rank(), rest = n; axis-- > 0;) {
      const int i = static_cast<int>(axis);
      position[i] = rest % shape[i];
      rest /= shape[i];
    }
    fail("", name, ": id ", id[n], " at position ", position, " is outside [0, ", V, ")");
  }
}

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// x (V, C), ids (N) → y (N, C)
template <class T>
void gather(Cpu, const T* x, const int32_t* ids, T* y, int64_t N, int64_t, int64_t C) {
  parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) std::copy_n(x + ids[n] * C, C, y + n * C);
  });
}

constexpr int64_t kTile = 256;  // columns whose f64 sums are held at a time

// out[c] = Σ dy[n][c] for the given n, in their order, for a tile of columns
template <class T>
void sum_rows(const T* dy, const int32_t* n, int64_t count, int64_t C, int64_t columns, T* out) {
  double total[kTile] = {};
  for (int64_t k = 0; k < count; ++k) {
    const T* row = dy + n[k] * C;
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c) total[c] += static_cast<double>(row[c]);
  }
#pragma omp simd
  for (int64_t c = 0; c < columns; ++c) out[c] = static_cast<T>(total[c]);
}

// Counting sort: the positions n of ids (N) in order of ids[n], equal ones in order of n.
// Those of id v begin at start[v].
void sort_positions(const int32_t* ids, int64_t N, int64_t V, int32_t* start, int32_t* order) {
  std::fill_n(start, V + 1, 0);
  for (int64_t n = 0; n < N; ++n) ++start[ids[n] + 1];
  for (int64_t v = 0; v < V; ++v) start[v + 1] += start[v];
  for (int64_t n = 0; n < N; ++n) order[start[ids[n]]++] = static_cast<int32_t>(n);
  for (int64_t v = V; v > 0; --v) start[v] = start[v - 1];  // each had moved on to the next
  start[0] = 0;
}

// dy (N, C) → dx (V, C). The positions of each row v stand together in `order`, from start[v] on,
// so every row of dx belongs to one thread. Few rows of a large table are met: each thread clears
// its part in one stroke, which goes past the cache, and then writes those.
template <class T>
void scatter(Cpu, const char*, const T* dy, const Tensor& ids, Tensor& dx, int64_t V) {
  const int64_t N = ids.size(), C = dx.size() / V;
  Tensor starts({V + 1}, Dtype::i32), sorted({N}, Dtype::i32);
  int32_t *start = starts.data<int32_t>(), *order = sorted.data<int32_t>();
  sort_positions(ids.data<int32_t>(), N, V, start, order);
  T* out = dx.data<T>();
  const int64_t tiles = (C + kTile - 1) / kTile, cost = (N + V) / V * std::min(C, kTile);
  const auto place = [&](int64_t task) { return task / tiles * C + task % tiles * kTile; };
  parallel_for(V * tiles, grain_for(cost / 8), [&](int64_t begin, int64_t end) {
    std::fill(out + place(begin), out + place(end), T(0));
    simd::run([&] {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t v = task / tiles, first = task % tiles * kTile;
        const int64_t count = start[v + 1] - start[v];
        if (count == 0) continue;
        sum_rows(dy + first, order + start[v], count, C, std::min(kTile, C - first),
                 out + place(task));
      }
    });
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────

// An id outside [0, V), which only ids can be that came from the device, gives a row of NaN.
template <class T, class Team>
__global__ void gather_kernel(Team team, const T* x, const int32_t* ids, T* y, int64_t N, int64_t V,
                              int64_t C, bool packed) {
  const int64_t n = team.first_row();
  if (n >= N) return;
  const int64_t id = ids[n];
  const bool inside = id >= 0 && id < V;
  cuda::each_pack<T>(team, C, [&](int64_t first) {
    float v[cuda::kPack<T>];
    cuda::load_floats(v, x + (inside ? id : 0) * C, first, inside ? C : 0, inside && packed,
                      __builtin_nanf(""));
    cuda::store_floats(y + n * C, v, first, C, packed);
  });
}

template <class T>
void gather(Cuda, const T* x, const int32_t* ids, T* y, int64_t N, int64_t V, int64_t C) {
  cuda::with_long_row_team<T>(C, [&](auto team, int threads) {
    cuda::launch("gather_rows", gather_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, ids, y, N, V, C,
                 cuda::packs<T>(C, x) && cuda::packs<T>(C, y));
  });
}

// The sorted positions cut into pieces that one warp sums each, so that a frequent id (one of two
// segments, say) is no bottleneck. An id met more than longest_piece() times has its positions in
// pieces of that many. All lists are as long as N ids of V rows could need: what is launched
// depends on that alone, and pieces and splits at the end that are not needed are empty.
struct Pieces {
  Pieces(int64_t N, int64_t V)
      : order(N),
        parts(N / (kShortest / 2)),
        pieces(std::min(N, V + parts)),
        splits(std::min(V, N / kShortest)) {}

  static constexpr int64_t kShortest = 64;  // of the pieces of an id that has several
  int64_t order;                            // positions
  int64_t parts;                            // rows of partial sums
  int64_t pieces, splits;
  int64_t numbers() const { return order + 2 * pieces + 1 + 2 * splits + 1; }

  // How they lie behind each other:
  // piece t has the positions order[begin[t]] … order[begin[t + 1] − 1],
  template <class I>
  I* begin(I* all) const {
    return all + order;
  }
  // its row of dx is to[t], or −1 − k for row k of the partial sums;
  template <class I>
  I* to(I* all) const {
    return begin(all) + pieces + 1;
  }
  // row split[s] of dx is the sum of the partial sums part[s] … part[s + 1] − 1.
  template <class I>
  I* split(I* all) const {
    return to(all) + pieces;
  }
  template <class I>
  I* part(I* all) const {
    return split(all) + splits;
  }
};

// As many partial sums as elements in each where an id is met very often.
int32_t longest_piece(const int32_t* start, int64_t V) {
  int32_t most = 0;
  for (int64_t v = 0; v < V; ++v) most = std::max(most, start[v + 1] - start[v]);
  return std::max(static_cast<int32_t>(Pieces::kShortest), static_cast<int32_t>(std::sqrt(most)));
}

// Writes the lists of sorted positions, whose order stands there already.
void cut(const Pieces& p, const int32_t* start, int64_t V, int32_t* all) {
  const int32_t longest = longest_piece(start, V);
  int32_t *begin = p.begin(all), *to = p.to(all), *split = p.split(all), *part = p.part(all);
  int32_t parts = 0;
  int64_t t = 0, s = 0;
  part[0] = 0;
  for (int32_t v = 0; v < V; ++v) {
    const bool whole = start[v + 1] - start[v] <= longest;
    for (int32_t at = start[v]; at < start[v + 1]; at += longest) {
      begin[t] = at;
      to[t++] = whole ? v : -1 - parts++;
    }
    if (!whole) split[s] = v, part[++s] = parts;
  }
  std::fill(begin + t, begin + p.pieces + 1, start[V]);
  std::fill(to + t, to + p.pieces, 0);
  std::fill(split + s, split + p.splits, 0);
  std::fill(part + s, part + p.splits + 1, parts);
}

// One warp sums a piece over a tile of columns, one pack for each lane, in order of n.
template <class T>
__global__ void sum_pieces_kernel(const T* dy, const int32_t* order, const int32_t* begin,
                                  const int32_t* to, T* dx, float* parts, int64_t pieces,
                                  int64_t tiles, int64_t C, bool packed) {
  constexpr int P = cuda::kPack<T>;
  const int64_t task = cuda::global_thread() / cuda::kWarp, piece = task / tiles;
  const int64_t lane = threadIdx.x % cuda::kWarp, first = (task % tiles * cuda::kWarp + lane) * P;
  if (piece >= pieces || first >= C) return;
  const int32_t end = begin[piece + 1];
  if (begin[piece] == end) return;
  float sum[P] = {};
#pragma unroll 4
  for (int32_t k = begin[piece]; k < end; ++k) {
    float v[P];
    cuda::load_floats(v, dy + int64_t{order[k]} * C, first, C, packed, 0.0f);
#pragma unroll
    for (int j = 0; j < P; ++j) sum[j] += v[j];
  }
  const int64_t row = to[piece];
  if (row >= 0) return cuda::store_floats(dx + row * C, sum, first, C, packed);
  for (int j = 0; j < P; ++j) {
    if (first + j < C) parts[(-1 - row) * C + first + j] = sum[j];
  }
}

// One thread adds up the partial sums of an element of dx, in order.
template <class T>
__global__ void sum_parts_kernel(const float* parts, const int32_t* split, const int32_t* part,
                                 T* dx, int64_t rows, int64_t C) {
  const int64_t i = cuda::global_thread(), row = i / C, c = i % C;
  if (row >= rows || part[row] == part[row + 1]) return;
  float sum = 0;
#pragma unroll 8
  for (int64_t k = part[row]; k < part[row + 1]; ++k) sum += parts[k * C + c];
  dx[split[row] * C + c] = cuda::narrow<T>(sum);
}

// The sorted positions of ids of the host and their pieces, on the device.
Tensor sorted_on_device(const char* name, const Tensor& ids, const Pieces& p, int64_t V) {
  const int32_t* id = ids.data<int32_t>();
  return derived_on_device(ids, {"sorted positions", {ids.offset(), ids.size(), V}}, p.numbers(),
                           [=, shape = ids.shape()](int32_t* all) {
                             check_ids(name, id, shape, V);
                             std::vector<int32_t> start(static_cast<size_t>(V) + 1);
                             sort_positions(id, shape.size(), V, start.data(), all);
                             cut(p, start.data(), V, all);
                           });
}

template <class T>
void scatter(Cuda, const char* name, const T* dy, const Tensor& ids, Tensor& dx, int64_t V) {
  constexpr int kThreads = 128;
  constexpr int64_t kColumns = cuda::kWarp * cuda::kPack<T>;  // of a warp
  const auto blocks = [](int64_t threads) { return (threads + kThreads - 1) / kThreads; };
  T* out = dx.data<T>();
  cuda_backend().clear(out, dx.bytes());
  const int64_t C = dx.size() / V, tiles = (C + kColumns - 1) / kColumns;
  const Pieces p(ids.size(), V);
  const Tensor sorted = sorted_on_device(name, ids, p, V);
  const int32_t* all = sorted.data<int32_t>();
  Tensor partial({p.parts, C}, Dtype::f32, Device::cuda);
  float* parts = partial.data<float>();
  cuda::launch("sum_pieces", sum_pieces_kernel<T>,
               {blocks(p.pieces * tiles * cuda::kWarp), kThreads}, dy, all, p.begin(all), p.to(all),
               out, parts, p.pieces, tiles, C, cuda::packs<T>(C, dy) && cuda::packs<T>(C, out));
  cuda::launch("sum_parts", sum_parts_kernel<T>, {blocks(p.splits * C), kThreads}, parts,
               p.split(all), p.part(all), out, p.splits, C);
}
#endif

// ── on tensors ──────────────────────────────────────────────────────────────────────────────────

struct SavedRows {
  Shape shape;  // of x
  Tensor ids;
};

Tensor rows_forward(const char* name, SavedRows* saved, const Tensor& x, const Tensor& ids) {
  check(x.rank() >= 1, "", name, ": expected a tensor with rows, got shape ", x.shape());
  check(ids && ids.dtype() == Dtype::i32, "", name, ": row numbers should be i32, got ",
        ids ? name_of(ids.dtype()) : "an undefined tensor");
  const Tensor packed_ids = contiguous(ids);
  if (ids.device() == Device::cpu)
    check_ids(name, packed_ids.data<int32_t>(), ids.shape(), x.dim(0));
  Shape shape = ids.shape();
  for (int axis = 1; axis < x.rank(); ++axis) shape.append(x.dim(axis));
  const Tensor here = index_on(x.device(), packed_ids), packed = contiguous(x);
  Tensor y(shape, x.dtype(), x.device());
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    const int64_t V = x.dim(0), C = x.size() / std::max<int64_t>(1, V);
    gather(device, packed.data<T>(), here.data<int32_t>(), y.data<T>(), ids.size(), V, C);
  });
  if (saved) *saved = {x.shape(), packed_ids};
  return y;
}

Grads rows_backward(const char* name, const SavedRows& s, const Tensor& dy) {
  Tensor dx(s.shape, dy.dtype(), dy.device());
  const int64_t V = s.shape[0], N = s.ids.size();
  if (dx.size() == 0) return {dx, Tensor()};
  const Tensor ids = to(s.ids, Device::cpu), packed = contiguous(dy);
  if (s.ids.device() != Device::cpu) check_ids(name, ids.data<int32_t>(), ids.shape(), V);
  check(N < std::numeric_limits<int32_t>::max(), "", name, ": too many ids to sort: ", N);
  on(name, dy, [&](auto device, auto t) {
    using T = decltype(t);
    scatter(device, name, packed.data<T>(), ids, dx, V);
  });
  return {dx, Tensor()};
}

std::vector<Sample> rows_samples(Tensor (*op)(const Tensor&, const Tensor&)) {
  const auto of = [op](const char* label, Shape table, Shape ids, bool bench = false) {
    const int64_t met = ids.size() * table[1];
    Sample s{.label = label,
             .in = {randn(table, 1), randint(ids, 2, 0, std::max<int64_t>(1, table[0]))},
             .call = [op](auto in) { return op(in[0], in[1]); },
             .bench = bench,
             .forward = moves(2, met),
             .backward = moves(1, table.size() + met)};
    if (ids.rank() > 0) s.by_row = {1};
    return s;
  };
  return {of("no ids of 3x2", {3, 2}, {0}),
          of("one id of 1x1", {1, 1}, {1}),
          of("a scalar id of 4x3", {4, 3}, {}),
          of("7 ids of 5x3", {5, 3}, {7}),
          of("2x4 ids of 3x5", {3, 5}, {2, 4}),
          of("repeated: 300 ids of 2x3", {2, 3}, {300}),
          of("wide: 5 ids of 3x301", {3, 301}, {5}),
          of("3 ids of 6x0", {6, 0}, {3}),
          of("1024 ids of 21128x768", {21128, 768}, {1024}, true)};
}

struct GatherRows {
  static constexpr const char* name = "gather_rows";
  using Saved = SavedRows;
  static Tensor forward(Saved* saved, const Tensor& x, const Tensor& rows) {
    return rows_forward(name, saved, x, rows);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return rows_backward(name, s, dy);
  }
  static std::vector<Sample> samples() {
    std::vector<Sample> list = rows_samples(&gather_rows);
    list.push_back({.label = "planes of 4x2x3",
                    .in = {randn({4, 2, 3}, 1), randint({5}, 2, 0, 4)},
                    .call = [](auto in) { return gather_rows(in[0], in[1]); }});
    return list;
  }
};

struct Embedding {
  static constexpr const char* name = "embedding";
  using Saved = SavedRows;
  static Tensor forward(Saved* saved, const Tensor& table, const Tensor& ids) {
    check(table.rank() == 2, "embedding: expected a table (V, C), got shape ", table.shape());
    return rows_forward(name, saved, table, ids);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return rows_backward(name, s, dy);
  }
  static std::vector<Sample> samples() { return rows_samples(&embedding); }
};

}  // namespace

Tensor gather_rows(const Tensor& x, const Tensor& rows) { return apply<GatherRows>(x, rows); }
Tensor embedding(const Tensor& table, const Tensor& ids) { return apply<Embedding>(table, ids); }

INK_OPS entries[] = {describe<GatherRows>(), describe<Embedding>()};

}  // namespace ink
