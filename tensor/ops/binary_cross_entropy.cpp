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
#include "tensor/sums.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// log(1 + e^−|x|). The quotient repairs what 1 + e has rounded off (Kahan).
template <class T>
T log_one_plus_exp(T x) {
  const T e = vmath::exp(x < 0 ? x : -x), u = 1 + e;
  return u == 1 ? e : vmath::log(u) * (e / (u - 1));
}

// Raises Error naming the first target outside [0, 1], if there is one.
template <class T>
void check_targets(const T* target, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    check(target[i] >= 0 && target[i] <= 1, "binary_cross_entropy: target ", target[i], " at ", i,
          " should lie in [0, 1]");
  }
}

struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  struct Saved {
    Tensor x, targets;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& targets_) {
    check(static_cast<bool>(x_), "binary_cross_entropy: the logits are an undefined tensor");
    expect(name, "targets", targets_, x_.dtype(), x_.shape());
    const Tensor x = contiguous(x_), targets = contiguous(targets_);
    const int64_t n = x.size();
    double sum = 0;
    on(name, x, [&](auto, auto t) {
      using T = decltype(t);
      const T *in = x.data<T>(), *target = targets.data<T>();
      sum = sum_in_f64(n, [=](int64_t i) {
        const T loss = (in[i] > 0 ? in[i] : T{0}) - in[i] * target[i] + log_one_plus_exp(in[i]);
        const bool valid = target[i] >= 0 && target[i] <= 1;
        return valid ? loss : std::numeric_limits<T>::quiet_NaN();
      });
      if (std::isnan(sum)) check_targets(target, n);
    });
    if (saved) *saved = {x, targets};
    return full({}, n ? sum / static_cast<double>(n) : 0, x.dtype());
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    const int64_t n = s.x.size();
    const double factor = n ? dy.item() / static_cast<double>(n) : 0;
    const auto derivative = [factor](auto x, auto target) {
      return static_cast<decltype(x)>(factor) * (vmath::sigmoid(x) - target);
    };
    return {map(name, derivative, s.x, s.targets), Tensor()};
  }

  // −t·log σ(x) − (1 − t)·log σ(−x): right, but infinite where σ rounds to 0.
  static Tensor reference(const Tensor& x, const Tensor& targets) {
    const auto n = static_cast<double>(std::max<int64_t>(x.size(), 1));
    const Tensor rest = map(
        name, [](auto t) { return 1 - t; }, targets);
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
      const Tensor t64 = rand_uniform(shape, 2, 0, 1), t32 = converted(t64, Dtype::f32);
      all.push_back({.label = label,
                     .in = {randn(shape, 1)},
                     .call =
                         [=](auto in) {
                           return binary_cross_entropy(in[0],
                                                       in[0].dtype() == Dtype::f32 ? t32 : t64);
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
