// y = after ⊙ f(before ⊙ x): factors for each channel of each sequence of a packed batch
//   a = f(z), z = before ⊙ x:  d after[b] = Σ dy ⊙ a,  dz = dy ⊙ after ⊙ f'(z),
//   d before[b] = Σ dz ⊙ x over the rows of sequence b,  dx = dz ⊙ before
//
// With factors of 1 it is the activation alone, and its derivatives by them say how much each
// channel matters to each sequence. z and a are computed anew in backward rather than stored.
#include <algorithm>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/vector_math.h"

#if INK_CUDA
#include "cuda/in_flight.cuh"
#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#endif

namespace ink {
namespace {

// x, dy, y and dx are (N, C), the gates and their gradients (B, C); what is null is 1, or not
// wanted.
template <class T>
struct GateArrays {
  const T *x = nullptr, *before = nullptr, *after = nullptr, *dy = nullptr;
  T *y = nullptr, *dx = nullptr, *dbefore = nullptr, *dafter = nullptr;
  const int32_t* offsets = nullptr;
  int64_t B = 0, C = 0;
};

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

constexpr int64_t kStrip = 256;     // columns that are worked on at a time
constexpr int64_t kRowsOfSum = 64;  // added up in T; sums of so many rows are added up in f64

// The gates of a strip, which are 1 where there are none.
template <class T>
void load_gates(const T* gates, int64_t width, T* into) {
  if (gates)
    std::copy_n(gates, width, into);
  else
    std::fill_n(into, width, T(1));
}

template <class F, class T>
void strip_forward(const F& f, const GateArrays<T>& in, int64_t b, int64_t first, int64_t width) {
  T before[kStrip], after[kStrip];
  load_gates(in.before ? in.before + b * in.C + first : nullptr, width, before);
  load_gates(in.after ? in.after + b * in.C + first : nullptr, width, after);
  for (int64_t n = in.offsets[b]; n < in.offsets[b + 1]; ++n) {
    const T* x = in.x + n * in.C + first;
    T* y = in.y + n * in.C + first;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) y[c] = after[c] * f(before[c] * x[c]);
  }
}

// Adds `part` to `total` and clears it.
template <class T>
void flush(T* part, double* total, int64_t width) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    total[c] += static_cast<double>(part[c]);
    part[c] = 0;
  }
}

template <class T>
void store_sums(const double* total, T* out, int64_t width) {
  if (!out) return;
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) out[c] = static_cast<T>(total[c]);
}

template <class F, class T>
void strip_backward(const F& f, const GateArrays<T>& in, int64_t b, int64_t first, int64_t width) {
  T before[kStrip], after[kStrip], unwanted[kStrip], of_before[kStrip] = {}, of_after[kStrip] = {};
  double sum_before[kStrip] = {}, sum_after[kStrip] = {};
  load_gates(in.before ? in.before + b * in.C + first : nullptr, width, before);
  load_gates(in.after ? in.after + b * in.C + first : nullptr, width, after);
  const int64_t begin = in.offsets[b], end = in.offsets[b + 1];
  for (int64_t n = begin; n < end; ++n) {
    const T *x = in.x + n * in.C + first, *dy = in.dy + n * in.C + first;
    T* dx = in.dx ? in.dx + n * in.C + first : unwanted;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const T z = before[c] * x[c], dz = dy[c] * after[c] * F::derivative(z);
      of_after[c] += dy[c] * f(z);
      of_before[c] += dz * x[c];
      dx[c] = dz * before[c];
    }
    if ((n - begin + 1) % kRowsOfSum == 0 || n + 1 == end) {
      flush(of_before, sum_before, width);
      flush(of_after, sum_after, width);
    }
  }
  store_sums(sum_before, in.dbefore ? in.dbefore + b * in.C + first : nullptr, width);
  store_sums(sum_after, in.dafter ? in.dafter + b * in.C + first : nullptr, width);
}

// strip(b, first column, width) for all of them, in parallel.
template <class T, class Strip>
void for_each_strip(const GateArrays<T>& in, int64_t N, const Strip& strip) {
  const int64_t strips = (in.C + kStrip - 1) / kStrip, C = in.C;
  const int64_t cost = 4 * (N / std::max<int64_t>(in.B, 1) + 1) * std::min(C, kStrip);
  parallel_for(in.B * strips, grain_for(cost), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = task % strips * kStrip;
        strip(task / strips, first, std::min(kStrip, C - first));
      }
    });
  });
}

template <class T>
void gate_forward(Cpu, Activation f, const GateArrays<T>& in, int64_t N) {
  vmath::with(f, [&](auto activation) {
    for_each_strip(in, N, [&](int64_t b, int64_t first, int64_t width) {
      strip_forward(activation, in, b, first, width);
    });
  });
}

