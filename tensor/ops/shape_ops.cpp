// Shape: reshape, transpose, slice and expand are views; concat joins along an axis; cast converts.
//   The derivative of each is the reverse move: slice pads with zeros, expand sums, concat slices.
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/walk.h"

#if INK_CUDA
#include "cuda/join.cuh"
#endif

namespace ink {
namespace {

void expect_defined(const char* name, const Tensor& x) {
  check(static_cast<bool>(x), "", name, ": expected a tensor, got an undefined one");
}

// ── reshape ─────────────────────────────────────────────────────────────────────────────────────

Tensor reshaped(const Tensor& x, const Shape& shape) {
  const Tensor packed = contiguous(x);
  return view(packed, shape, row_major(shape), packed.offset());
}

struct Reshape {
  static constexpr const char* name = "reshape";
  struct Saved {
    Shape shape;
  };
  static Tensor forward(Saved* saved, const Tensor& x, const Shape& shape) {
    if (saved) saved->shape = x.shape();
    return reshaped(x, shape);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {reshaped(dy, s.shape)};
  }
  static std::vector<Sample> samples() {
    const auto to = [](const char* label, Shape from, Shape shape, bool bench = false) {
      return Sample{.label = label,
                    .in = {randn(from, 1)},
                    .call = [=](auto in) { return reshape(in[0], shape); },
                    .bench = bench};
    };
    return {to("scalar to 1x1", {}, {1, 1}), to("0x3 to 6x0", {0, 3}, {6, 0}),
            to("4x6 to 2x-1x3", {4, 6}, {2, -1, 3}), to("5x7 to 35", {5, 7}, {35}),
            to("1024x3072 to 8x128x3072", {1024, 3072}, {8, 128, 3072}, true)};
  }
};

// ── transpose ───────────────────────────────────────────────────────────────────────────────────

struct Transpose {
  static constexpr const char* name = "transpose";
  struct Saved {
    int axis1, axis2;
  };
  static Tensor forward(Saved* saved, const Tensor& x, int axis1, int axis2) {
    if (saved) *saved = {axis1, axis2};
    Shape shape = x.shape();
    Strides strides = x.strides();
    std::swap(shape[axis1], shape[axis2]);
    std::swap(strides[axis1], strides[axis2]);
    return view(x, shape, strides, x.offset());
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {forward(nullptr, dy, s.axis1, s.axis2)};
  }
  static std::vector<Sample> samples() {
    const auto of = [](const char* label, Shape shape, int axis1, int axis2, bool bench = false) {
      return Sample{.label = label,
                    .in = {randn(shape, 1)},
                    .call = [=](auto in) { return transpose(in[0], axis1, axis2); },
                    .bench = bench};
    };
    return {of("1 with itself", {1}, 0, 0), of("0x3", {0, 3}, 0, 1), of("5x7", {5, 7}, 0, -1),
            of("2x3x4x5 inner", {2, 3, 4, 5}, 1, 2),
            of("8x128x12x64 heads", {8, 128, 12, 64}, 1, 2, true)};
  }
};

// ── slice ───────────────────────────────────────────────────────────────────────────────────────

struct Range {
  int axis;
  int64_t begin, end, step;
};

Tensor sliced(const Tensor& x, const Range& r) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape[r.axis] = r.begin < r.end ? (r.end - r.begin - 1) / r.step + 1 : 0;
  if (shape[r.axis] > 1) strides[r.axis] *= r.step;  // a longer step could overflow
  return view(x, shape, strides, x.offset() + r.begin * x.strides()[r.axis]);
}

struct Slice {
  static constexpr const char* name = "slice";
  struct Saved {
    Shape shape;
    Range range;
  };
  static Tensor forward(Saved* saved, const Tensor& x, const Range& range) {
    if (saved) *saved = {x.shape(), range};
    return sliced(x, range);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    Tensor dx = zeros(s.shape, dy.dtype(), dy.device()), inside = sliced(dx, s.range);
    assign(name, inside, dy);
    return {dx};
  }
  static std::vector<Sample> samples() {
    const auto of = [](const char* label, Shape shape, Range r, bool bench = false) {
      return Sample{.label = label,
                    .in = {randn(shape, 1)},
                    .call = [=](auto in) { return slice(in[0], r.axis, r.begin, r.end, r.step); },
                    .bench = bench,
                    .backward = moves(1.25, shape.size())};  // a quarter of zeros is filled
    };
    return {of("nothing of 4", {4}, {0, 2, 2, 1}),
            of("all of 0x3", {0, 3}, {0, 0, 0, 1}),
            of("one row of 5x7", {5, 7}, {0, 3, 4, 1}),
            of("columns of 5x7", {5, 7}, {-1, 2, 6, 1}),
            of("every third of 11x2", {11, 2}, {0, 1, 11, 3}),
            of("middle of 2x6x3x2", {2, 6, 3, 2}, {1, 1, 5, 2}),
            of("768 of 1024x3072", {1024, 3072}, {1, 768, 1536, 1}, true)};
  }
};

// ── expand ──────────────────────────────────────────────────────────────────────────────────────

struct Expand {
  static constexpr const char* name = "expand";
  struct Saved {
    Shape shape;
  };
  static Tensor forward(Saved* saved, const Tensor& x, const Shape& shape) {
    check(broadcast(name, x.shape(), shape) == shape, "expand: ", x.shape(),
          " does not stretch to ", shape, "; only extents of 1 do");
    if (saved) saved->shape = x.shape();
    return view(x, shape, stretched(x, shape), x.offset());
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {reduce_to(name, dy, s.shape)};
  }
  static std::vector<Sample> samples() {
    const auto to = [](const char* label, Shape from, Shape shape, bool bench = false) {
      return Sample{.label = label,
                    .in = {randn(from, 1)},
                    .call = [=](auto in) { return expand(in[0], shape); },
                    .bench = bench,
                    .backward = moves(1, shape.size())};
    };
    return {to("scalar to 3x2", {}, {3, 2}), to("1x3 to 0x3", {1, 3}, {0, 3}),
            to("5x1 to 5x7", {5, 1}, {5, 7}), to("3x1x2 to 2x3x4x2", {3, 1, 2}, {2, 3, 4, 2}),
            to("3072 to 1024x3072", {3072}, {1024, 3072}, true)};
  }
};

// ── concat ──────────────────────────────────────────────────────────────────────────────────────

// Joins parts that lie in memory as they will in y. False: they do not, or the device is the CPU.
bool join([[maybe_unused]] Tensor& y, [[maybe_unused]] const std::vector<Tensor>& parts,
          [[maybe_unused]] int axis) {
#if INK_CUDA
  bool whole = y.device() == Device::cuda;
  for (int before = 0; before < axis; ++before) whole = whole && y.dim(before) == 1;
  for (const Tensor& part : parts)
    whole = whole && part.device() == Device::cuda && part.is_contiguous();
  if (whole) {
    on("concat", y, [&](auto, auto t) {
      if constexpr (sizeof(t) < 8) cuda::join(std::span(parts), y.data<decltype(t)>());
    });
  }
  return whole;
#else
  return false;
#endif
}

struct Concat {
  static constexpr const char* name = "concat";
  struct Saved {
    std::vector<int64_t, PoolAllocator<int64_t>> extents;
    int axis = 0;
  };
  static Tensor forward(Saved* saved, const std::vector<Tensor>& parts, int axis) {
    Shape shape = parts[0].shape();
    shape[axis] = 0;
    for (const Tensor& part : parts) {
      Shape same_but_axis = part.shape();
      if (part.rank() == shape.rank()) same_but_axis[axis] = shape[axis];
      check(same_but_axis == shape && part.dtype() == parts[0].dtype(),
            "concat: ", name_of(part.dtype()), ' ', part.shape(), " does not join ",
            name_of(parts[0].dtype()), ' ', parts[0].shape(), " along axis ", axis);
      shape[axis] += part.dim(axis);
    }
    Tensor y(shape, parts[0].dtype(), parts[0].device());
    if (!join(y, parts, axis)) {
      int64_t at = 0;
      for (const Tensor& part : parts) {
        Tensor place = sliced(y, {axis, at, at + part.dim(axis), 1});
        assign(name, place, part);
        at += part.dim(axis);
      }
    }
    if (saved) {
      saved->axis = axis;
      for (const Tensor& part : parts) saved->extents.push_back(part.dim(axis));
    }
    return y;
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    Grads out;
    int64_t at = 0;
    for (const int64_t extent : s.extents) {
      out.push_back(sliced(dy, {s.axis, at, at + extent, 1}));
      at += extent;
    }
    return out;
  }
  static std::vector<Sample> samples() {
    // The list of parts is made once, so that a call reaches no heap.
    const auto of = [](const char* label, std::vector<Tensor> in, int axis, bool bench = false) {
      const auto call = [parts = in, axis](std::span<const Tensor> now) mutable {
        std::copy(now.begin(), now.end(), parts.begin());
        Tensor y = concat(parts, axis);
        std::fill(parts.begin(), parts.end(), Tensor());
        return y;
      };
      Sample s{.label = label, .in = std::move(in), .call = call, .bench = bench};
      if (axis != 0) {
        for (size_t k = 0; k < s.in.size(); ++k) s.by_row.push_back(k);
      }
      return s;
    };
    return {of("one part", {randn({2, 3}, 1)}, 0),
            of("0+2 rows", {randn({0, 3}, 1), randn({2, 3}, 2)}, 0),
            of("3+1+4 columns", {randn({5, 3}, 1), randn({5, 1}, 2), randn({5, 4}, 3)}, -1),
            of("five parts",
               {randn({8}, 1), randn({16}, 2), randn({0}, 3), randn({1}, 4), randn({24}, 5)}, 0),
            of("768+768+768 rows", {randn({768, 8}, 1), randn({768, 8}, 2), randn({768, 8}, 3)}, 0),
            of("middle axis", {randn({2, 3, 4}, 1), randn({2, 2, 4}, 2)}, 1),
            of("1024x(768+2304)", {randn({1024, 768}, 1), randn({1024, 2304}, 2)}, 1, true)};
  }
};

// ── cast ────────────────────────────────────────────────────────────────────────────────────────

struct Cast {
  static constexpr const char* name = "cast";
  struct Saved {
    Dtype dtype;
  };
  static Tensor forward(Saved* saved, const Tensor& x, Dtype dtype) {
    const bool narrow = x.device() == Device::cuda;
    for (const Dtype d : {x.dtype(), dtype}) {
      check(narrow ? is_float(d) && d != Dtype::f64 : d == Dtype::f32 || d == Dtype::f64,
            "cast: expected ", narrow ? "f32, f16 or bf16 on cuda" : "f32 or f64", ", got ",
            name_of(d));
    }
    if (saved) saved->dtype = x.dtype();
    return converted(x, dtype);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {converted(dy, s.dtype)};
  }
  static std::vector<Sample> samples() {
    // There and back, so that the result has the type of the input. f32 has 24 bits: central
    // differences through it are rough.
    const auto via = [](const char* label, Shape shape, Dtype dtype, double tolerance,
                        bool bench = false) {
      return Sample{.label = label,
                    .in = {randn(shape, 1)},
                    .call = [=](auto in) { return cast(cast(in[0], dtype), in[0].dtype()); },
                    .tolerance = tolerance,
                    .by_row = {0},
                    .bench = bench,
                    .forward = moves(6, shape.size()),  // an f64 counts as two
                    .backward = moves(6, shape.size())};
    };
    return {via("0x2 through f64", {0, 2}, Dtype::f64, 1e-6),
            via("3x5 through f64", {3, 5}, Dtype::f64, 1e-6),
            via("3x5 through f32", {3, 5}, Dtype::f32, 0.1),
            via("1024x3072 through f64", {1024, 3072}, Dtype::f64, 1e-6, true)};
  }
};

}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  expect_defined("reshape", x);
  Shape filled = shape;
  int free = -1;  // the axis of extent -1
  for (int axis = 0; axis < shape.rank(); ++axis) {
    check(shape[axis] >= (free < 0 ? -1 : 0),
          "reshape: expected extents from 0 on and at most one -1, got ", shape);
    if (shape[axis] == -1) filled[free = axis] = 1;
  }
  if (free >= 0 && filled.size() > 0) filled[free] = x.size() / filled.size();
  check(filled.size() == x.size(), "reshape: the ", x.size(), " elements of ", x.shape(),
        " do not fill ", shape);
  return apply<Reshape>(x, filled);
}

