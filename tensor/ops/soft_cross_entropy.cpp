// L = mean over rows of −Σ p·log softmax(x);   dx = (softmax(x)·Σp − p) / rows
//
// kl_divergence is Σ p·(log p − log softmax(x)), which differs by a constant and has the same
// derivative. The probabilities p are constants and not negative; where p = 0, so is its term.
// The loss of no rows is 0.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/cross_entropy.h"
#include "tensor/ops/map.h"
#include "tensor/ops/mean.h"

#if INK_CUDA
#include "cuda/log_sum_exp.cuh"
#endif

namespace ink {
namespace {

// p·y for p > 0; 0 for p = 0, whatever y is; NaN otherwise.
template <class T>
INK_BOTH T weighted(T p, T y) {
  const T product = p > 0 ? p * y : std::numeric_limits<T>::quiet_NaN();
  return p == 0 ? T{0} : product;
}

// What backward needs of each row besides x and p; null when it is not wanted. mass is Σ p.
template <class T>
struct RowSums {
  T *peak, *total, *mass;
};

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// −Σ p·log softmax(x), plus Σ p·log p with `entropy`.
template <class T>
void rows_forward(const T* x, const T* p, bool entropy, T* loss, T* peak, T* total, T* mass,
                  int64_t N, int64_t V) {
  for (int64_t n = 0; n < N; ++n, x += V, p += V) {
    const LogSumExp<T> s = log_sum_exp(x, V);
    const T log_total = std::log(s.total);
    loss[n] = row_sum<T>(V, [=](int64_t v) { return weighted(p[v], log_total + (s.peak - x[v])); });
    if (entropy)
      loss[n] += row_sum<T>(V, [=](int64_t v) { return weighted(p[v], vmath::log(p[v])); });
    if (peak) {
      peak[n] = s.peak, total[n] = s.total;
      mass[n] = row_sum<T>(V, [=](int64_t v) { return p[v]; });
    }
  }
}

// Raises Error naming the first probability that is negative or NaN, if there is one.
template <class T>
void check_probabilities(const char* name, const T* p, int64_t N, int64_t V) {
  for (int64_t i = 0; i < N * V; ++i) {
    check(p[i] >= 0, "", name, ": probability ", p[i], " at (", i / V, ", ", i % V,
          ") should not be negative");
  }
}

template <class T>
void soft_forward(Cpu, const char* name, const T* x, const T* p, bool entropy, T* loss,
                  RowSums<T> sums, int64_t N, int64_t V) {
  parallel_for(N, grain_for(V), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * V, n = sums.peak ? begin : 0;
    simd::run([&] {
      rows_forward(x + at, p + at, entropy, loss + begin, sums.peak + n, sums.total + n,
                   sums.mass + n, end - begin, V);
    });
  });
  const bool valid = std::none_of(loss, loss + N, [](T l) { return std::isnan(l); });
  if (!valid) check_probabilities(name, p, N, V);
}

template <class T>
void rows_backward(const T* x, const T* p, const T* peak, const T* total, const T* mass, T factor,
                   T* dx, int64_t N, int64_t V) {
  for (int64_t n = 0; n < N; ++n, x += V, p += V, dx += V) {
    const T scale = mass[n] / total[n], m = peak[n];
#pragma omp simd
    for (int64_t v = 0; v < V; ++v) dx[v] = factor * (scale * vmath::exp(x[v] - m) - p[v]);
  }
}

template <class T>
void soft_backward(Cpu, const T* x, const T* p, RowSums<const T> sums, Factor factor, T* dx,
                   int64_t N, int64_t V) {
  parallel_for(N, grain_for(V), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * V;
    simd::run([&] {
      rows_backward(x + at, p + at, sums.peak + begin, sums.total + begin, sums.mass + begin,
                    factor.as<T>(), dx + at, end - begin, V);
    });
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// Nothing waits for the losses: a probability that is negative or NaN makes them NaN, no Error.

template <class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    soft_kernel(Team team, const T* x, const T* p, bool entropy, float* loss, RowSums<float> sums,
                int64_t N, int64_t V, bool packed) {
  INK_SHARED(float, part, [cuda::kWarp]);
  constexpr int P = cuda::kPack<T>;
  const int64_t n = team.first_row();
  if (n >= N) return;  // a whole team, and one without company at barriers
  const cuda::ExpSum s = cuda::exp_sum(team, x + n * V, V, packed, part);
  const float log_total = logf(s.total);
  float cross = 0, negative_entropy = 0, mass = 0;
  cuda::each_pack_of(team, {x + n * V, p + n * V}, V, packed, [&](int64_t, const float(&v)[2][P]) {
#pragma unroll
    for (int j = 0; j < P; ++j) {
      const float z = v[0][j], q = v[1][j];
      cross += weighted(q, log_total + (s.peak - z));
      if (entropy) negative_entropy += weighted(q, logf(q));
      mass += q;
    }
  });
  cross = team.sum(cross + negative_entropy, part);
  mass = team.sum(mass, part);
  if (team.rank() != 0) return;
  loss[n] = cross;
  if (sums.peak) sums.peak[n] = s.peak, sums.total[n] = s.total, sums.mass[n] = mass;
}

template <class T>
void soft_forward(Cuda, const char*, const T* x, const T* p, bool entropy, float* loss,
                  RowSums<float> sums, int64_t N, int64_t V) {
  cuda::with_long_row_team<T>(V, [&](auto team, int threads) {
    cuda::launch("soft_cross_entropy_forward", soft_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, p, entropy, loss, sums, N, V,
                 cuda::packs<T>(V, x) && cuda::packs<T>(V, p));
  });
}

template <class T, class Team>
__global__ void __launch_bounds__(cuda::kLongRowThreads<Team>, cuda::kLongRowBlocks<Team>)
    soft_backward_kernel(Team team, const T* x, const T* p, RowSums<const float> sums,
                         DeviceFactor factor, T* dx, int64_t N, int64_t V, bool packed) {
  constexpr int P = cuda::kPack<T>;
  const int64_t n = team.first_row();
  if (n >= N) return;
  const float scale = sums.mass[n] / sums.total[n], peak = sums.peak[n];
  const float by = factor.as<float>();
  cuda::each_pack_of(team, {x + n * V, p + n * V}, V, packed,
                     [&](int64_t first, const float(&v)[2][P]) {
                       float d[P];
#pragma unroll
                       for (int j = 0; j < P; ++j)
                         d[j] = by * (scale * expf(v[0][j] - peak) - v[1][j]);
                       cuda::store_floats(dx + n * V, d, first, V, packed);
                     });
}

template <class T>
void soft_backward(Cuda, const T* x, const T* p, RowSums<const float> sums, DeviceFactor factor,
                   T* dx, int64_t N, int64_t V) {
  cuda::with_long_row_team<T>(V, [&](auto team, int threads) {
    cuda::launch("soft_cross_entropy_backward", soft_backward_kernel<T, decltype(team)>,
                 {cuda::blocks_for_rows(team, N), threads}, team, x, p, sums, factor, dx, N, V,
                 cuda::packs<T>(V, x) && cuda::packs<T>(V, p) && cuda::packs<T>(V, dx));
  });
}
#endif

// ── what both ops share ─────────────────────────────────────────────────────────────────────────

struct SoftSaved {
  Tensor logits, p, peak, total, mass;
};

Tensor soft_loss(const char* name, SoftSaved* saved, const Tensor& logits_, const Tensor& p_,
                 bool entropy) {
  expect_rank(name, "logits", logits_, 2);
  expect_like(name, "probabilities", p_, logits_);
  const int64_t N = logits_.dim(0), V = logits_.dim(1);
  const Tensor logits = contiguous(logits_), p = contiguous(p_);
  Tensor losses({N}, wide(logits.dtype()), logits.device()), peak, total, mass, loss;
  if (saved) peak = empty_like(losses), total = empty_like(losses), mass = empty_like(losses);
  on(name, logits, [&](auto device, auto t) {
    using T = decltype(t);
    RowSums<Wide<T>> sums = {};
    if (saved) sums = {peak.data<Wide<T>>(), total.data<Wide<T>>(), mass.data<Wide<T>>()};
    soft_forward(device, name, logits.data<T>(), p.data<T>(), entropy, losses.data<Wide<T>>(), sums,
                 N, V);
    loss = mean_loss(device, losses);
  });
  if (saved) *saved = {logits, p, peak, total, mass};
  return loss;
}

Grads soft_gradient(const char* name, const SoftSaved& s, const Tensor& dy) {
  const int64_t N = s.logits.dim(0), V = s.logits.dim(1);
  Tensor dx = empty_like(s.logits);
  on(name, dx, [&](auto device, auto t) {
    using T = decltype(t);
    const RowSums<const Wide<T>> sums = {s.peak.data<Wide<T>>(), s.total.data<Wide<T>>(),
                                         s.mass.data<Wide<T>>()};
    soft_backward(device, s.logits.data<T>(), s.p.data<T>(), sums, mean_factor(device, dy, 1, N),
                  dx.data<T>(), N, V);
  });
  return {dx, Tensor()};
}

// ── the ops ─────────────────────────────────────────────────────────────────────────────────────

struct SoftCrossEntropy {
  static constexpr const char* name = "soft_cross_entropy";
  using Saved = SoftSaved;

  static Tensor forward(Saved* saved, const Tensor& logits, const Tensor& probabilities) {
    return soft_loss(name, saved, logits, probabilities, false);
  }
  static Grads backward(const Saved& saved, const Tensor& dy, Wanted) {
    return soft_gradient(name, saved, dy);
  }
  static Tensor reference(const Tensor& logits, const Tensor& probabilities) {
    expect_rank(name, "logits", logits, 2);
    Tensor p = probabilities;
    p.grad_id = {};
    const auto rows = static_cast<double>(std::max<int64_t>(logits.dim(0), 1));
    return scale(sum(multiply(p, log_softmax(logits))), -1 / rows);
  }
  static std::vector<Sample> samples();
};

// p·log p, 0 for p = 0
struct TimesLog {
  template <class T>
  INK_BOTH T operator()(T p) const {
    return p == 0 ? p : p * std::log(p);
  }
};

struct KlDivergence {
  static constexpr const char* name = "kl_divergence";
  using Saved = SoftSaved;

  static Tensor forward(Saved* saved, const Tensor& logits, const Tensor& probabilities) {
    return soft_loss(name, saved, logits, probabilities, true);
  }
  static Grads backward(const Saved& saved, const Tensor& dy, Wanted) {
    return soft_gradient(name, saved, dy);
  }
  static Tensor reference(const Tensor& logits, const Tensor& probabilities) {
    const Tensor p_log_p = map(name, TimesLog{}, probabilities);
    const auto rows = static_cast<double>(std::max<int64_t>(logits.dim(0), 1));
    return add(soft_cross_entropy(logits, probabilities), scale(sum(p_log_p), 1 / rows));
  }
  static std::vector<Sample> samples();
};

// The probabilities are constants, so they are no inputs of the sample.
template <class Loss>
std::vector<Sample> soft_samples(Loss loss) {
  std::vector<Sample> all;
  const auto sample = [&](const char* label, Shape shape, const Tensor& exact) {
    const Tensor p = coarse(exact);
    all.push_back(
        {.label = label,
         .in = {randn(shape, 1)},
         .call =
             [=](auto in) { return loss(in[0], to(converted(p, in[0].dtype()), in[0].device())); },
         .forward = moves(2, shape.size()),
         .backward = moves(3, shape.size())});
  };
  const auto softmax_of = [](Shape shape) { return softmax(randn(shape, 2)); };
  sample("4x6", {4, 6}, softmax_of({4, 6}));
  sample("zeros in p", {2, 3},
         from(std::span<const double>(std::vector<double>{1, 0, 0, 0.25, 0, 0.75}), {2, 3}));
  sample("unnormalized p", {3, 5}, rand_uniform({3, 5}, 3, 0, 2));
  sample("no rows", {0, 5}, softmax_of({0, 5}));
  sample("one class", {3, 1}, softmax_of({3, 1}));
  sample("3x133", {3, 133}, softmax_of({3, 133}));
  sample("64x21128", {64, 21128}, softmax_of({64, 21128}));
  all.back().bench = true;
  return all;
}
std::vector<Sample> SoftCrossEntropy::samples() {
  return soft_samples([](const Tensor& x, const Tensor& p) { return soft_cross_entropy(x, p); });
}
std::vector<Sample> KlDivergence::samples() {
  return soft_samples([](const Tensor& x, const Tensor& p) { return kl_divergence(x, p); });
}

INK_OPS entries[] = {describe<SoftCrossEntropy>(), describe<KlDivergence>()};

}  // namespace

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& probabilities) {
  return apply<SoftCrossEntropy>(logits, probabilities);
}
Tensor kl_divergence(const Tensor& logits, const Tensor& probabilities) {
  return apply<KlDivergence>(logits, probabilities);
}

}  // namespace ink
