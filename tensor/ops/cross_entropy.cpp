// L = mean over rows of −log softmax(x)[label];   dx = (softmax(x) − onehot(label)) / rows
#include "tensor/ops/cross_entropy.h"

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"

namespace ink {

int64_t count_labels(const char* op, const Tensor& labels, int64_t N, int64_t V) {
  expect(op, "labels", labels, Dtype::i32, Shape{N});
  const Tensor packed = contiguous(labels);
  const int32_t* label = packed.data<int32_t>();
  int64_t count = 0;
  for (int64_t n = 0; n < N; ++n) {
    check(label[n] == kIgnore || (label[n] >= 0 && label[n] < V), "", op, ": label ", label[n],
          " in row ", n, " should lie in [0, ", V, "), or be ", kIgnore,
          " for a row that does not count");
    count += label[n] == kIgnore ? 0 : 1;
  }
  return count;
}

Tensor mean_loss(const char* op, const Tensor& losses, int64_t count) {
  double sum = 0;
  on(op, losses, [&](auto, auto t) {
    const auto* loss = losses.data<decltype(t)>();
    for (int64_t n = 0; n < losses.size(); ++n) sum += static_cast<double>(loss[n]);
  });
  return full({}, count ? sum / static_cast<double>(count) : 0, losses.dtype());
}

namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// N rows of V. peak and total may be null. A row that does not count gets loss 0.
template <class T>
void cross_entropy_forward(Cpu, const T* x, const int32_t* label, T* loss, T* peak, T* total,
                           int64_t N, int64_t V) {
  for (int64_t n = 0; n < N; ++n, x += V) {
    loss[n] = 0;
    if (label[n] == kIgnore) continue;
    const LogSumExp<T> s = log_sum_exp(x, V);
    loss[n] = label_loss(x, s, label[n]);
    if (peak) peak[n] = s.peak, total[n] = s.total;
  }
}

template <class T>
void cross_entropy_backward(Cpu, const T* x, const int32_t* label, const T* peak, const T* total,
                            T factor, T* dx, int64_t N, int64_t V) {
  for (int64_t n = 0; n < N; ++n, x += V, dx += V) {
    if (label[n] == kIgnore) {
      std::fill_n(dx, V, T{0});
    } else {
      label_gradient(x, {peak[n], total[n]}, label[n], factor, dx, V);
    }
  }
}

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";
  struct Saved {
    Tensor logits, labels, peak, total;
    int64_t count;
  };

  static Tensor forward(Saved* saved, const Tensor& logits_, const Tensor& labels_) {
    expect_rank(name, "logits", logits_, 2);
    const int64_t N = logits_.dim(0), V = logits_.dim(1), count = count_labels(name, labels_, N, V);
    const Tensor logits = contiguous(logits_), labels = contiguous(labels_);
    Tensor losses({N}, logits.dtype()), peak, total;
    if (saved) peak = empty_like(losses), total = empty_like(losses);
    on(name, logits, [&](auto device, auto t) {
      using T = decltype(t);
      const T* x = logits.data<T>();
      const int32_t* label = labels.data<int32_t>();
      T *loss = losses.data<T>(), *peaks = saved ? peak.data<T>() : nullptr;
      T* totals = saved ? total.data<T>() : nullptr;
      parallel_for(N, grain_for(V), [&](int64_t begin, int64_t end) {
        simd::run([&] {
          cross_entropy_forward(device, x + begin * V, label + begin, loss + begin,
                                peaks ? peaks + begin : nullptr, totals ? totals + begin : nullptr,
                                end - begin, V);
        });
      });
    });
    if (saved) *saved = {logits, labels, peak, total, count};
    return mean_loss(name, losses, count);
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    const int64_t N = s.logits.dim(0), V = s.logits.dim(1);
    Tensor dx = empty_like(s.logits);
    on(name, dx, [&](auto device, auto t) {
      using T = decltype(t);
      const T *x = s.logits.data<T>(), *peak = s.peak.data<T>(), *total = s.total.data<T>();
      const int32_t* label = s.labels.data<int32_t>();
      T* out = dx.data<T>();
      const T factor = static_cast<T>(s.count ? dy.item() / static_cast<double>(s.count) : 0);
      parallel_for(N, grain_for(V), [&](int64_t begin, int64_t end) {
        simd::run([&] {
          cross_entropy_backward(device, x + begin * V, label + begin, peak + begin, total + begin,
                                 factor, out + begin * V, end - begin, V);
        });
      });
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
