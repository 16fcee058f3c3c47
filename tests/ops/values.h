// Comparing tensors with plain numbers, and gradients of one call, for the tests of single ops.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "autograd/tape.h"
#include "tensor/ops.h"

namespace ink {

inline Tensor matrix(const std::vector<double>& values, Shape shape, Dtype dtype = Dtype::f64) {
  return converted(from(std::span<const double>(values), shape), dtype);
}
inline Tensor labels_of(const std::vector<int32_t>& values) { return from(values); }

inline std::vector<double> numbers(const Tensor& x) {
  return to_vector<double>(converted(x, Dtype::f64));
}

// Each element within `tolerance`·max(1, |expected|).
inline void expect_close(const Tensor& x, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> found = numbers(x);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i])))
        << "element " << i;
  }
}

// Rows [begin, end) as a tensor of its own.
inline Tensor rows(const Tensor& x, int64_t begin, int64_t end) {
  return clone(slice(x, 0, begin, end));
}

// Gradients of call(in) for its floating-point inputs; dy is all ones.
inline std::vector<Tensor> gradients_of(const std::function<Tensor(std::span<const Tensor>)>& call,
                                        std::vector<Tensor> in) {
  Tape tape;
  for (Tensor& x : in) {
    if (is_float(x.dtype())) tape.watch(x);
  }
  const Tensor y = call(in);
  Gradients g = tape.backward(y, full(y.shape(), 1, y.dtype(), y.device()));
  std::vector<Tensor> out;
  for (const Tensor& x : in) out.push_back(g.take(x));
  return out;
}

}  // namespace ink
