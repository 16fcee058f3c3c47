// L = cross_entropy(z, labels) with z = x Wᵀ + b (M, V): the head of masked language models.
//
//   dz = (softmax(z) − onehot)/rows;   dx = dz W;   dW = dzᵀ x;   db = Σ dz over rows
//
// V is some 21,000, so z is by far the largest tensor of the model. It is computed in blocks of
// rows that fit a fixed buffer. When the op is recorded, each block is turned into dz in place and
// used up at once, so that z is computed only once and never kept: what backward needs is the
// wanted gradients themselves, ready but for the factor dy.
#include "tensor/expect.h"
#include "tensor/gemm.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/cross_entropy.h"

namespace ink {
namespace {

constexpr int64_t kBlock = int64_t{1} << 23;  // elements of z at a time: 32 MiB in f32

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// Rows of z to their losses and, unless factor is 0, in place to factor·(softmax(z) − onehot).
// Rows that do not count become 0.
template <class T>
void rows_to_gradient(Cpu, T* z, const int32_t* label, T* loss, T factor, int64_t M, int64_t V) {
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

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct LinearCrossEntropy {
  static constexpr const char* name = "linear_cross_entropy";
  struct Saved {
    Wanted wanted;
    Tensor dx, dweight, dbias;  // of L itself
  };

  // What n rows dz, those of x from `first` on, give to the wanted gradients.
  template <class T>
  static void add_block(Saved& s, const T* dz, const Tensor& x, const Tensor& weight, int64_t first,
                        int64_t n) {
    const int64_t V = weight.dim(0), C = weight.dim(1);
    if (s.dx) {
      gemm(false, false, n, C, V, dz, V, weight.data<T>(), C, s.dx.data<T>() + first * C, C);
    }
    if (s.dweight) {
      gemm(true, false, V, C, n, dz, V, x.data<T>() + first * C, C, s.dweight.data<T>(), C,
           Epilogue<T>{.accumulate = true});
    }
    if (s.dbias) column_sums(dz, n, V, s.dbias.data<T>(), true);
  }

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& weight_, const Tensor& bias_,
                        const Tensor& labels_) {
    expect_rank(name, "x", x_, 2);
    expect_rank(name, "the weight", weight_, 2);
    const int64_t M = x_.dim(0), C = x_.dim(1), V = weight_.dim(0);
    const Labels labels = labels_on(Cpu{}, name, labels_, M, V);
    expect(name, "the weight", weight_, x_.dtype(), Shape{V, C});
    expect(name, "the bias", bias_, x_.dtype(), Shape{V});
    const Tensor x = contiguous(x_), weight = contiguous(weight_), bias = contiguous(bias_);
    const int64_t rows = std::min(M, std::max<int64_t>(kBlock / std::max<int64_t>(V, 1), 16));
    Tensor losses({M}, x.dtype()), z({rows, V}, x.dtype());
    if (saved && saved->wanted[0]) saved->dx = empty_like(x);
    if (saved && saved->wanted[1]) saved->dweight = zeros(weight.shape(), x.dtype());
    if (saved && saved->wanted[2]) saved->dbias = zeros(bias.shape(), x.dtype());
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      const T factor =
          static_cast<T>(saved && labels.count ? 1 / static_cast<double>(labels.count) : 0);
      T *block = z.data<T>(), *loss = losses.data<T>();
      for (int64_t first = 0; first < M; first += rows) {
        const int64_t n = std::min(rows, M - first);
        const T *in = x.data<T>() + first * C, *w = weight.data<T>();
        const int32_t* label = labels.ids.data<int32_t>() + first;
        gemm(false, true, n, V, C, in, C, w, C, block, V, Epilogue<T>{.bias = bias.data<T>()});
        parallel_for(n, grain_for(V), [&](int64_t begin, int64_t end) {
          simd::run([&] {
            rows_to_gradient(device, block + begin * V, label + begin, loss + first + begin, factor,
                             end - begin, V);
          });
        });
        if (saved) add_block<T>(*saved, block, x, weight, first, n);
      }
    });
    return mean_loss(Cpu{}, losses, labels);
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    const double factor = dy.item();
    const auto scaled = [factor](const Tensor& g) {
      return g && factor != 1 ? scale(g, factor) : g;
    };
    return {scaled(s.dx), scaled(s.dweight), scaled(s.dbias), Tensor()};
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
