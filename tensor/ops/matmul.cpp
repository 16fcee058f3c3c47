// C = op(A)·op(B) for every matrix of a batch, op the identity or the transpose.
//   dA = dC·op(B)ᵀ (or its transpose), dB = op(A)ᵀ·dC (or its transpose), by the same kernels: no
//   transpose is ever written out.
#include "tensor/expect.h"
#include "tensor/gemm.h"
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/walk.h"

#if INK_CUDA
#include "cuda/gemm.h"
#endif

namespace ink {
namespace {

// How the kernels read the last two axes of a tensor: row by row at a distance `ld`, or column by
// column, as transpose() leaves them.
struct Layout {
  bool fits, by_columns;
  int64_t ld;
};

Layout layout_of(const Tensor& x) {
  const int64_t rows = x.dim(-2), columns = x.dim(-1);
  const int64_t down = rows > 1 ? x.strides()[-2] : std::max<int64_t>(1, columns);
  const int64_t across = columns > 1 ? x.strides()[-1] : 1;
  if (across == 1 && down >= columns) return {true, false, down};
  const int64_t next = columns > 1 ? x.strides()[-1] : std::max<int64_t>(1, rows);
  if ((rows <= 1 || x.strides()[-2] == 1) && next >= rows) return {true, true, next};
  return {false, false, 0};
}

// x itself where the kernels can read it as it lies, otherwise a packed copy.
Tensor readable(const Tensor& x) { return layout_of(x).fits ? x : contiguous(x); }

Shape batch_of(const Shape& shape) {
  return Shape(std::span(shape.begin(), static_cast<size_t>(shape.rank() - 2)));
}

// The strides of the leading axes of x, stretched to `batch`.
Strides batch_strides(const Tensor& x, const Shape& batch) {
  Shape shape = batch;
  shape.append(x.dim(-2));
  shape.append(x.dim(-1));
  const Strides all = stretched(x, shape);
  return Strides(std::span(all.begin(), static_cast<size_t>(batch.rank())));
}

// Products of one form: those of A at Walk's first offsets and B at its second, C at multiples of
// M·N.
struct Products {
  bool transpose_a, transpose_b;
  int64_t M, N, K, lda, ldb;
};

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// Small products are handed out whole, large ones are cut up inside, one after the other.
constexpr double kLargeProduct = 4e6, kChunk = 1e5;  // multiply-adds

template <class T>
void multiply(Cpu, const Products& p, const Walk<2>& walk, int64_t batch, const T* a, const T* b,
              T* c) {
  const auto some = [&](int64_t begin, int64_t end) {
    T* each = c + begin * p.M * p.N;
    walk.each(begin, end, [&](auto at, int64_t count) {
      for (int64_t i = 0; i < count; ++i, each += p.M * p.N) {
        gemm(p.transpose_a, p.transpose_b, p.M, p.N, p.K, a + at[0], p.lda, b + at[1], p.ldb, each,
             p.N);
        at[0] += walk.steps()[0];
        at[1] += walk.steps()[1];
      }
    });
  };
  const double work =
      static_cast<double>(p.M) * static_cast<double>(p.N) * static_cast<double>(p.K);
  if (work >= kLargeProduct || batch == 1) return some(0, batch);
  parallel_for(batch, static_cast<int64_t>(kChunk / std::max(work, 1.0)) + 1, some);
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// One call for as many products as lie at equal distances.

template <class T>
void multiply(Cuda, const Products& p, const Walk<2>& walk, int64_t batch, const T* a, const T* b,
              T* c) {
  walk.each(0, batch, [&](auto at, int64_t count) {
    cuda::gemm(p.M, p.N, p.K, {a + at[0], p.lda, p.transpose_a, walk.steps()[0]},
               {b + at[1], p.ldb, p.transpose_b, walk.steps()[1]}, {c, p.N, p.M * p.N},
               {.batch = count});
    c += count * p.M * p.N;
  });
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

// C, contiguous (…, M, N); not recorded.
Tensor product(const Tensor& left, const Tensor& right, bool transpose_a, bool transpose_b) {
  const Tensor a = readable(left), b = readable(right);
  const int64_t M = a.dim(transpose_a ? -1 : -2), K = a.dim(transpose_a ? -2 : -1);
  const int64_t N = b.dim(transpose_b ? -2 : -1);
  const Shape batch = broadcast("matmul", batch_of(a.shape()), batch_of(b.shape()));
  Shape shape = batch;
  shape.append(M);
  shape.append(N);
  Tensor c(shape, a.dtype(), a.device());
  if (c.size() == 0) return c;
  const Layout la = layout_of(a), lb = layout_of(b);
  const bool ta = transpose_a != la.by_columns, tb = transpose_b != lb.by_columns;
  const Walk<2> walk(batch, {batch_strides(a, batch), batch_strides(b, batch)});
  on("matmul", a, [&](auto device, auto t) {
    using T = decltype(t);
    multiply(device, Products{ta, tb, M, N, K, la.ld, lb.ld}, walk, batch.size(), a.data<T>(),
             b.data<T>(), c.data<T>());
  });
  return c;
}

// A batch times one matrix is one product with more rows.
Tensor with_rows_joined(const Tensor& a) {
  const Tensor packed = contiguous(a);
  const int64_t K = a.dim(-1);
  return view(packed, {K ? a.size() / K : batch_of(a.shape()).size() * a.dim(-2), K},
              {std::max<int64_t>(1, K), 1}, packed.offset());
}

Tensor seen_as(const Tensor& x, const Shape& shape) {
  return view(x, shape, row_major(shape), x.offset());
}

struct Matmul {
  static constexpr const char* name = "matmul";
  struct Saved {
    Tensor a, b;
    Shape a_shape;  // before its rows were joined
    bool transpose_a, transpose_b;
  };

  static Tensor forward(Saved* saved, const Tensor& a, const Tensor& b, bool transpose_a,
                        bool transpose_b) {
    check_operands(a, b, transpose_a, transpose_b);
    const bool joined = a.rank() > 2 && b.rank() == 2 && !transpose_a;
    const Tensor left = joined ? with_rows_joined(a) : a;
    Tensor c = product(left, b, transpose_a, transpose_b);
    if (saved) *saved = {left, b, a.shape(), transpose_a, transpose_b};
    if (!joined) return c;
    Shape shape = a.shape();
    shape[-1] = c.dim(1);
    return seen_as(c, shape);
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    const bool ta = s.transpose_a, tb = s.transpose_b;
    const Tensor dc = s.a.rank() < dy.rank() && s.b.rank() == 2 ? with_rows_joined(dy) : dy;
    Tensor da, db;
    if (wanted[0]) {
      da = ta ? product(s.b, dc, tb, true) : product(dc, s.b, false, !tb);
      da = seen_as(reduce_to(name, da, s.a.shape()), s.a_shape);
    }
    if (wanted[1]) {
      db = tb ? product(dc, s.a, true, ta) : product(s.a, dc, !ta, false);
      db = reduce_to(name, db, s.b.shape());
    }
    return {da, db};
  }

  static void check_operands(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
    check(a.rank() >= 2 && b.rank() >= 2, "matmul: expected matrices, got shapes ", a.shape(),
          " and ", b.shape());
    check(a.dtype() == b.dtype(), "matmul: expected operands of one type, got ", name_of(a.dtype()),
          " and ", name_of(b.dtype()));
    expect_one_device("matmul", a, b);
    const auto flag = [](bool transposed) { return transposed ? " transposed" : ""; };
    check(a.dim(transpose_a ? -2 : -1) == b.dim(transpose_b ? -1 : -2), "matmul: ", a.shape(),
          flag(transpose_a), " times ", b.shape(), flag(transpose_b),
          ": the inner extents should be equal");
  }

  static std::vector<Sample> samples() {
    using Rows = std::vector<size_t>;
    const auto of = [](const char* label, Shape a, Shape b, bool ta = false, bool tb = false,
                       Rows by_row = {}) {
      return Sample{.label = label,
                    .in = {randn(a, 1), randn(b, 2)},
                    .call = [=](auto in) { return matmul(in[0], in[1], ta, tb); },
                    .by_row = std::move(by_row)};
    };
    // `products` of (M, K) × (K, N)
    const auto large = [](Sample s, double products, double M, double K, double N) {
      const double flops = 2 * products * M * K * N;
      s.bench = true;
      s.forward.flops = flops;
      s.backward = {2 * flops, products * (2 * (M * K + K * N) + M * N)};
      return s;
    };
    return {of("1x1 1x1", {1, 1}, {1, 1}),
            of("no rows", {0, 3}, {3, 2}),
            of("no columns", {2, 3}, {3, 0}),
            of("no terms", {2, 0}, {0, 3}),
            of("no matrices", {0, 2, 3}, {3, 4}),
            of("5x7 7x3", {5, 7}, {7, 3}, false, false, {0}),
            of("5x7 7x3, a transposed", {7, 5}, {7, 3}, true),
            of("5x7 7x3, b transposed", {5, 7}, {3, 7}, false, true, {0}),
            of("5x7 7x3, both transposed", {7, 5}, {3, 7}, true, true),
            of("17x19 19x33", {17, 19}, {19, 33}, false, false, {0}),
            of("batch 2x3", {2, 3, 4, 5}, {2, 3, 5, 2}, false, false, {0, 1}),
            of("batch times matrix", {2, 3, 4, 5}, {5, 2}, false, false, {0}),
            of("batch times transposed", {3, 4, 5}, {2, 5}, false, true, {0}),
            of("transposed batch times matrix", {3, 5, 4}, {5, 2}, true, false, {0}),
            of("matrix times batch", {4, 5}, {3, 5, 2}),
            of("batch 2x1 by 3", {2, 1, 4, 5}, {3, 2, 5}, false, true, {0}),
            large(of("1024x768 768x3072", {1024, 768}, {768, 3072}, false, false, {0}), 1, 1024,
                  768, 3072),
            large(of("96 heads 128x64 64x128", {96, 128, 64}, {96, 128, 64}, false, true, {0, 1}),
                  96, 128, 64, 128)};
  }
};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  return apply<Matmul>(a, b, transpose_a, transpose_b);
}

INK_OPS entries[] = {describe<Matmul>()};

}  // namespace ink
