// The gradient check has teeth: one right op and fifteen wrong ones are told apart, and so is every
// op of the library from the same with a small mistake.
//
// The op made for it is y = tanh(x∘s)·W + b with x (N, K), s (K) broadcast over rows, W (K, M),
// b (M). It has everything that gradients are commonly got wrong in: a product, a broadcast, an
// elementwise function, a sum.
#include "autograd/gradient_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/tape.h"
#include "tensor/op_table.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

enum class Mistake {
  none,
  sign,
  missing_factor,
  missing_term,
  wrong_factor,
  wrong_axis,
  wrong_broadcast_reduction,
  forgotten_input,
  missing_transpose,
  input_instead_of_output,
  swapped_gradients,
  one_element,
  last_row_left_out,
  not_a_number,
  wrong_shape,
  small_relative_error,
};

struct Layer {
  static constexpr const char* name = "layer";
  struct Saved {
    Tensor x, s, w, h;
    Mistake mistake;
  };

  static Tensor forward(Saved* saved, const Tensor& x, const Tensor& s, const Tensor& w,
                        const Tensor& b, Mistake mistake) {
    const Tensor h = tanh(multiply(x, s));
    if (saved) *saved = {x, s, w, h, mistake};
    return add(matmul(h, w), b);
  }

  static Grads backward(const Saved& saved, const Tensor& dy, Wanted) {
    const auto& [x, s, w, h, mistake] = saved;
    const Tensor dh = matmul(dy, w, false, mistake != Mistake::missing_transpose);
    const Tensor& kept = mistake == Mistake::input_instead_of_output ? x : h;
    Tensor slope = shift(scale(square(kept), -1), 1);
    if (mistake == Mistake::missing_term) slope = scale(square(h), -1);
    Tensor dz = multiply(dh, slope);
    if (mistake == Mistake::missing_factor) dz = dh;
    Tensor dx = multiply(dz, s), ds = sum(multiply(dz, x), 0), dw = matmul(h, dy, true),
           db = sum(dy, 0);
    switch (mistake) {
      case Mistake::sign: dx = scale(dx, -1); break;
      case Mistake::wrong_factor: db = scale(db, 2); break;
      case Mistake::wrong_axis: db = sum(dy, 1); break;
      case Mistake::wrong_broadcast_reduction:
        ds = reshape(slice(multiply(dz, x), 0, 0, 1), s.shape());
        break;
      case Mistake::forgotten_input: ds = Tensor(); break;
      case Mistake::swapped_gradients: std::swap(ds, db); break;
      case Mistake::one_element: dw.data<double>()[1] = 0; break;
      case Mistake::last_row_left_out:
        dx = concat({slice(dx, 0, 0, dx.dim(0) - 1), zeros({1, dx.dim(1)}, Dtype::f64)}, 0);
        break;
      case Mistake::not_a_number:
        dx.data<double>()[0] = std::numeric_limits<double>::quiet_NaN();
        break;
      case Mistake::wrong_shape: db = reshape(db, {1, db.dim(0)}); break;
      case Mistake::small_relative_error: dw = scale(dw, 1 + 1e-5); break;
      default: break;
    }
    return {dx, ds, dw, db};
  }

  static std::vector<Sample> samples() { return {}; }
};

// Square, so that a mistaken axis or transpose does not show in the shape alone.
GradientCheck check_with(Mistake mistake) {
  return check_gradients(
      [mistake](auto in) { return apply<Layer>(in[0], in[1], in[2], in[3], mistake); },
      {randn({4, 4}, 1), randn({4}, 2), randn({4, 4}, 3), randn({4}, 4)});
}

TEST(GradientCheck, AcceptsTheRightDerivative) {
  const GradientCheck result = check_with(Mistake::none);
  EXPECT_TRUE(result.ok) << result.message;
  EXPECT_LT(result.worst, 1e-7);
  EXPECT_EQ(result.compared, 4 * 4 + 4 + 4 * 4 + 4);
}

TEST(GradientCheck, CatchesEveryMistakeAndNamesItsInput) {
  const std::pair<Mistake, size_t> mistakes[] = {
      {Mistake::sign, 0},
      {Mistake::wrong_factor, 3},
      {Mistake::wrong_axis, 3},
      {Mistake::wrong_broadcast_reduction, 1},
      {Mistake::forgotten_input, 1},
      {Mistake::one_element, 2},
      {Mistake::last_row_left_out, 0},
      {Mistake::not_a_number, 0},
      {Mistake::wrong_shape, 3},
      {Mistake::small_relative_error, 2},
  };
  for (const auto& [mistake, input] : mistakes) {
    const GradientCheck result = check_with(mistake);
    EXPECT_FALSE(result.ok) << static_cast<int>(mistake);
    EXPECT_EQ(result.input, input) << static_cast<int>(mistake) << ": " << result.message;
  }
  // These spoil more than one input.
  for (const Mistake mistake :
       {Mistake::missing_factor, Mistake::missing_term, Mistake::missing_transpose,
        Mistake::input_instead_of_output, Mistake::swapped_gradients}) {
    EXPECT_FALSE(check_with(mistake).ok) << static_cast<int>(mistake);
  }
}

