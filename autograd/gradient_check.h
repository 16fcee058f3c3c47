// Compares the gradients of any differentiable function with central differences, in f64.
//
//   const GradientCheck result = check_gradients([](auto in) { return my_op(in[0], in[1]); },
//                                                {randn({4, 6}, 1), randn({6}, 2)});
//   EXPECT_TRUE(result.ok) << result.message;
//
// The function may return any shape: what is differentiated is Σ y·dy for a fixed random dy, so no
// element's error can hide behind another's. It is called twice per element of every input, so
// small inputs do. Everything random inside it must come from a Random value.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace ink {

struct GradientCheckOptions {
  // Relative to the larger of the two derivatives, to 1 % of the largest of that input, and to
  // 1e-3: below that, differences are rounding.
  double tolerance = 1e-6;
  double step = 1e-5;  // of the differences, relative to max(1, |x|)
};

struct GradientCheck {
  bool ok = true;
  std::string message;  // the worst place and its numbers, in one sentence
  double worst = 0;     // the largest relative error; infinite where a gradient is malformed or NaN
  size_t input = 0;     // where it is: which input, and which of its elements in row-major order
  int64_t element = 0;
  double gradient = 0;  // the two derivatives there
  double difference = 0;
  int64_t compared = 0;  // elements compared in all
};

// Inputs of f64 are differentiated, all others (ids, labels) are passed on. f32 is an Error: its
// rounding is larger than the errors looked for.
GradientCheck check_gradients(const std::function<Tensor(std::span<const Tensor>)>& call,
                              const std::vector<Tensor>& inputs,
                              const GradientCheckOptions& options = {});

}  // namespace ink
