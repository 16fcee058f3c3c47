// L = mean of max(x, 0) − x·t + log(1 + e^−|x|) over logits x, targets t;   dx = (σ(x) − t)/n
//
// That is −t·log σ(x) − (1 − t)·log σ(−x), written so that nothing overflows.
// The loss of no elements is 0. A target outside [0, 1] makes the sum NaN, and only then is sought.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/ops/mean.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// log(1 + e^−|x|). The quotient repairs what 1 + e has rounded off (Kahan).
template <class T>
INK_BOTH T log_one_plus_exp(T x) {
  const T e = vmath::exp(x < 0 ? x : -x), u = 1 + e;
  return u == 1 ? e : vmath::log(u) * (e / (u - 1));
}

struct LogisticLoss {
  template <class T>
  INK_BOTH T operator()(T x, T target) const {
    const T loss = (x > 0 ? x : T{0}) - x * target + log_one_plus_exp(x);
    const bool valid = target >= 0 && target <= 1;
    return valid ? loss : std::numeric_limits<T>::quiet_NaN();
  }
};

// factor·(σ(x) − t)
template <class Factor>
struct LogisticGradient {
  static constexpr const char* name = "binary_cross_entropy_backward";
  Factor factor;
  template <class T>
  INK_BOTH T operator()(T x, T target) const {
    return factor.template as<T>() * (vmath::sigmoid(x) - target);
  }
};

struct OneMinus {
  template <class T>
  INK_BOTH T operator()(T x) const {
    return 1 - x;
  }
};

// If the loss is NaN, raises Error naming the first target outside [0, 1], if there is one.
template <class T>
void check_targets(Cpu, const Tensor& loss, const T* target, int64_t n) {
  if (!std::isnan(loss.item())) return;
  for (int64_t i = 0; i < n; ++i) {
    check(target[i] >= 0 && target[i] <= 1, "binary_cross_entropy: target ", target[i], " at ", i,
          " should lie in [0, 1]");
  }
}

// Nothing waits for the device: there the loss is NaN, no Error.
template <class T>
void check_targets(Cuda, const Tensor&, const T*, int64_t) {}

struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  struct Saved {
    Tensor x, targets;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& targets_) {
    check(static_cast<bool>(x_), "binary_cross_entropy: the logits are an undefined tensor");
    expect_like(name, "targets", targets_, x_);
    const Tensor x = contiguous(x_), targets = contiguous(targets_);
    Tensor loss;
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      loss = mean_of(device, LogisticLoss{}, x.size(), x.data<T>(), targets.data<T>());
      check_targets(device, loss, targets.data<T>(), x.size());
    });
    if (saved) *saved = {x, targets};
    return loss;
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    Tensor dx = empty_like(s.x);
    on(name, dx, [&](auto device, auto t) {
      using T = decltype(t);
      const auto factor = mean_factor(device, dy, 1, s.x.size());
      const LogisticGradient<decltype(factor)> gradient{factor};
      map(device, gradient, s.x.size(), dx.data<T>(), s.x.data<T>(), s.targets.data<T>());
    });
    return {dx, Tensor()};
  }

  // −t·log σ(x) − (1 − t)·log σ(−x): right, but infinite where σ rounds to 0.
  static Tensor reference(const Tensor& x, const Tensor& targets) {
    const auto n = static_cast<double>(std::max<int64_t>(x.size(), 1));
    const Tensor rest = map(name, OneMinus{}, targets);
    Tensor constant = targets;
    constant.grad_id = {};
    const Tensor yes = multiply(constant, log(sigmoid(x))),
                 no = multiply(rest, log(sigmoid(scale(x, -1))));
    return scale(sum(add(yes, no)), -1 / n);
  }

  // The targets are constants, so they are no inputs of the sample.
  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape) {
      const Tensor t = coarse(rand_uniform(shape, 2, 0, 1));
      all.push_back({.label = label,
                     .in = {randn(shape, 1)},
                     .call =
                         [=](auto in) {
                           return binary_cross_entropy(
                               in[0], to(converted(t, in[0].dtype()), in[0].device()));
                         },
                     .forward = moves(2, shape.size()),
                     .backward = moves(3, shape.size())});
    };
    sample("4x6", {4, 6});
    sample("scalar", {});
    sample("no elements", {0, 3});
    sample("3x5x67", {3, 5, 67});
    sample("1024x768", {1024, 768});
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<BinaryCrossEntropy>()};

}  // namespace

Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return apply<BinaryCrossEntropy>(logits, targets);
}

}  // namespace ink