template <class T>
void gate_backward(Cpu, Activation f, const GateArrays<T>& in, int64_t N) {
  vmath::with(f, [&](auto activation) {
    for_each_strip(in, N, [&](int64_t b, int64_t first, int64_t width) {
      strip_backward(activation, in, b, first, width);
    });
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// A thread has one column of one sequence.

template <class T>
INK_DEVICE float gate_at(const T* gates, int64_t at) {
  return gates ? cuda::widen(gates[at]) : 1.0f;
}

template <class F, class T>
__global__ void gate_kernel(GateArrays<T> in) {
  const int64_t at = cuda::global_thread(), b = at / in.C, c = at % in.C;
  if (b >= in.B) return;
  const float before = gate_at(in.before, at), after = gate_at(in.after, at);
  cuda::each_in_flight<8>(
      in.offsets[b], in.offsets[b + 1], 1, [&](int64_t n) { return in.x[n * in.C + c]; },
      [&](T x, int64_t n) {
        in.y[n * in.C + c] = cuda::narrow<T>(after * F{}(before * cuda::widen(x)));
      });
}

template <class F, class T>
__global__ void gate_backward_kernel(GateArrays<T> in) {
  const int64_t at = cuda::global_thread(), b = at / in.C, c = at % in.C;
  if (b >= in.B) return;
  const float before = gate_at(in.before, at), after = gate_at(in.after, at);
  float of_before = 0, of_after = 0;
  struct Element {
    T x, dy;
  };
  const auto load = [&](int64_t n) -> Element { return {in.x[n * in.C + c], in.dy[n * in.C + c]}; };
  cuda::each_in_flight<4>(in.offsets[b], in.offsets[b + 1], 1, load, [&](Element e, int64_t n) {
    const float x = cuda::widen(e.x), dy = cuda::widen(e.dy);
    const float z = before * x, dz = dy * after * F::derivative(z);
    of_after += dy * F{}(z);
    of_before += dz * x;
    if (in.dx) in.dx[n * in.C + c] = cuda::narrow<T>(dz * before);
  });
  if (in.dbefore) in.dbefore[at] = cuda::narrow<T>(of_before);
  if (in.dafter) in.dafter[at] = cuda::narrow<T>(of_after);
}

template <class T>
cuda::Grid grid_of(const GateArrays<T>& in) {
  constexpr int kThreads = 256;
  return {(in.B * in.C + kThreads - 1) / kThreads, kThreads};
}

template <class T>
void gate_forward(Cuda, Activation f, const GateArrays<T>& in, int64_t) {
  vmath::with(f, [&](auto activation) {
    cuda::launch("gate", gate_kernel<decltype(activation), T>, grid_of(in), in);
  });
}

template <class T>
void gate_backward(Cuda, Activation f, const GateArrays<T>& in, int64_t) {
  vmath::with(f, [&](auto activation) {
    cuda::launch("gate_backward", gate_backward_kernel<decltype(activation), T>, grid_of(in), in);
  });
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

// For each of N rows the sequence it belongs to.
Tensor sequence_of_rows(const Tensor& offsets_, int64_t N) {
  const Tensor offsets = contiguous(offsets_);
  Tensor rows(Shape{N}, Dtype::i32);
  const int32_t* at = offsets.data<int32_t>();
  for (int64_t b = 0; b + 1 < offsets.size(); ++b)
    std::fill(rows.data<int32_t>() + at[b], rows.data<int32_t>() + at[b + 1],
              static_cast<int32_t>(b));
  return rows;
}

struct Gate {
  static constexpr const char* name = "gate";
  struct Saved {
    Tensor x, before, after, offsets;
    Activation f;
  };

  static void check_offsets(const Tensor& offsets_, int64_t rows) {
    const Tensor offsets = contiguous(offsets_);
    const int32_t* at = offsets.data<int32_t>();
    const int64_t B = offsets.size() - 1;
    check(at[0] == 0 && at[B] == rows, "gate: offsets should go from 0 to the ", rows,
          " rows of x, got ", at[0], " to ", at[B]);
    for (int64_t b = 0; b < B; ++b)
      check(at[b] <= at[b + 1], "gate: offsets should not decrease, got ", at[b], " before ",
            at[b + 1], " at ", b);
  }

  static void check_arguments(const Tensor& x, const Tensor& before, const Tensor& after,
                              const Tensor& offsets) {
    expect_rank(name, "x", x, 2);
    expect_rank(name, "offsets", offsets, 1);
    expect(name, "offsets", offsets, Dtype::i32, offsets.shape());
    check(offsets.size() >= 1, "gate: offsets should hold at least the number 0, got none");
    if (offsets.device() == Device::cpu) check_offsets(offsets, x.dim(0));
    const Shape shape{offsets.size() - 1, x.dim(1)};
    if (before) expect(name, "before", before, x.dtype(), shape);
    if (after) expect(name, "after", after, x.dtype(), shape);
    expect_one_device(name, x, before, after);
  }

  template <class T>
  static GateArrays<T> arrays(const Tensor& x, const Tensor& before, const Tensor& after,
                              const Tensor& offsets) {
    return {.x = x.data<T>(),
            .before = before ? before.data<T>() : nullptr,
            .after = after ? after.data<T>() : nullptr,
            .offsets = offsets.data<int32_t>(),
            .B = offsets.size() - 1,
            .C = x.dim(1)};
  }

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& before_, const Tensor& after_,
                        const Tensor& offsets_, Activation f) {
    check_arguments(x_, before_, after_, offsets_);
    const Tensor x = contiguous(x_), before = before_ ? contiguous(before_) : before_,
                 after = after_ ? contiguous(after_) : after_,
                 offsets = index_on(x.device(), contiguous(offsets_));
    Tensor y = empty_like(x);
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      if (x.size() == 0) return;
      GateArrays<T> in = arrays<T>(x, before, after, offsets);
      in.y = y.data<T>();
      gate_forward(device, f, in, x.dim(0));
    });
    if (saved) *saved = {x, before, after, offsets, f};
    return y;
  }

  static Grads backward(const Saved& s, const Tensor& dy_, Wanted wanted) {
    const Tensor dy = contiguous(dy_);
    Tensor dx, dbefore, dafter;
    if (wanted[0]) dx = empty_like(s.x);
    if (wanted[1]) dbefore = zeros(s.before.shape(), s.before.dtype(), s.before.device());
    if (wanted[2]) dafter = zeros(s.after.shape(), s.after.dtype(), s.after.device());
    on(name, s.x, [&](auto device, auto t) {
      using T = decltype(t);
      const auto or_null = [](Tensor& g) { return g ? g.data<T>() : nullptr; };
      if (s.x.size() == 0) return;
      GateArrays<T> in = arrays<T>(s.x, s.before, s.after, s.offsets);
      in.dy = dy.data<T>();
      in.dx = or_null(dx);
      in.dbefore = or_null(dbefore);
      in.dafter = or_null(dafter);
      gate_backward(device, s.f, in, s.x.dim(0));
    });
    return {dx, dbefore, dafter, Tensor()};
  }

  static Tensor reference(const Tensor& x, const Tensor& before, const Tensor& after,
                          const Tensor& offsets, Activation f) {
    check_arguments(x, before, after, offsets);
    const Tensor rows = sequence_of_rows(offsets, x.dim(0));
    const Tensor a = activate(before ? multiply(x, gather_rows(before, rows)) : x, f);
    return after ? multiply(a, gather_rows(after, rows)) : a;
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, std::vector<int32_t> offsets, int64_t C,
                            Activation f) {
      const int64_t N = offsets.back(), B = std::ssize(offsets) - 1;
      all.push_back({.label = label,
                     .in = {randn({N, C}, 1), rand_uniform({B, C}, 2, 0.5, 1.5),
                            rand_uniform({B, C}, 3, 0.5, 1.5), from(offsets)},
                     .call = [f](auto in) { return gate(in[0], in[1], in[2], in[3], f); },
                     .backward = moves(3, N * C)});
    };
    sample("two sequences, gelu", {0, 3, 5}, 4, Activation::gelu);
    sample("no activation", {0, 2, 3, 6}, 3, Activation::none);
    sample("tanh, an empty sequence", {0, 2, 2, 5}, 7, Activation::tanh);
    sample("no rows", {0}, 3, Activation::gelu);
    sample("no channels", {0, 2}, 0, Activation::gelu);
    sample("one number, gelu_tanh", {0, 1}, 1, Activation::gelu_tanh);
    sample("long sequences", {0, 131, 150}, 37, Activation::gelu);
    all.push_back({"after alone",
                   {randn({5, 3}, 1), randn({2, 3}, 2), from(std::vector<int32_t>{0, 4, 5})},
                   [](auto in) { return gate(in[0], Tensor(), in[1], in[2]); }});
    all.push_back({"before alone",
                   {randn({5, 3}, 1), randn({2, 3}, 2), from(std::vector<int32_t>{0, 4, 5})},
                   [](auto in) { return gate(in[0], in[1], Tensor(), in[2], Activation::gelu); }});
    sample("4x128x3072, gelu", {0, 128, 256, 384, 512}, 3072, Activation::gelu);
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<Gate>()};

}  // namespace

Tensor gate(const Tensor& x, const Tensor& before, const Tensor& after, const Tensor& offsets,
            Activation f) {
  return apply<Gate>(x, before, after, offsets, f);
}

}  // namespace ink
