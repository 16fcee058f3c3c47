// L = mean (x − y)²;   dx = 2(x − y)/n,   dy = −dx. The loss of no elements is 0.
#include <algorithm>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/sums.h"

namespace ink {
namespace {

struct MseLoss {
  static constexpr const char* name = "mse_loss";
  struct Saved {
    Tensor x, y;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& y_) {
    expect(name, "y", y_, x_.dtype(), x_.shape());
    const Tensor x = contiguous(x_), y = contiguous(y_);
    const int64_t n = x.size();
    double sum = 0;
    on(name, x, [&](auto, auto t) {
      using T = decltype(t);
      const T *a = x.data<T>(), *b = y.data<T>();
      sum = sum_in_f64(n, [=](int64_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
    });
    if (saved) *saved = {x, y};
    return full({}, n ? sum / static_cast<double>(n) : 0, x.dtype());
  }

  static Grads backward(const Saved& s, const Tensor& dloss, Wanted wanted) {
    const int64_t n = s.x.size();
    const double factor = n ? 2 * dloss.item() / static_cast<double>(n) : 0;
    const auto difference = [factor](auto a, auto b) {
      return static_cast<decltype(a)>(factor) * (a - b);
    };
    Tensor dx, dy;
    if (wanted[0]) dx = map(name, difference, s.x, s.y);
    if (wanted[1]) dy = map(name, difference, s.y, s.x);
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
