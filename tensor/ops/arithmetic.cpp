// a + b, a − b, a·b, a / b with NumPy's broadcasting; factor·x and x + term.
//   d(a·b) = (dy·b, dy·a);   d(a/b) = (dy/b, −dy·y/b), each summed back to the operand's own shape
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/walk.h"

#if INK_CUDA
#include "cuda/walk.cuh"
#endif

namespace ink {
namespace {

// ── the functions ───────────────────────────────────────────────────────────────────────────────

struct Sum {
  [[maybe_unused]] static constexpr const char* name = "add";
  template <class T>
  INK_BOTH T operator()(T a, T b) const {
    return a + b;
  }
};
struct Difference {
  [[maybe_unused]] static constexpr const char* name = "subtract";
  template <class T>
  INK_BOTH T operator()(T a, T b) const {
    return a - b;
  }
};
struct Product {
  [[maybe_unused]] static constexpr const char* name = "multiply";
  template <class T>
  INK_BOTH T operator()(T a, T b) const {
    return a * b;
  }
};
struct Quotient {
  [[maybe_unused]] static constexpr const char* name = "divide";
  template <class T>
  INK_BOTH T operator()(T a, T b) const {
    return a / b;
  }
};
struct Negative {
  [[maybe_unused]] static constexpr const char* name = "negate";
  template <class T>
  INK_BOTH T operator()(T v) const {
    return -v;
  }
};
struct NegativeProduct {
  [[maybe_unused]] static constexpr const char* name = "multiply";
  template <class T>
  INK_BOTH T operator()(T a, T b) const {
    return -a * b;
  }
};
struct Plus {
  [[maybe_unused]] static constexpr const char* name = "shift";
  Number term;
  template <class T>
  INK_BOTH T operator()(T v) const {
    return v + term.as<T>();
  }
};

// ── combining two tensors ───────────────────────────────────────────────────────────────────────

// A run of y = f(a, b). Steps of 0 and 1 are the cases worth a loop of their own: equal shapes, a
// row added to every row, a scalar or a column.
template <class F, class T>
void combine_run(const F& f, int64_t n, T* y, const T* a, int64_t a_step, const T* b,
                 int64_t b_step) {
  if (a_step == 1 && b_step == 1) {
    map_kernel(f, n, y, a, b);
  } else if (a_step == 1 && b_step == 0) {
    map_kernel([&f, right = *b](T left) { return f(left, right); }, n, y, a);
  } else if (a_step == 0 && b_step == 1) {
    map_kernel([&f, left = *a](T right) { return f(left, right); }, n, y, b);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i * a_step], b[i * b_step]);
  }
}

template <class F, class T>
void combine(Cpu, const F& f, const Walk<3>& walk, int64_t n, T* y, const T* a, const T* b) {
  const int64_t a_step = walk.steps()[1], b_step = walk.steps()[2];
  parallel_for(n, grain_for(1), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      walk.each(begin, end, [&](const auto& at, int64_t count) {
        combine_run(f, count, y + at[0], a + at[1], a_step, b + at[2], b_step);
      });
    });
  });
}

#if INK_CUDA
template <class F, class T>
void combine(Cuda device, const F& f, const Walk<3>& walk, int64_t n, T* y, const T* a,
             const T* b) {
  const bool in_a_row = walk.rank() == 1 && walk.steps()[1] == 1 && walk.steps()[2] == 1;
  if (in_a_row) return map(device, f, n, y, a, b);
  cuda::walk_elements(cuda::InF32<F, T>{f}, walk, y, a, b);
}
#endif

// x, packed when its rows do not lie in runs: reading down columns is slow.
Tensor in_runs(const Tensor& x) {
  return x.rank() == 0 || x.strides()[-1] <= 1 ? x : contiguous(x);
}