TEST(GradientCheck, SaysWhereAndWhat) {
  const GradientCheck result = check_with(Mistake::one_element);
  EXPECT_EQ(result.element, 1);
  EXPECT_EQ(result.gradient, 0);
  EXPECT_NE(result.message.find("input 2, element 1: gradient 0, central difference"),
            std::string::npos)
      << result.message;
  EXPECT_NE(check_with(Mistake::wrong_shape)
                .message.find("the gradient is f64 (1, 4) for an input of (4)"),
            std::string::npos);
}

// A mistake of one op is found inside a function of many.
TEST(GradientCheck, LooksThroughCompositions) {
  const auto call = [](Mistake mistake) {
    return [mistake](std::span<const Tensor> in) {
      return mean(square(softmax(apply<Layer>(in[0], in[1], in[2], in[3], mistake))));
    };
  };
  const std::vector<Tensor> in = {randn({3, 4}, 1), randn({4}, 2), randn({4, 5}, 3), randn({5}, 4)};
  EXPECT_TRUE(check_gradients(call(Mistake::none), in).ok);
  EXPECT_FALSE(check_gradients(call(Mistake::sign), in).ok);
}

// x itself; on the way back every gradient is multiplied by a factor or loses its last element. So
// an op behind it looks as if its own derivative were wrong.
struct Spoil {
  static constexpr const char* name = "spoil";
  struct Saved {
    double factor;
    bool lose_last;
  };
  static Tensor forward(Saved* saved, const Tensor& x, double factor, bool lose_last) {
    if (saved) *saved = {factor, lose_last};
    return x;
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    Tensor dx = clone(scale(dy, s.factor));
    if (s.lose_last && dx.size() > 0) dx.data<double>()[dx.size() - 1] = 0;
    return {dx};
  }
  static std::vector<Sample> samples() { return {}; }
};

// Whether some small sample of the op shows that the gradient of input k is spoiled.
bool is_caught(const std::vector<Sample>& samples, size_t k, bool lose_last) {
  return std::ranges::any_of(samples, [&](const Sample& s) {
    if (s.bench || k >= s.in.size()) return false;
    const double factor = lose_last ? 1 : 1 + 10 * s.tolerance;
    const auto call = [&](std::span<const Tensor> in) {
      std::vector<Tensor> now(in.begin(), in.end());
      now[k] = apply<Spoil>(in[k], factor, lose_last);
      return s.call(now);
    };
    const GradientCheck result = check_gradients(call, s.in, {.tolerance = s.tolerance});
    return !result.ok && result.input == k;
  });
}

// Each op's samples tell its right derivative from one that is off by ten times what they tolerate,
// or wrong in a single element, whichever input it belongs to.
TEST(GradientCheck, CatchesSmallMistakesOfEveryOp) {
  for (const OpEntry& op : all_ops()) {
    const std::vector<Sample> samples = op.samples();
    for (size_t k = 0; k < samples[0].in.size(); ++k) {
      if (samples[0].in[k].dtype() != Dtype::f64) continue;
      EXPECT_TRUE(is_caught(samples, k, false)) << op.name << ": a factor in gradient " << k;
      EXPECT_TRUE(is_caught(samples, k, true)) << op.name << ": the last element of gradient " << k;
    }
  }
}

TEST(GradientCheck, LeavesInputsAsTheyWere) {
  const Tensor x = randn({3, 4}, 1);
  const Tensor before = clone(x);
  check_gradients([](auto in) { return exp(in[0]); }, {x});
  EXPECT_TRUE(equal_bits(x, before));
}

TEST(GradientCheck, TakesViewsIntegersAndResultsThatDependOnNothing) {
  EXPECT_TRUE(check_gradients([](auto in) { return transpose(in[0], 0, 1); },
                              {transpose(randn({3, 4}, 1), 0, 1)})
                  .ok);
  EXPECT_TRUE(check_gradients([](auto in) { return gather_rows(in[0], in[1]); },
                              {randn({3, 4}, 1), randint({5}, 2, 0, 3)})
                  .ok);
  EXPECT_TRUE(check_gradients([](auto) { return full({2}, 1, Dtype::f64); }, {randn({2}, 1)}).ok);
  EXPECT_TRUE(check_gradients([](auto in) { return in[0]; }, {randn({2}, 1)}).ok);
}

TEST(GradientCheck, AsksForF64) {
  EXPECT_ERROR(check_gradients([](auto in) { return exp(in[0]); }, {randn({2}, 1, Dtype::f32)}),
               "check_gradients: input 0 should be f64, got f32");
  EXPECT_ERROR(check_gradients([](auto in) { return cast(in[0], Dtype::f32); }, {randn({2}, 1)}),
               "check_gradients: the function should return f64, got f32");
}

}  // namespace
}  // namespace ink
