// L = mean over rows of −log softmax(x)[label];   dx = (softmax(x) − onehot(label)) / rows
#include "tensor/ops/cross_entropy.h"

#include <algorithm>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"

#if INK_CUDA
#include "cuda/log_sum_exp.cuh"
#include "cuda/mean.h"
#endif

namespace ink {

namespace {

int64_t count_labels(const char* op, const int32_t* label, int64_t N, int64_t V) {
  int64_t count = 0;
  for (int64_t n = 0; n < N; ++n) {
    check(label[n] == kIgnore || (label[n] >= 0 && label[n] < V), "", op, ": label ", label[n],
          " in row ", n, " should lie in [0, ", V, "), or be ", kIgnore,
          " for a row that does not count");
    count += label[n] == kIgnore ? 0 : 1;
  }
  return count;
}

}  // namespace

int64_t count_labels(const char* op, const Tensor& labels, int64_t N, int64_t V) {
  expect(op, "labels", labels, Dtype::i32, Shape{N});
  return count_labels(op, contiguous(labels).data<int32_t>(), N, V);
}

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

CountedLabels labels_on(Cpu, const char* op, const Tensor& labels, int64_t N, int64_t V) {
  const Tensor ids = index_on(Device::cpu, labels);
  const int64_t count = count_labels(op, ids, N, V);
  return {.ids = contiguous(ids), .count = count, .weight = {}};
}

namespace {

// Σ losses / count; 0 when count is.
Tensor mean_over(const Tensor& losses, int64_t count) {
  double sum = 0;
  on_cpu("mean_loss", losses, [&](auto, auto t) {
    const auto* loss = losses.data<decltype(t)>();
    for (int64_t n = 0; n < losses.size(); ++n) sum += static_cast<double>(loss[n]);
  });
  return full({}, count ? sum / static_cast<double>(count) : 0, losses.dtype());
}

// N rows of V. peak and total may be null. A row that does not count gets loss 0.
template <class T>
void rows_forward(const T* x, const int32_t* label, T* loss, T* peak, T* total, int64_t N,
                  int64_t V) {
  for (int64_t n = 0; n < N; ++n, x += V) {
    loss[n] = 0;
    if (label[n] == kIgnore) continue;
    const LogSumExp<T> s = log_sum_exp(x, V);
    loss[n] = label_loss(x, s, label[n]);
    if (peak) peak[n] = s.peak, total[n] = s.total;
  }
}

template <class T>
void cross_entropy_forward(Cpu, const T* x, const int32_t* label, T* loss, T* peak, T* total,
                           int64_t N, int64_t V) {
  parallel_for(N, grain_for(V), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      rows_forward(x + begin * V, label + begin, loss + begin, peak ? peak + begin : nullptr,
                   total ? total + begin : nullptr, end - begin, V);
    });
  });
}

template <class T>
void rows_backward(const T* x, const int32_t* label, const T* peak, const T* total, T factor, T* dx,
                   int64_t N, int64_t V) {
  for (int64_t n = 0; n < N; ++n, x += V, dx += V) {
    if (label[n] == kIgnore) {
      std::fill_n(dx, V, T{0});
    } else {
      label_gradient(x, {peak[n], total[n]}, label[n], factor, dx, V);
    }
  }
}

template <class T>
void cross_entropy_backward(Cpu, const T* x, const CountedLabels& labels, const T* peak,
                            const T* total, const Tensor& dy, T* dx, int64_t N, int64_t V) {
  const int32_t* label = labels.ids.data<int32_t>();
  const T factor = static_cast<T>(labels.count ? dy.item() / static_cast<double>(labels.count) : 0);
  parallel_for(N, grain_for(V), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      rows_backward(x + begin * V, label + begin, peak + begin, total + begin, factor,
                    dx + begin * V, end - begin, V);
    });
  });
}

}  // namespace

Tensor mean_loss(Cpu, const Tensor& losses, const CountedLabels& labels) {
  return mean_over(losses, labels.count);
}
Tensor mean_loss(Cpu, const Tensor& losses) { return mean_over(losses, losses.size()); }

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────

namespace {

// Labels of the host, which are checked before they are sent.
Tensor checked_on_device(const char* op, const Tensor& labels, int64_t V) {
  const int32_t* label = labels.data<int32_t>();
  const int64_t N = labels.size();
  return derived_on_device(labels, {"labels", {labels.offset(), N, V}}, N, [=](int32_t* to) {
    count_labels(op, label, N, V);
    std::copy_n(label, N, to);
  });
}

}  // namespace

CountedLabels labels_on(Cuda, const char* op, const Tensor& labels, int64_t N, int64_t V) {
  expect(op, "labels", labels, Dtype::i32, Shape{N});
  const Tensor packed = contiguous(labels);
  const Tensor ids = packed.device() == Device::cuda ? packed : checked_on_device(op, packed, V);
  return {.ids = ids, .weight = cuda::inverse_count(ids, kIgnore)};
}

Tensor mean_loss(Cuda, const Tensor& losses, const CountedLabels& labels) {
  return cuda::scaled_sum(losses, 1, labels.weight.data<float>());
}
Tensor mean_loss(Cuda, const Tensor& losses) {
  return cuda::scaled_sum(losses, losses.size() ? 1 / static_cast<double>(losses.size()) : 0);
}

