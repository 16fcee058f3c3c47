// One direction of a gated recurrent unit (Cho et al. 2014), as PyTorch defines it:
//
//   r = σ(x_r + W_r h + b_r),  z = σ(x_z + W_z h + b_z),  m = W_n h + b_n,  n = tanh(x_n + r·m)
//   h' = (1 − z)·n + z·h,  h = 0 before the first token;  x = [x_r x_z x_n] holds W_x x + b_x
//
// Backward, with g the gradient of h' from above and from the step after:
//   dx_n = g(1 − z)(1 − n²),  dx_z = g(h − n)z(1 − z),  dx_r = dx_n·m·r(1 − r),  dm = dx_n·r
//   dh = g·z + [dx_r dx_z dm] W,  dW = Σ [dx_r dx_z dm]ᵀ h,  db = Σ [dx_r dx_z dm]
//
// A batch is packed. All sequences that have a token t take step t side by side, as one product:
// sorted by length, they are the first of all. What a step keeps for backward lies in order of
// steps ("by steps" below), x and h' in order of the batch.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/expect.h"
#include "tensor/gemm.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

#if INK_CUDA
#include "cuda/gemm.h"
#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#endif

namespace ink {
namespace {

// The sequences of a batch, longest first.
struct Order {
  Tensor first;                                             // i32 (B): row of the first token
  std::vector<int64_t, PoolAllocator<int64_t>> begin = {};  // rows by steps: step t begins here
  int64_t direction = 1;                                    // from a token's row to the next one's

  int64_t steps() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t alive(int64_t t) const { return begin[t + 1] - begin[t]; }  // sequences of step t
};

Order order_of(const Tensor& offsets, bool reverse) {
  const int32_t* at = offsets.data<int32_t>();
  const int64_t B = offsets.size() - 1;
  Order order{.first = Tensor({B}, Dtype::i32), .direction = reverse ? -1 : 1};
  const auto length = [at](int32_t b) { return at[b + 1] - at[b]; };
  int32_t* sorted = order.first.data<int32_t>();
  std::iota(sorted, sorted + B, 0);
  std::sort(sorted, sorted + B, [&](int32_t a, int32_t b) {
    return length(a) != length(b) ? length(a) > length(b) : a < b;
  });
  int64_t alive = B;
  order.begin.push_back(0);
  for (int32_t t = 0; B > 0 && t < length(sorted[0]); ++t) {
    while (length(sorted[alive - 1]) <= t) --alive;
    order.begin.push_back(order.begin.back() + alive);
  }
  for (int64_t s = 0; s < B; ++s) sorted[s] = reverse ? at[sorted[s] + 1] - 1 : at[sorted[s]];
  return order;
}

// One step of `alive` sequences: token t is row first[s] + shift of the batch, and the one before
// it is `back` rows before.
struct Step {
  const int32_t* first;
  int64_t shift, back, alive, H;
  bool starts;  // t = 0: nothing is before it
};

Step step_of(const Order& order, const int32_t* first, int64_t t, int64_t H) {
  return {first, order.direction * t, order.direction, order.alive(t), H, t == 0};
}

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// x (N, 3H), products (alive, 3H) = h Wᵀ + b, h (alive, H) → h', y (N, H).
// kept (alive, 4H): r, z, n and m, or null.
template <class T>
void gru_step(const Step& step, const T* x_, const T* products, T* h_, T* y_, T* kept_) {
  const int64_t H = step.H;
  parallel_for(step.alive, grain_for(16 * H), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t s = begin; s < end; ++s) {
        const int64_t row = step.first[s] + step.shift;
        const T *x = x_ + row * 3 * H, *p = products + s * 3 * H;
        T *h = h_ + s * H, *y = y_ + row * H, *kept = kept_ ? kept_ + s * 4 * H : nullptr;
#pragma omp simd
        for (int64_t j = 0; j < H; ++j) {
          const T r = vmath::sigmoid(x[j] + p[j]), z = vmath::sigmoid(x[H + j] + p[H + j]);
          const T n = vmath::tanh(x[2 * H + j] + r * p[2 * H + j]);
          y[j] = (1 - z) * n + z * h[j];
        }
        if (kept) {
#pragma omp simd
          for (int64_t j = 0; j < H; ++j) {
            const T r = vmath::sigmoid(x[j] + p[j]), m = p[2 * H + j];
            kept[j] = r;
            kept[H + j] = vmath::sigmoid(x[H + j] + p[H + j]);
            kept[2 * H + j] = vmath::tanh(x[2 * H + j] + r * m);
            kept[3 * H + j] = m;
          }
        }
        std::copy_n(y, H, h);
      }
    });
  });
}

