// L = mean (x − y)²;   dx = 2(x − y)/n,   dy = −dx. The loss of no elements is 0.
#include <algorithm>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/ops/mean.h"

namespace ink {
namespace {

struct SquaredDifference {
  template <class T>
  INK_BOTH T operator()(T x, T y) const {
    return (x - y) * (x - y);
  }
};

// factor·(x − y)
template <class Factor>
struct ScaledDifference {
  static constexpr const char* name = "mse_loss_backward";
  Factor factor;
  template <class T>
  INK_BOTH T operator()(T x, T y) const {
    return factor.template as<T>() * (x - y);
  }
};

struct MseLoss {
  static constexpr const char* name = "mse_loss";
  struct Saved {
    Tensor x, y;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& y_) {
    expect_like(name, "y", y_, x_);
    const Tensor x = contiguous(x_), y = contiguous(y_);
    Tensor loss;
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      loss = mean_of(device, SquaredDifference{}, x.size(), x.data<T>(), y.data<T>());
    });
    if (saved) *saved = {x, y};
    return loss;
  }

  static Grads backward(const Saved& s, const Tensor& dloss, Wanted wanted) {
    Tensor dx, dy;
    if (wanted[0]) dx = empty_like(s.x);
    if (wanted[1]) dy = empty_like(s.y);
    on(name, s.x, [&](auto device, auto t) {
      using T = decltype(t);
      const int64_t n = s.x.size();
      const T *x = s.x.data<T>(), *y = s.y.data<T>();
      const auto factor = mean_factor(device, dloss, 2, n);
      const ScaledDifference<decltype(factor)> difference{factor};
      if (dx) map(device, difference, n, dx.data<T>(), x, y);
      if (dy) map(device, difference, n, dy.data<T>(), y, x);
    });
    return {dx, dy};
  }

  static Tensor reference(const Tensor& x, const Tensor& y) {
    expect(name, "y", y, x.dtype(), x.shape());
    return scale(sum(square(subtract(x, y))),
                 1 / static_cast<double>(std::max<int64_t>(x.size(), 1)));
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape) {
      all.push_back({.label = label,
                     .in = {randn(shape, 1), randn(shape, 2)},
                     .call = [](auto in) { return mse_loss(in[0], in[1]); },
                     .backward = moves(4, shape.size())});
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

INK_OPS entries[] = {describe<MseLoss>()};

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& y) { return apply<MseLoss>(x, y); }

}  // namespace ink