namespace {

// A label outside the row makes its loss and, by way of total, its gradient NaN.
template <class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    cross_entropy_kernel(Team team, const T* x, const int32_t* label, float* loss, float* peak,
                         float* total, int64_t N, int64_t V, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  const int64_t n = team.first_row();
  if (n >= N) return;  // a whole team, and one without company at barriers
  if (label[n] == kIgnore) {
    if (team.rank() == 0) loss[n] = 0;
    return;
  }
  const float chosen = cuda::at_label(x + n * V, label[n], V);  // comes with the rest of the row
  const cuda::ExpSum s = cuda::exp_sum(team, x + n * V, V, packed, part);
  if (team.rank() != 0) return;
  loss[n] = cuda::label_loss(s, chosen);
  if (peak) peak[n] = s.peak, total[n] = chosen == chosen ? s.total : chosen;
}

template <class T>
void cross_entropy_forward(Cuda, const T* x, const int32_t* label, float* loss, float* peak,
                           float* total, int64_t N, int64_t V) {
  cuda::with_long_row_team<T>(V, [&](auto team, int threads) {
    cuda::launch("cross_entropy_forward", cross_entropy_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, label, loss, peak, total, N, V,
                 cuda::packs<T>(V, x));
  });
}

template <class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    cross_entropy_backward_kernel(Team team, const T* x, const int32_t* label, const float* peak,
                                  const float* total, const float* dy, const float* weight, T* dx,
                                  int64_t N, int64_t V, bool packed) {
  const int64_t n = team.first_row();
  if (n >= N) return;
  if (label[n] == kIgnore) return cuda::clear_row(team, dx + n * V, V, packed);
  cuda::label_gradient(team, x + n * V, {peak[n], total[n]}, label[n], *dy * *weight, dx + n * V, V,
                       packed);
}

template <class T>
void cross_entropy_backward(Cuda, const T* x, const CountedLabels& labels, const float* peak,
                            const float* total, const Tensor& dy, T* dx, int64_t N, int64_t V) {
  cuda::with_long_row_team<T>(V, [&](auto team, int threads) {
    cuda::launch("cross_entropy_backward", cross_entropy_backward_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, labels.ids.data<int32_t>(),
                 peak, total, dy.data<float>(), labels.weight.data<float>(), dx, N, V,
                 cuda::packs<T>(V, x) && cuda::packs<T>(V, dx));
  });
}

}  // namespace
#endif

namespace {

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";
  struct Saved {
    Tensor logits, peak, total;
    CountedLabels labels;
  };

  static Tensor forward(Saved* saved, const Tensor& logits_, const Tensor& labels_) {
    expect_rank(name, "logits", logits_, 2);
    const int64_t N = logits_.dim(0), V = logits_.dim(1);
    const Tensor logits = contiguous(logits_);
    Tensor losses({N}, wide(logits.dtype()), logits.device()), peak, total, loss;
    if (saved) peak = empty_like(losses), total = empty_like(losses);
    on(name, logits, [&](auto device, auto t) {
      using T = decltype(t);
      const CountedLabels labels = labels_on(device, name, labels_, N, V);
      cross_entropy_forward(device, logits.data<T>(), labels.ids.template data<int32_t>(),
                            losses.data<Wide<T>>(), saved ? peak.data<Wide<T>>() : nullptr,
                            saved ? total.data<Wide<T>>() : nullptr, N, V);
      loss = mean_loss(device, losses, labels);
      if (saved) *saved = {logits, peak, total, labels};
    });
    return loss;
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    const int64_t N = s.logits.dim(0), V = s.logits.dim(1);
    Tensor dx = empty_like(s.logits);
    on(name, dx, [&](auto device, auto t) {
      using T = decltype(t);
      cross_entropy_backward(device, s.logits.data<T>(), s.labels, s.peak.data<Wide<T>>(),
                             s.total.data<Wide<T>>(), dy, dx.data<T>(), N, V);
    });
    return {dx, Tensor()};
  }

  // −Σ (one-hot rows / count) · log softmax
  static Tensor reference(const Tensor& logits, const Tensor& labels) {
    expect_rank(name, "logits", logits, 2);
    const int64_t N = logits.dim(0), V = logits.dim(1), count = count_labels(name, labels, N, V);
    Tensor weights = zeros(logits.shape(), Dtype::f64);
    const Tensor packed = contiguous(labels);
    for (int64_t n = 0; n < N; ++n) {
      const int32_t label = packed.data<int32_t>()[n];
      if (label != kIgnore) weights.data<double>()[n * V + label] = -1 / static_cast<double>(count);
    }
    return sum(multiply(converted(weights, logits.dtype()), log_softmax(logits)));
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape, const std::vector<int32_t>& labels) {
      all.push_back({.label = label,
                     .in = {randn(shape, 1), from(labels)},
                     .call = [](auto in) { return cross_entropy(in[0], in[1]); },
                     .backward = moves(2, shape.size())});
    };
    sample("4x6", {4, 6}, {0, 5, 2, 2});
    sample("ignored rows", {5, 7}, {kIgnore, 3, kIgnore, 0, 6});
    sample("all ignored", {2, 3}, {kIgnore, kIgnore});
    sample("no rows", {0, 5}, {});
    sample("one class", {3, 1}, {0, 0, 0});
    sample("3x133", {3, 133}, {132, 0, 64});
    sample("64x21128", {64, 21128}, to_vector<int32_t>(randint({64}, 2, 0, 21128)));
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<CrossEntropy>()};

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  return apply<CrossEntropy>(logits, labels);
}

}  // namespace ink