// carry (alive, H): the gradient of h' from the step after → g·z, that of h but for the product.
// dproducts (alive, 3H), before (alive, H): h.
template <class T>
void gru_step_backward(const Step& step, const T* dy_, const T* y_, const T* kept_, T* carry_,
                       T* dx_, T* dproducts_, T* before_) {
  const int64_t H = step.H;
  parallel_for(step.alive, grain_for(16 * H), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t s = begin; s < end; ++s) {
        const int64_t row = step.first[s] + step.shift;
        const T *dy = dy_ + row * H, *kept = kept_ + s * 4 * H;
        T *carry = carry_ + s * H, *dx = dx_ + row * 3 * H, *dp = dproducts_ + s * 3 * H,
          *before = before_ + s * H;
        if (step.starts)
          std::fill_n(before, H, T(0));
        else
          std::copy_n(y_ + (row - step.back) * H, H, before);
#pragma omp simd
        for (int64_t j = 0; j < H; ++j) {
          const T r = kept[j], z = kept[H + j], n = kept[2 * H + j], m = kept[3 * H + j];
          const T g = dy[j] + carry[j], dn = g * (1 - z) * (1 - n * n);
          carry[j] = g * z;
          dx[j] = dp[j] = dn * m * r * (1 - r);
          dx[H + j] = dp[H + j] = g * (before[j] - n) * z * (1 - z);
          dx[2 * H + j] = dn;
          dp[2 * H + j] = dn * r;
        }
      }
    });
  });
}

// (rows, K) · b → c (rows, N), with b laid out once for all steps.
template <class T>
class Recurrence {
 public:
  Recurrence(const T* b, int64_t ldb, bool transposed, int64_t n, int64_t k)
      : b_(b), ldb_(ldb), n_(n), k_(k), transposed_(transposed) {}
  void operator()(int64_t rows, const T* a, T* c, const Epilogue<T>& epilogue) const {
    gemm(false, transposed_, rows, n_, k_, a, k_, b_, ldb_, c, n_, epilogue);
  }

 private:
  const T* b_;
  int64_t ldb_, n_, k_;
  bool transposed_;
};

template <>
class Recurrence<float> {
 public:
  Recurrence(const float* b, int64_t ldb, bool transposed, int64_t n, int64_t k)
      : packed_(b, ldb, transposed, n, k) {}
  void operator()(int64_t rows, const float* a, float* c, const Epilogue<float>& epilogue) const {
    gemm(false, rows, a, packed_.k(), packed_, c, packed_.n(), epilogue);
  }

 private:
  PackedMatrix packed_;
};

// h (B, H) full of zeros, products (B, 3H) and kept (N, 4H) by steps or null: memory to work in.
template <class T>
void gru_forward(Cpu, const Order& order, int64_t H, const T* x, const T* weight, const T* bias,
                 T* h, T* products, T* y, T* kept) {
  const Recurrence<T> recur(weight, H, true, 3 * H, H);
  const int32_t* first = order.first.data<int32_t>();
  for (int64_t t = 0; t < order.steps(); ++t) {
    recur(order.alive(t), h, products, {.bias = bias});
    gru_step(step_of(order, first, t, H), x, products, h, y,
             kept ? kept + order.begin[t] * 4 * H : nullptr);
  }
}

