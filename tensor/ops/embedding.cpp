// y[n] = x[ids[n]]: rows of a matrix by number, as `embedding` of a table and as `gather_rows`.
//   dx[v] = Σ dy[n] over the n with ids[n] = v, in order of n
#include <limits>

#include "tensor/ops.h"
#include "tensor/ops/map.h"

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// x (V, C), ids (N) → y (N, C)
template <class T>
void gather(Cpu, const T* x, const int32_t* ids, T* y, int64_t N, int64_t C) {
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

// dy (N, C) → dx (V, C). The positions of each row v stand together in `order`, from start[v] on,
// so every row of dx belongs to one thread. Few rows of a large table are met: each thread clears
// its part in one stroke, which goes past the cache, and then writes those.
template <class T>
void scatter(Cpu, const T* dy, const int32_t* start, const int32_t* order, T* dx, int64_t N,
             int64_t V, int64_t C) {
  const int64_t tiles = (C + kTile - 1) / kTile, cost = (N + V) / V * std::min(C, kTile);
  const auto place = [&](int64_t task) { return task / tiles * C + task % tiles * kTile; };
  parallel_for(V * tiles, grain_for(cost / 8), [&](int64_t begin, int64_t end) {
    std::fill(dx + place(begin), dx + place(end), T(0));
    simd::run([&] {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t v = task / tiles, first = task % tiles * kTile;
        const int64_t count = start[v + 1] - start[v];
        if (count == 0) continue;
        sum_rows(dy + first, order + start[v], count, C, std::min(kTile, C - first),
                 dx + place(task));
      }
    });
  });
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

// ── on tensors ──────────────────────────────────────────────────────────────────────────────────

struct SavedRows {
  Shape shape;  // of x
  Tensor ids;
};

// Raises Error when an id is outside [0, V), naming the first.
void check_ids(const char* name, const Tensor& ids, int64_t V) {
  const int32_t* id = ids.data<int32_t>();
  for (int64_t n = 0; n < ids.size(); ++n) {
    if (id[n] >= 0 && id[n] < V) continue;
    Shape position = ids.shape();
    for (int64_t axis = ids.rank(), rest = n; axis-- > 0;) {
      const int i = static_cast<int>(axis);
      position[i] = rest % ids.dim(i);
      rest /= ids.dim(i);
    }
    fail("", name, ": id ", id[n], " at position ", position, " is outside [0, ", V, ")");
  }
}

Tensor rows_forward(const char* name, SavedRows* saved, const Tensor& x, const Tensor& ids) {
  check(x.rank() >= 1, "", name, ": expected a tensor with rows, got shape ", x.shape());
  check(ids && ids.dtype() == Dtype::i32, "", name, ": row numbers should be i32, got ",
        ids ? name_of(ids.dtype()) : "an undefined tensor");
  const Tensor packed_ids = contiguous(ids);
  check_ids(name, packed_ids, x.dim(0));
  Shape shape = ids.shape();
  for (int axis = 1; axis < x.rank(); ++axis) shape.append(x.dim(axis));
  Tensor y(shape, x.dtype());
  on(name, x, [&](auto device, auto t) {
    using T = decltype(t);
    const Tensor packed = contiguous(x);
    const int64_t C = x.size() / std::max<int64_t>(1, x.dim(0));
    gather(device, packed.data<T>(), packed_ids.data<int32_t>(), y.data<T>(), ids.size(), C);
  });
  if (saved) *saved = {x.shape(), packed_ids};
  return y;
}

Grads rows_backward(const char* name, const SavedRows& s, const Tensor& dy) {
  Tensor dx(s.shape, dy.dtype());
  const int64_t V = s.shape[0], N = s.ids.size();
  if (dx.size() == 0) return {dx, Tensor()};
  check(N < std::numeric_limits<int32_t>::max(), "", name, ": too many ids to sort: ", N);
  Tensor start({V + 1}, Dtype::i32), order({N}, Dtype::i32);
  sort_positions(s.ids.data<int32_t>(), N, V, start.data<int32_t>(), order.data<int32_t>());
  on(name, dy, [&](auto device, auto t) {
    using T = decltype(t);
    const Tensor packed = contiguous(dy);
    scatter(device, packed.data<T>(), start.data<int32_t>(), order.data<int32_t>(), dx.data<T>(), N,
            V, dx.size() / V);
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
