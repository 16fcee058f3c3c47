// L = cross_entropy(z, labels) with z = x Wᵀ + b (M, V): the head of masked language models.
//
//   dz = (softmax(z) − onehot)/rows;   dx = dz W;   dW = dzᵀ x;   db = Σ dz over rows
//
// V is some 21,000, so z is by far the largest tensor of the model. It is computed in blocks of
// rows that fit a fixed buffer. When the op is recorded, each block is turned into dz in place and
// used up at once, so that z is computed only once and never kept: what backward needs is the
// wanted gradients themselves, ready but for the factor dy.
#include "tensor/ops/linear_cross_entropy.h"

#include "tensor/expect.h"
#include "tensor/gemm.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/cross_entropy.h"

#if INK_CUDA
#include "cuda/column_sums.cuh"
#include "cuda/gemm.h"
#include "cuda/log_sum_exp.cuh"
#include "cuda/map.cuh"
#endif

namespace ink {
namespace {

// M rows of C, V words. Gradients are null where they are not wanted.
template <class T, class W>
struct Problem {
  const T *x, *weight, *bias;
  W *loss, *dx, *dweight, *dbias;
  int64_t M, C, V;
  bool recorded;
};

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

constexpr int64_t kBlock = int64_t{1} << 23;  // elements of z at a time: 32 MiB in f32

// Rows of z to their losses and, unless factor is 0, in place to factor·(softmax(z) − onehot).
// Rows that do not count become 0.
template <class T>
void rows_to_gradient(T* z, const int32_t* label, T* loss, T factor, int64_t M, int64_t V) {
  for (int64_t m = 0; m < M; ++m, z += V) {
    loss[m] = 0;
    if (label[m] == kIgnore) {
      std::fill_n(z, V, T{0});
      continue;
    }
    const LogSumExp<T> s = log_sum_exp(z, V);
    loss[m] = label_loss(z, s, label[m]);
    if (factor != 0) label_gradient(z, s, label[m], factor, z, V);
  }
}

// What n rows dz, those of x from `first` on, give to the wanted gradients.
template <class T>
void add_block(Cpu, const Problem<T, T>& p, const T* dz, int64_t first, int64_t n) {
  const int64_t C = p.C, V = p.V;
  const T* x = p.x + first * C;
  if (p.dx) gemm(false, false, n, C, V, dz, V, p.weight, C, p.dx + first * C, C);
  if (p.dweight) {
    gemm(true, false, V, C, n, dz, V, x, C, p.dweight, C, Epilogue<T>{.accumulate = true});
  }
  if (p.dbias) column_sums(dz, n, V, p.dbias, true);
}

// The gradients are those of the mean of the losses.
template <class T>
void losses_and_gradients(Cpu device, const Problem<T, T>& p, const CountedLabels& labels) {
  const int64_t M = p.M, C = p.C, V = p.V;
  const int64_t rows = std::min(M, std::max<int64_t>(kBlock / std::max<int64_t>(V, 1), 16));
  const T factor =
      static_cast<T>(p.recorded && labels.count ? 1 / static_cast<double>(labels.count) : 0);
  if (p.dweight) std::fill_n(p.dweight, V * C, T{0});
  if (p.dbias) std::fill_n(p.dbias, V, T{0});
  Tensor z({rows, V}, dtype_of<T>);
  T* block = z.data<T>();
  for (int64_t first = 0; first < M; first += rows) {
    const int64_t n = std::min(rows, M - first);
    const int32_t* label = labels.ids.data<int32_t>() + first;
    gemm(false, true, n, V, C, p.x + first * C, C, p.weight, C, block, V,
         Epilogue<T>{.bias = p.bias});
    parallel_for(n, grain_for(V), [&](int64_t begin, int64_t end) {
      simd::run([&] {
        rows_to_gradient(block + begin * V, label + begin, p.loss + first + begin, factor,
                         end - begin, V);
      });
    });
    if (p.recorded) add_block(device, p, block, first, n);
  }
}

template <class T>
Tensor scaled(Cpu, const Tensor& g, const Tensor& dy, const CountedLabels&) {
  const double factor = dy.item();
  return factor != 1 ? scale(g, factor) : g;
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// dz is that of the sum of the losses: numbers in [−1, 1], which f16 holds. So are the gradients
// that are kept, in f32; backward divides by the number of rows that count.
//
// cuBLASLt moves 16 bytes at a time only where rows and extents are whole packs of so many, which V
// need not be. So rows of z begin at whole packs, and the last words are multiplied by themselves.

template <class T>
int64_t whole_packs(int64_t V) {
  return V / cuda::kPack<T> * cuda::kPack<T>;
}

// f(first word, words) for the words that fill packs, then for those that are left.
template <class T, class F>
void for_words(int64_t V, const F& f) {
  const int64_t whole = whole_packs<T>(V);
  if (whole > 0 || V == 0) f(0, whole);
  if (whole < V) f(whole, V - whole);
}

template <class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    rows_to_gradient_kernel(Team team, T* z, int64_t ld, const int32_t* label, float* loss,
                            bool gradient, int64_t M, int64_t V) {
  constexpr bool packed = true;  // rows begin at whole packs and end with room for one
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t m = team.first_row();
  if (m >= M) return;  // a whole team, and one without company at barriers
  T* row = z + m * ld;
  if (label[m] == kIgnore) {
    if (team.rank() == 0) loss[m] = 0;
    if (gradient) cuda::clear_row(team, row, V, packed);
    return;
  }
  const float chosen = cuda::at_label(row, label[m], V);
  cuda::ExpSum s = cuda::exp_sum(team, row, V, packed, part);  // after it no thread reads `chosen`
  if (team.rank() == 0) loss[m] = cuda::label_loss(s, chosen);
  if (chosen != chosen) s.total = chosen;
  if (gradient) cuda::label_gradient(team, row, s, label[m], 1.0f, row, V, packed);
}

// dz: rows at a distance of ld.
template <class T>
void add_block(Cuda, const Problem<T, float>& p, const T* dz, int64_t ld, int64_t first,
               int64_t n) {
  const int64_t C = p.C;
  const T *x = p.x + first * C, *weight = p.weight;
  for_words<T>(p.V, [&](int64_t word, int64_t words) {
    const float sum_of_words = word > 0 ? 1 : 0, sum_of_blocks = first > 0 ? 1 : 0;
    if (p.dx) {
      const cuda::Result dx(p.dx + first * C, C);
      cuda::gemm(n, C, words, {dz + word, ld}, {weight + word * C, C}, dx, {.beta = sum_of_words});
    }
    if (p.dweight) {
      const cuda::Result dweight(p.dweight + word * C, C);
      cuda::gemm(words, C, n, {dz + word, ld, true}, {x, C}, dweight, {.beta = sum_of_blocks});
    }
  });
  if (p.dbias) cuda::column_sums(dz, p.dbias, n, p.V, {.accumulate = first > 0}, ld);
}

template <class T>
void losses_and_gradients(Cuda device, const Problem<T, float>& p, const CountedLabels& labels) {
  const int64_t M = p.M, C = p.C, V = p.V;
  const int64_t most = std::max<int64_t>(logits_block / std::max<int64_t>(V, 1), 16);
  const int64_t blocks = (M + most - 1) / most, rows = blocks ? (M + blocks - 1) / blocks : 0;
  const int64_t ld = whole_packs<T>(V + cuda::kPack<T> - 1);
  Tensor z({rows, ld}, dtype_of<T>, Device::cuda);
  T* block = z.data<T>();
  int64_t first = 0;
  do {  // without rows too: the gradients are 0 then
    const int64_t n = std::min(rows, M - first);
    const int32_t* label = labels.ids.data<int32_t>() + first;
    const T *x = p.x + first * C, *weight = p.weight, *bias = p.bias;
    for_words<T>(V, [&](int64_t word, int64_t words) {
      cuda::gemm(n, words, C, {x, C}, {weight + word * C, C, true}, {block + word, ld},
                 {.bias = bias + word});
    });
    cuda::with_long_row_team<T>(V, [&](auto team, int threads) {
      cuda::launch("linear_cross_entropy", rows_to_gradient_kernel<T, decltype(team)>,
                   {cuda::blocks_for_rows(team, n), threads}, team, block, ld, label,
                   p.loss + first, p.recorded, n, V);
    });
    if (p.recorded) add_block(device, p, block, ld, first, n);
    first += n;
  } while (first < M);
}

// g·dy/rows, where neither factor is known to the host.
struct TimesMean {
  static constexpr const char* name = "linear_cross_entropy_backward";
  const float *dy, *weight;
  INK_DEVICE float operator()(float g) const { return g * (*dy * *weight); }
};

template <class T>
Tensor scaled(Cuda, const Tensor& g, const Tensor& dy, const CountedLabels& labels) {
  const TimesMean times{dy.data<float>(), labels.weight.data<float>()};
  Tensor y(g.shape(), dtype_of<T>, Device::cuda);
  cuda::map_elements(cuda::InF32<TimesMean, T>{times}, g.size(), y.data<T>(), g.data<float>());
  return y;
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct LinearCrossEntropy {
  static constexpr const char* name = "linear_cross_entropy";
  struct Saved {
    Wanted wanted;
    Tensor dx, dweight, dbias;  // of the mean of the losses; on the CUDA device of their sum
    Tensor weight;
    CountedLabels labels;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& weight_, const Tensor& bias_,
                        const Tensor& labels_) {
    expect_rank(name, "x", x_, 2);
    expect_rank(name, "the weight", weight_, 2);
    const int64_t M = x_.dim(0), C = x_.dim(1), V = weight_.dim(0);
    expect(name, "the weight", weight_, x_.dtype(), Shape{V, C});
    expect(name, "the bias", bias_, x_.dtype(), Shape{V});
    expect_one_device(name, x_, weight_, bias_);
    const Tensor x = contiguous(x_), weight = contiguous(weight_), bias = contiguous(bias_);
    const Dtype sums = wide(x.dtype());
    Tensor losses({M}, sums, x.device()), dx, dweight, dbias, loss;
    if (saved && saved->wanted[0]) dx = Tensor(x.shape(), sums, x.device());
    if (saved && saved->wanted[1]) dweight = Tensor(weight.shape(), sums, x.device());
    if (saved && saved->wanted[2]) dbias = Tensor(bias.shape(), sums, x.device());
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      using W = Wide<T>;
      const auto or_null = [](Tensor& g) { return g ? g.data<W>() : nullptr; };
      const CountedLabels labels = labels_on(device, name, labels_, M, V);
      const Problem<T, W> problem{.x = x.data<T>(),
                                  .weight = weight.data<T>(),
                                  .bias = bias.data<T>(),
                                  .loss = losses.data<W>(),
                                  .dx = or_null(dx),
                                  .dweight = or_null(dweight),
                                  .dbias = or_null(dbias),
                                  .M = M,
                                  .C = C,
                                  .V = V,
                                  .recorded = saved != nullptr};
      losses_and_gradients(device, problem, labels);
      loss = mean_loss(device, losses, labels);
      if (saved) *saved = {saved->wanted, dx, dweight, dbias, weight, labels};
    });
    return loss;
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    Grads grads(4);
    on(name, s.weight, [&](auto device, auto t) {
      const Tensor kept[] = {s.dx, s.dweight, s.dbias};
      for (size_t i = 0; i < 3; ++i) {
        if (kept[i]) grads[i] = scaled<decltype(t)>(device, kept[i], dy, s.labels);
      }
    });
    return grads;
  }

  static Tensor reference(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Tensor& labels) {
    return cross_entropy(linear(x, weight, bias), labels);
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape x, int64_t V,
                            const std::vector<int32_t>& labels) {
      const int64_t C = x[1];
      all.push_back(
          {.label = label,
           .in = {randn(x, 1), rand_uniform({V, C}, 2, -0.2, 0.2), randn({V}, 3), from(labels)},
           .call = [](auto in) { return linear_cross_entropy(in[0], in[1], in[2], in[3]); },
           .forward = {.flops = 2.0 * static_cast<double>(x.size() * V)},
           .backward = {4.0 * static_cast<double>(x.size() * V),  // in fact spent in forward
                        static_cast<double>(x.size() + V * C)}});
    };
    sample("4x6 of 9", {4, 6}, 9, {0, 8, 3, 3});
    sample("ignored rows", {3, 2}, 5, {kIgnore, 1, kIgnore});
    sample("all ignored", {2, 3}, 4, {kIgnore, kIgnore});
    sample("no rows", {0, 3}, 5, {});
    sample("one word", {2, 3}, 1, {0, 0});
    sample("19x7 of 33", {19, 7}, 33, to_vector<int32_t>(randint({19}, 4, 0, 33)));
    sample("160x256 of 21128", {160, 256}, 21128, to_vector<int32_t>(randint({160}, 4, 0, 21128)));
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<LinearCrossEntropy>()};

}  // namespace

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Tensor& labels) {
  return apply<LinearCrossEntropy>(x, weight, bias, labels);
}

}  // namespace ink
