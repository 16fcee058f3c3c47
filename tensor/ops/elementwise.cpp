// Elementwise functions: exp, log, sqrt, square and absolute value.
//   exp' = y;   log' = 1/x;   sqrt' = 1/(2y);   square' = 2x;   |x|' = sign(x), 0 at 0
#include <cmath>

#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

struct Exp {
  static constexpr const char* name = "exp";
  static constexpr Reads reads = Reads::output;
  static constexpr double low = -3, high = 3;
  template <class T>
  INK_BOTH static T f(T x) {
    return vmath::exp(x);
  }
  template <class T>
  INK_BOTH static T df(T y) {
    return y;
  }
};

struct Log {
  static constexpr const char* name = "log";
  static constexpr Reads reads = Reads::input;
  static constexpr double low = 0.2, high = 5;
  template <class T>
  INK_BOTH static T f(T x) {
    return vmath::log(x);
  }
  template <class T>
  INK_BOTH static T df(T x) {
    return 1 / x;
  }
};

struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr Reads reads = Reads::output;
  static constexpr double low = 0.2, high = 5;
  template <class T>
  INK_BOTH static T f(T x) {
    return std::sqrt(x);
  }
  template <class T>
  INK_BOTH static T df(T y) {
    return T(0.5) / y;
  }
};

struct Square {
  static constexpr const char* name = "square";
  static constexpr Reads reads = Reads::input;
  static constexpr double low = -3, high = 3;
  template <class T>
  INK_BOTH static T f(T x) {
    return x * x;
  }
  template <class T>
  INK_BOTH static T df(T x) {
    return 2 * x;
  }
};

struct Absolute {
  static constexpr const char* name = "absolute";
  static constexpr Reads reads = Reads::input;
  static constexpr double low = -2, high = 2;
  template <class T>
  INK_BOTH static T f(T x) {
    return std::abs(x);
  }
  template <class T>
  INK_BOTH static T df(T x) {
    return static_cast<T>(x > 0) - static_cast<T>(x < 0);
  }
};

}  // namespace

Tensor exp(const Tensor& x) { return apply<Unary<Exp>>(x); }
Tensor log(const Tensor& x) { return apply<Unary<Log>>(x); }
Tensor sqrt(const Tensor& x) { return apply<Unary<Sqrt>>(x); }
Tensor square(const Tensor& x) { return apply<Unary<Square>>(x); }
Tensor absolute(const Tensor& x) { return apply<Unary<Absolute>>(x); }

INK_OPS entries[] = {describe<Unary<Exp>>(), describe<Unary<Log>>(), describe<Unary<Sqrt>>(),
                     describe<Unary<Square>>(), describe<Unary<Absolute>>()};

}  // namespace ink
