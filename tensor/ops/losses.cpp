// mse_loss             L = mean (x − y)²;               dx = 2(x − y)/n,  dy = −dx
// cosine_loss          L = mean over rows of 1 − c, c = x·y/(|x||y|);   dx = −(y/(|x||y|) −
// c·x/|x|²)/rows, dy alike binary_cross_entropy L = mean of max(x, 0) − x·t + log(1 + e^−|x|);   dx
// = (σ(x) − t)/n
//
// A vector of length 0 has no direction: its row gets c = 0 and no gradient. A loss of no elements
// is 0.
#include <cmath>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// Σ of term(i), added up in f64.
template <class Term>
double total(int64_t n, const Term& term) {
  return chunked_sum(n, [&](int64_t begin, int64_t end) {
    double sum = 0;
    simd::run([&] {
      sum = row_sum<double>(end - begin,
                            [&](int64_t i) { return static_cast<double>(term(begin + i)); });
    });
    return sum;
  });
}

double share(const Tensor& dy, int64_t n) { return n ? dy.item() / static_cast<double>(n) : 0; }

// ── mean squared error ──────────────────────────────────────────────────────────────────────────

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
      sum = total(n, [=](int64_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
    });
    if (saved) *saved = {x, y};
    return full({}, n ? sum / static_cast<double>(n) : 0, x.dtype());
  }

  static Grads backward(const Saved& s, const Tensor& dy) {
    const double factor = 2 * share(dy, s.x.size());
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

// ── cosine ──────────────────────────────────────────────────────────────────────────────────────

template <class T>
struct Lengths {
  T dot, x2, y2;  // x·y, |x|², |y|²

  bool zero() const { return x2 == 0 || y2 == 0; }
  T inverse() const { return 1 / (std::sqrt(x2) * std::sqrt(y2)); }
};

template <class T>
Lengths<T> lengths(const T* x, const T* y, int64_t C) {
  return {row_sum<T>(C, [=](int64_t c) { return x[c] * y[c]; }),
          row_sum<T>(C, [=](int64_t c) { return x[c] * x[c]; }),
          row_sum<T>(C, [=](int64_t c) { return y[c] * y[c]; })};
}

template <class T>
void cosine_forward(Cpu, const T* x, const T* y, T* loss, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C) {
    const Lengths<T> l = lengths(x, y, C);
    loss[n] = l.zero() ? T{1} : 1 - l.dot * l.inverse();
  }
}

template <class T>
void cosine_backward(Cpu, const T* x, const T* y, T factor, T* dx, T* dy, int64_t N, int64_t C) {
  for (int64_t n = 0; n < N; ++n, x += C, y += C, dx += C, dy += C) {
    const Lengths<T> l = lengths(x, y, C);
    const T cross = l.zero() ? T{0} : -factor * l.inverse();
    const T along_x = l.zero() ? T{0} : -cross * (l.dot / l.x2),
            along_y = l.zero() ? T{0} : -cross * (l.dot / l.y2);
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      dx[c] = cross * y[c] + along_x * x[c];
      dy[c] = cross * x[c] + along_y * y[c];
    }
  }
}

struct CosineLoss {
  static constexpr const char* name = "cosine_loss";
  struct Saved {
    Tensor x, y;
  };

  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& y_) {
    const int64_t N = rows_of(name, x_), C = x_.dim(-1);
    expect(name, "y", y_, x_.dtype(), x_.shape());
    const Tensor x = contiguous(x_), y = contiguous(y_);
    Tensor losses({N}, x.dtype());
    double sum = 0;
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      const T *a = x.data<T>(), *b = y.data<T>();
      T* loss = losses.data<T>();
      parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * C;
        simd::run([&] { cosine_forward(device, a + at, b + at, loss + begin, end - begin, C); });
      });
      sum = total(N, [=](int64_t n) { return loss[n]; });
    });
    if (saved) *saved = {x, y};
    return full({}, N ? sum / static_cast<double>(N) : 0, x.dtype());
  }

  static Grads backward(const Saved& s, const Tensor& dloss) {
    const int64_t N = rows_of(name, s.x), C = s.x.dim(-1);
    Tensor dx = empty_like(s.x), dy = empty_like(s.y);
    on(name, dx, [&](auto device, auto t) {
      using T = decltype(t);
      const T *x = s.x.data<T>(), *y = s.y.data<T>();
      T *out_x = dx.data<T>(), *out_y = dy.data<T>();
      const T factor = static_cast<T>(share(dloss, N));
      parallel_for(N, grain_for(C), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * C;
        simd::run([&] {
          cosine_backward(device, x + at, y + at, factor, out_x + at, out_y + at, end - begin, C);
        });
      });
    });
    return {dx, dy};
  }

  // Of rows without zero vectors.
  static Tensor reference(const Tensor& x, const Tensor& y) {
    const int64_t N = rows_of(name, x);
    expect(name, "y", y, x.dtype(), x.shape());
    const Tensor dot = sum(multiply(x, y), -1);
    const Tensor lengths = multiply(sqrt(sum(square(x), -1)), sqrt(sum(square(y), -1)));
    return scale(sum(shift(scale(divide(dot, lengths), -1), 1)),
                 1 / static_cast<double>(std::max<int64_t>(N, 1)));
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape) {
      all.push_back({label, {randn(shape, 1), randn(shape, 2)}, [](auto in) {
                       return cosine_loss(in[0], in[1]);
                     }});
    };
    sample("4x6", {4, 6});
    sample("rank 1", {5});
    sample("one channel", {3, 1});
    sample("no rows", {0, 3});
    sample("3x5x67", {3, 5, 67});
    sample("1024x768", {1024, 768});
    all.back().bench = true;
    return all;
  }
};

// ── binary cross-entropy ────────────────────────────────────────────────────────────────────────

// log(1 + e^−|x|). The quotient repairs what 1 + e has rounded off (Kahan).
template <class T>
T log_one_plus_exp(T x) {
  const T e = vmath::exp(x < 0 ? x : -x), u = 1 + e;
  return u == 1 ? e : vmath::log(u) * (e / (u - 1));
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
      for (int64_t i = 0; i < n; ++i) {
        check(target[i] >= 0 && target[i] <= 1, "binary_cross_entropy: target ", target[i], " at ",
              i, " should lie in [0, 1]");
      }
      sum = total(n, [=](int64_t i) {
        return (in[i] > 0 ? in[i] : T{0}) - in[i] * target[i] + log_one_plus_exp(in[i]);
      });
    });
    if (saved) *saved = {x, targets};
    return full({}, n ? sum / static_cast<double>(n) : 0, x.dtype());
  }

  static Grads backward(const Saved& s, const Tensor& dy) {
    const double factor = share(dy, s.x.size());
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
      const Tensor targets = rand_uniform(shape, 2, 0, 1);
      all.push_back({label, {randn(shape, 1)}, [=](auto in) {
                       return binary_cross_entropy(in[0], converted(targets, in[0].dtype()));
                     }});
    };
    sample("4x6", {4, 6});
    sample("scalar", {});
    sample("no elements", {0, 3});
    sample("3x5x67", {3, 5, 67});
    sample("8192", {8192});
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<MseLoss>(), describe<CosineLoss>(), describe<BinaryCrossEntropy>()};

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& y) { return apply<MseLoss>(x, y); }
Tensor cosine_loss(const Tensor& x, const Tensor& y) { return apply<CosineLoss>(x, y); }
Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return apply<BinaryCrossEntropy>(logits, targets);
}

}  // namespace ink