// carry (B, H) full of zeros; dproducts (N, 3H) and before (N, H) by steps.
template <class T>
void gru_backward(Cpu, const Order& order, int64_t H, const T* weight, const T* y, const T* kept,
                  const T* dy, T* carry, T* dproducts, T* before, T* dx, T* dweight, T* dbias) {
  const Recurrence<T> recur(weight, H, false, H, 3 * H);
  const int32_t* first = order.first.data<int32_t>();
  for (int64_t t = order.steps(); t-- > 0;) {
    const int64_t at = order.begin[t];
    gru_step_backward(step_of(order, first, t, H), dy, y, kept + at * 4 * H, carry, dx,
                      dproducts + at * 3 * H, before + at * H);
    if (t > 0) recur(order.alive(t), dproducts + at * 3 * H, carry, {.accumulate = true});
  }
  const int64_t N = order.begin.back();
  if (dweight) gemm(true, false, 3 * H, H, N, dproducts, 3 * H, before, H, dweight, H);
  if (dbias) column_sums(dproducts, N, 3 * H, dbias);
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// A product and a kernel for each step, one thread for each channel of a sequence. The state is
// carried and gates are kept in f32; the product reads the state in the storage type.

template <class T>
__global__ void gru_step_kernel(const int32_t* first, int64_t shift, int64_t alive, int64_t H,
                                const T* x, const float* products, const T* bias, float* carry,
                                T* h, T* y, float* kept) {
  const int64_t i = cuda::global_thread(), s = i / H, j = i % H;
  if (s >= alive) return;
  const int64_t row = first[s] + shift;
  const auto in = [&](int64_t gate) { return cuda::widen(x[(row * 3 + gate) * H + j]); };
  const auto product = [&](int64_t gate) {
    return products[(s * 3 + gate) * H + j] + cuda::widen(bias[gate * H + j]);
  };
  const float r = vmath::sigmoid(in(0) + product(0)), z = vmath::sigmoid(in(1) + product(1));
  const float m = product(2), n = vmath::tanh(in(2) + r * m);
  const float next = (1 - z) * n + z * carry[i];
  carry[i] = next;
  h[i] = y[row * H + j] = cuda::narrow<T>(next);
  if (!kept) return;
  float* gates = kept + s * 4 * H + j;
  gates[0] = r, gates[H] = z, gates[2 * H] = n, gates[3 * H] = m;
}

template <class T>
__global__ void gru_step_backward_kernel(const int32_t* first, int64_t shift, int64_t back,
                                         int64_t alive, int64_t H, bool starts, const T* dy,
                                         const T* y, const float* kept, float* carry, T* dx,
                                         T* dproducts, T* before) {
  const int64_t i = cuda::global_thread(), s = i / H, j = i % H;
  if (s >= alive) return;
  const int64_t row = first[s] + shift;
  const float* gates = kept + s * 4 * H + j;
  const float r = gates[0], z = gates[H], n = gates[2 * H], m = gates[3 * H];
  const T h = starts ? cuda::narrow<T>(0.0f) : y[(row - back) * H + j];
  const float g = cuda::widen(dy[row * H + j]) + carry[i], dn = g * (1 - z) * (1 - n * n);
  T *to_x = dx + row * 3 * H + j, *to_product = dproducts + s * 3 * H + j;
  carry[i] = g * z;
  before[i] = h;
  to_x[0] = to_product[0] = cuda::narrow<T>(dn * m * r * (1 - r));
  to_x[H] = to_product[H] = cuda::narrow<T>(g * (cuda::widen(h) - n) * z * (1 - z));
  to_x[2 * H] = cuda::narrow<T>(dn);
  to_product[2 * H] = cuda::narrow<T>(dn * r);
}

constexpr int kThreads = 256;
int64_t blocks_for(int64_t elements) { return (elements + kThreads - 1) / kThreads; }

template <class T>
void gru_forward(Cuda, const Order& order, int64_t H, const T* x, const T* weight, const T* bias,
                 float* carry, float* products, T* y, float* kept) {
  const Tensor first = index_on(Device::cuda, order.first);
  Tensor state = zeros({order.first.size(), H}, dtype_of<T>, Device::cuda);
  T* h = state.data<T>();
  for (int64_t t = 0; t < order.steps(); ++t) {
    const int64_t alive = order.alive(t);
    cuda::gemm(alive, 3 * H, H, {static_cast<const T*>(h), H}, {weight, H, true},
               {products, 3 * H});
    cuda::launch("gru_step", gru_step_kernel<T>, {blocks_for(alive * H), kThreads},
                 first.data<int32_t>(), order.direction * t, alive, H, x, products, bias, carry, h,
                 y, kept ? kept + order.begin[t] * 4 * H : nullptr);
  }
}

template <class T>
void gru_backward(Cuda, const Order& order, int64_t H, const T* weight, const T* y,
                  const float* kept, const T* dy, float* carry, T* dproducts, T* before, T* dx,
                  T* dweight, T* dbias) {
  const Tensor first = index_on(Device::cuda, order.first);
  for (int64_t t = order.steps(); t-- > 0;) {
    const int64_t at = order.begin[t], alive = order.alive(t);
    cuda::launch("gru_step_backward", gru_step_backward_kernel<T>,
                 {blocks_for(alive * H), kThreads}, first.data<int32_t>(), order.direction * t,
                 order.direction, alive, H, t == 0, dy, y, kept + at * 4 * H, carry, dx,
                 dproducts + at * 3 * H, before + at * H);
    if (t > 0)
      cuda::gemm(alive, H, 3 * H, {static_cast<const T*>(dproducts + at * 3 * H), 3 * H},
                 {weight, H}, {carry, H}, {.beta = 1});
  }
  const int64_t N = order.begin.back();
  const cuda::Factor gradients(static_cast<const T*>(dproducts), 3 * H, true);
  cuda::gemm(3 * H, H, N, gradients, {static_cast<const T*>(before), H}, {dweight, H},
             {.row_sums = dbias});
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct Gru {
  static constexpr const char* name = "gru";
  struct Saved {
    Tensor weight, y, kept;  // kept (N, 4H): r, z, n and m by steps
    Order order;
  };

  static void check_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const Tensor& offsets) {
    expect_rank(name, "x", x, 2);
    expect_rank(name, "the weight", weight, 2);
    const int64_t H = weight.dim(1);
    expect(name, "the weight", weight, x.dtype(), Shape{3 * H, H});
    expect(name, "the bias", bias, x.dtype(), Shape{3 * H});
    check(x.dim(1) == 3 * H, "gru: x should be (N, ", 3 * H, ") for a weight ", weight.shape(),
          ", got ", x.shape());
    expect_one_device(name, x, weight, bias);
    expect_rank(name, "offsets", offsets, 1);
    expect(name, "offsets", offsets, Dtype::i32, offsets.shape());
    check(offsets.size() >= 1, "gru: offsets should hold at least the number 0, got none");
  }

  // On the host, where the sequences are sorted.
  static Tensor checked_offsets(const Tensor& offsets_, int64_t rows) {
    Tensor offsets = to(contiguous(offsets_), Device::cpu);
    const int32_t* at = offsets.data<int32_t>();
    const int64_t B = offsets.size() - 1;
    check(at[0] == 0 && at[B] == rows, "gru: offsets should go from 0 to the ", rows,
          " rows of x, got ", at[0], " to ", at[B]);
    for (int64_t b = 0; b < B; ++b) {
      check(at[b] <= at[b + 1], "gru: offsets should not decrease, got ", at[b], " before ",
            at[b + 1], " at ", b);
    }
    return offsets;
  }

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& weight_, const Tensor& bias_,
                        const Tensor& offsets, bool reverse) {
    check_arguments(x_, weight_, bias_, offsets);
    const int64_t N = x_.dim(0), H = weight_.dim(1), B = offsets.size() - 1;
    Order order = order_of(checked_offsets(offsets, N), reverse);
    const Tensor x = contiguous(x_), weight = contiguous(weight_), bias = contiguous(bias_);
    const Dtype sums = wide(x.dtype());
    Tensor y({N, H}, x.dtype(), x.device()), products({B, 3 * H}, sums, x.device()), kept;
    Tensor h = zeros({B, H}, sums, x.device());
    if (saved) kept = Tensor({N, 4 * H}, sums, x.device());
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      if (y.size() == 0) return;
      gru_forward(device, order, H, x.data<T>(), weight.data<T>(), bias.data<T>(),
                  h.data<Wide<T>>(), products.data<Wide<T>>(), y.data<T>(),
                  kept ? kept.data<Wide<T>>() : nullptr);
    });
    if (saved) *saved = {weight, y, kept, std::move(order)};
    return y;
  }

  static Grads backward(const Saved& s, const Tensor& dy_, Wanted wanted) {
    const Tensor dy = contiguous(dy_);
    const int64_t N = dy.dim(0), H = dy.dim(1), B = s.order.first.size();
    const auto made = [&](Shape shape, Dtype dtype) { return Tensor(shape, dtype, dy.device()); };
    Tensor dx = made({N, 3 * H}, dy.dtype()), dweight, dbias;
    if (wanted[1]) dweight = empty_like(s.weight);
    if (wanted[2]) dbias = made({3 * H}, dy.dtype());
    Tensor dproducts = made({N, 3 * H}, dy.dtype()), before = made({N, H}, dy.dtype());
    Tensor carry = zeros({B, H}, wide(dy.dtype()), dy.device());
    on(name, dy, [&](auto device, auto t) {
      using T = decltype(t);
      const auto or_null = [](Tensor& g) { return g ? g.data<T>() : nullptr; };
      gru_backward(device, s.order, H, s.weight.data<T>(), s.y.data<T>(), s.kept.data<Wide<T>>(),
                   dy.data<T>(), carry.data<Wide<T>>(), dproducts.data<T>(), before.data<T>(),
                   dx.data<T>(), or_null(dweight), or_null(dbias));
    });
    return {wanted[0] ? dx : Tensor(), dweight, dbias, Tensor()};
  }

  static Tensor reference(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Tensor& offsets_, bool reverse) {
    check_arguments(x, weight, bias, offsets_);
    const Tensor offsets = checked_offsets(offsets_, x.dim(0));
    const int64_t N = x.dim(0), H = weight.dim(1);
    const auto gate = [H](const Tensor& rows, int64_t k) {
      return slice(rows, 1, k * H, (k + 1) * H);
    };
    if (N == 0) return gate(linear(slice(x, 1, 0, H), weight, bias), 0);
    std::vector<Tensor> rows(static_cast<size_t>(N));
    for (int64_t b = 0; b + 1 < offsets.size(); ++b) {
      const int64_t begin = offsets.data<int32_t>()[b], end = offsets.data<int32_t>()[b + 1];
      Tensor h = zeros({1, H}, x.dtype(), x.device());
      for (int64_t t = 0; t < end - begin; ++t) {
        const int64_t row = reverse ? end - 1 - t : begin + t;
        const Tensor in = slice(x, 0, row, row + 1), product = linear(h, weight, bias);
        const Tensor r = sigmoid(add(gate(in, 0), gate(product, 0))),
                     z = sigmoid(add(gate(in, 1), gate(product, 1))),
                     n = tanh(add(gate(in, 2), multiply(r, gate(product, 2))));
        h = add(n, multiply(z, subtract(h, n)));
        rows[static_cast<size_t>(row)] = h;
      }
    }
    return concat(rows, 0);
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, std::vector<int32_t> offsets, int64_t H,
                            bool reverse = false) {
      const int64_t N = offsets.back();
      const auto flops = static_cast<double>(2 * N * 3 * H * H);
      const double range = 1.2 / std::sqrt(static_cast<double>(H));  // larger ones make chaos
      all.push_back(
          {.label = label,
           .in = {randn({N, 3 * H}, 1), rand_uniform({3 * H, H}, 2, -range, range),
                  randn({3 * H}, 3), from(offsets)},
           .call = [reverse](auto in) { return gru(in[0], in[1], in[2], in[3], reverse); },
           .forward = {.flops = flops},
           .backward = {2 * flops, static_cast<double>(N * 12 * H)}});
    };
    sample("one sequence", {0, 5}, 3);
    sample("lengths 2 0 4 1", {0, 2, 2, 6, 7}, 4);
    sample("lengths 2 0 4 1, reverse", {0, 2, 2, 6, 7}, 4, true);
    sample("one token", {0, 1}, 2);
    sample("one channel, reverse", {0, 3, 5}, 1, true);
    sample("no tokens", {0, 0}, 3);
    sample("no sequences", {0}, 3);
    sample("lengths 9 17, 19 channels", {0, 9, 26}, 19);
    std::vector<int32_t> many(17);
    for (int32_t b = 0; b <= 16; ++b) many[static_cast<size_t>(b)] = 16 * b;
    sample("16x16, 384 channels", many, 384);
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<Gru>()};

}  // namespace

Tensor gru(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& offsets,
           bool reverse) {
  return apply<Gru>(x, weight, bias, offsets, reverse);
}

}  // namespace ink