// f(a, b) with broadcasting, not recorded.
template <class F>
Tensor combined(const char* name, const F& f, const Tensor& left, const Tensor& right) {
  check(left && right, "", name, ": expected two tensors, got an undefined one");
  const Tensor a = in_runs(left), b = in_runs(right);
  check(a.dtype() == b.dtype(), "", name, ": expected operands of one type, got ",
        name_of(a.dtype()), " and ", name_of(b.dtype()));
  check(a.device() == b.device(), "", name, ": expected operands on one device, got ",
        name_of(a.device()), " and ", name_of(b.device()));
  Tensor y(broadcast(name, a.shape(), b.shape()), a.dtype(), a.device());
  const Walk<3> walk(y.shape(), {y.strides(), stretched(a, y.shape()), stretched(b, y.shape())});
  on(name, a, [&](auto device, auto t) {
    using T = decltype(t);
    combine(device, f, walk, y.size(), y.data<T>(), a.data<T>(), b.data<T>());
  });
  return y;
}

using Rows = std::vector<size_t>;

// The pairs of shapes that binary ops are tried on. Values stay away from 0, for division. Backward
// moves so many times the elements of a for equal shapes, and for a row added to every row.
std::vector<Sample> binary_samples(Tensor (*op)(const Tensor&, const Tensor&), double moves_equal,
                                   double moves_row) {
  const auto on_shapes = [op](const char* label, Shape a, Shape b, Rows by_row = {}) {
    return Sample{.label = label,
                  .in = {rand_uniform(a, 1, -2, 2), rand_uniform(b, 2, 0.5, 2)},
                  .call = [op](auto in) { return op(in[0], in[1]); },
                  .by_row = std::move(by_row)};
  };
  Sample equal = on_shapes("1024x3072", {1024, 3072}, {1024, 3072}, {0, 1});
  equal.bench = true;
  equal.backward = moves(moves_equal, equal.in[0].size());
  Sample row = on_shapes("1024x3072+3072", {1024, 3072}, {3072}, {0});
  row.bench = true;
  row.backward = moves(moves_row, row.in[0].size());
  return {on_shapes("scalars", {}, {}),
          on_shapes("empty", {0, 3}, {3}),
          on_shapes("equal 5x7", {5, 7}, {5, 7}, {0, 1}),
          on_shapes("equal 2x3x1x4x5", {2, 3, 1, 4, 5}, {2, 3, 1, 4, 5}, {0, 1}),
          on_shapes("rows 13x19+19", {13, 19}, {19}, {0}),
          on_shapes("columns 6x5+6x1", {6, 5}, {6, 1}, {0, 1}),
          on_shapes("scalar on the left", {}, {3, 4}),
          on_shapes("scalar on the right", {4, 3}, {1}),
          on_shapes("both stretched 4x1x3+2x1", {4, 1, 3}, {2, 1}),
          on_shapes("outer 1x4+3x1", {1, 4}, {3, 1}),
          on_shapes("mask 2x3x4x4+2x1x1x4", {2, 3, 4, 4}, {2, 1, 1, 4}),
          on_shapes("stretched to empty 1x3+0x1", {1, 3}, {0, 1}),
          equal,
          row};
}

struct Add {
  static constexpr const char* name = "add";
  struct Saved {
    Shape a, b;
  };
  static Tensor forward(Saved* saved, const Tensor& a, const Tensor& b) {
    if (saved) *saved = {a.shape(), b.shape()};
    return combined(name, Sum{}, a, b);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    Tensor da, db;
    if (wanted[0]) da = reduce_to(name, dy, s.a);
    if (wanted[1]) db = reduce_to(name, dy, s.b);
    return {da, db};
  }
  static std::vector<Sample> samples() { return binary_samples(&add, 0, 1); }
};

struct Subtract {
  static constexpr const char* name = "subtract";
  struct Saved {
    Shape a, b;
  };
  static Tensor forward(Saved* saved, const Tensor& a, const Tensor& b) {
    if (saved) *saved = {a.shape(), b.shape()};
    return combined(name, Difference{}, a, b);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    Tensor da, db;
    if (wanted[0]) da = reduce_to(name, dy, s.a);
    if (wanted[1]) db = map(name, Negative{}, reduce_to(name, dy, s.b));
    return {da, db};
  }
  static std::vector<Sample> samples() { return binary_samples(&subtract, 2, 1); }
};