Tensor transpose(const Tensor& x, int axis1, int axis2) {
  expect_defined("transpose", x);
  return apply<Transpose>(x, axis_of("transpose", axis1, x.rank()),
                          axis_of("transpose", axis2, x.rank()));
}

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end, int64_t step) {
  expect_defined("slice", x);
  const int a = axis_of("slice", axis, x.rank());
  check(0 <= begin && begin <= end && end <= x.dim(a) && step >= 1,
        "slice: expected 0 ≤ begin ≤ end ≤ ", x.dim(a), " and step ≥ 1 along axis ", a, " of ",
        x.shape(), ", got begin ", begin, ", end ", end, ", step ", step);
  return apply<Slice>(x, Range{a, begin, end, step});
}

Tensor expand(const Tensor& x, Shape shape) {
  expect_defined("expand", x);
  return apply<Expand>(x, shape);
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  check(!parts.empty(), "concat: expected at least one tensor, got none");
  return apply<Concat>(parts, axis_of("concat", axis, parts[0].rank()));
}

Tensor cast(const Tensor& x, Dtype dtype) {
  expect_defined("cast", x);
  return apply<Cast>(x, dtype);
}

INK_OPS entries[] = {describe<Reshape>(), describe<Transpose>(), describe<Slice>(),
                     describe<Expand>(),  describe<Concat>(),    describe<Cast>()};

}  // namespace ink
