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

  static Grads backward(const Saved& s, const Tensor& dy) {
    const int64_t n = s.x.size();
    const double factor = n ? 2 * dy.item() / static_cast<double>(n) : 0;
    const auto difference = [](double f) {
      return [f](auto a, auto b) { return static_cast<decltype(a)>(f) * (a - b); };
    };
    return {map(name, difference(factor), s.x, s.y), map(name, difference(-factor), s.x, s.y)};
  }

  static Tensor reference(const Tensor& x, const Tensor& y) {
    expect(name, "y", y, x.dtype(), x.shape());
    return scale(sum(square(subtract(x, y))),
                 1 / static_cast<double>(std::max<int64_t>(x.size(), 1)));
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape) {
      all.push_back({label, {randn(shape, 1), randn(shape, 2)}, [](auto in) {
                       return mse_loss(in[0], in[1]);
                     }});
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