struct Multiply {
  static constexpr const char* name = "multiply";
  struct Saved {
    Tensor a, b;
  };
  static Tensor forward(Saved* saved, const Tensor& a, const Tensor& b) {
    if (saved) *saved = {a, b};
    return combined(name, Product{}, a, b);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    Tensor da, db;
    if (wanted[0]) da = reduce_to(name, combined(name, Product{}, dy, s.b), s.a.shape());
    if (wanted[1]) db = reduce_to(name, combined(name, Product{}, dy, s.a), s.b.shape());
    return {da, db};
  }
  static std::vector<Sample> samples() { return binary_samples(&multiply, 5, 3); }
};

struct Divide {
  static constexpr const char* name = "divide";
  struct Saved {
    Shape a;
    Tensor b, y;
  };
  static Tensor forward(Saved* saved, const Tensor& a, const Tensor& b) {
    Tensor y = combined(name, Quotient{}, a, b);
    if (saved) *saved = {a.shape(), b, y};
    return y;
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    const Tensor quotient = combined(name, Quotient{}, dy, s.b);
    Tensor da, db;
    if (wanted[0]) da = reduce_to(name, quotient, s.a);
    if (wanted[1]) db = reduce_to(name, map(name, NegativeProduct{}, quotient, s.y), s.b.shape());
    return {da, db};
  }
  static std::vector<Sample> samples() { return binary_samples(&divide, 5, 3); }
};

// The shapes that the ops with one tensor and one number are tried on.
std::vector<Sample> unary_samples(Tensor (*op)(const Tensor&, double), double moves_back) {
  const auto on_shape = [=](const char* label, Shape shape, bool bench = false) {
    Sample s{.label = label,
             .in = {rand_uniform(shape, 1, -2, 2)},
             .call = [op](auto in) { return op(in[0], 1.7); },
             .bench = bench,
             .backward = moves(moves_back, shape.size())};
    if (shape.rank() > 0) s.by_row = {0};
    return s;
  };
  return {on_shape("scalar", {}), on_shape("0x2", {0, 2}), on_shape("3x5x7", {3, 5, 7}),
          on_shape("1024x3072", {1024, 3072}, true)};
}

struct Scale {
  static constexpr const char* name = "scale";
  struct Saved {
    double factor;
  };
  static Tensor forward(Saved* saved, const Tensor& x, double factor) {
    if (saved) saved->factor = factor;
    return map(name, Times{factor}, x);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {forward(nullptr, dy, s.factor)};
  }
  static std::vector<Sample> samples() { return unary_samples(&scale, 2); }
};

struct Shift {
  static constexpr const char* name = "shift";
  struct Saved {};
  static Tensor forward(Saved*, const Tensor& x, double term) { return map(name, Plus{term}, x); }
  static Grads backward(const Saved&, const Tensor& dy, Wanted) { return {dy}; }
  static std::vector<Sample> samples() { return unary_samples(&shift, 0); }
};

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return apply<Add>(a, b); }
Tensor subtract(const Tensor& a, const Tensor& b) { return apply<Subtract>(a, b); }
Tensor multiply(const Tensor& a, const Tensor& b) { return apply<Multiply>(a, b); }
Tensor divide(const Tensor& a, const Tensor& b) { return apply<Divide>(a, b); }
Tensor scale(const Tensor& x, double factor) { return apply<Scale>(x, factor); }
Tensor shift(const Tensor& x, double term) { return apply<Shift>(x, term); }

INK_OPS entries[] = {describe<Add>(),    describe<Subtract>(), describe<Multiply>(),
                     describe<Divide>(), describe<Scale>(),    describe<Shift>()};

}  // namespace ink
