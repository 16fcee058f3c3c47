// What the tests of the CUDA device share: it is the emulated one in `make test`, and the real one
// in a build with INK_CUDA, where tests skip on a machine without.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "cuda/stream.h"
#include "tensor/tensor.h"

namespace ink {

// Why there is no device; empty where there is one.
inline std::string missing_device() {
  try {
    cuda::properties();
    return "";
  } catch (const Error& e) {
    return e.message();
  }
}

#define SKIP_WITHOUT_DEVICE() \
  if (const std::string why = missing_device(); !why.empty()) GTEST_SKIP() << why

// x on the device, one element behind where packs may begin.
inline Tensor off_alignment(const Tensor& x) {
  const Tensor room({x.size() + 1}, x.dtype(), Device::cuda);
  Tensor moved = view(room, x.shape(), row_major(x.shape()), 1);
  copy_into(moved, x);
  return moved;
}

// Σ (got − expected)² / Σ expected², over elements that are finite in both; infinite where one is
// NaN or an infinity and the other is not the same.
inline double normalized_error(const Tensor& got, const Tensor& expected) {
  const auto x = to_vector<double>(converted(to(got, Device::cpu), Dtype::f64));
  const auto y = to_vector<double>(converted(to(expected, Device::cpu), Dtype::f64));
  if (x.size() != y.size()) return HUGE_VAL;
  double error = 0, norm = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
      if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
      return HUGE_VAL;
    }
    error += (x[i] - y[i]) * (x[i] - y[i]);
    norm += y[i] * y[i];
  }
  return error == 0 ? 0 : error / std::max(norm, 1e-12);
}

// For the message of a test that failed: where the device alone has NaN, which is what fills memory
// that nobody has written.
inline std::string nan_hint(const Tensor& got, const Tensor& expected) {
  const auto x = to_vector<double>(converted(to(got, Device::cpu), Dtype::f64));
  const auto y = to_vector<double>(converted(to(expected, Device::cpu), Dtype::f64));
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (std::isnan(x[i]) && !std::isnan(y[i]))
      return "\nthe device has NaN in element " + std::to_string(i) +
             ": was it read before it was written, or outside of a tensor?";
  }
  return "";
}

// The distance of neighbouring numbers of a storage type, relative to their size.
inline double unit(Dtype t) {
  return t == Dtype::bf16 ? 0x1p-7 : t == Dtype::f16 ? 0x1p-10 : 0x1p-23;
}

// The largest |got − expected| in units of the storage type, where `slack` times the largest
// |expected| is free: results near 0 carry the rounding of what cancelled.
inline double units_apart(const Tensor& got, const Tensor& expected, Dtype type, double slack) {
  const auto x = to_vector<double>(converted(to(got, Device::cpu), Dtype::f64));
  const auto y = to_vector<double>(converted(to(expected, Device::cpu), Dtype::f64));
  if (x.size() != y.size()) return HUGE_VAL;
  double largest = 0, worst = 0;
  for (const double v : y) largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : largest;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double beyond = std::max(0.0, std::abs(x[i] - y[i]) - slack * largest - 1e-7);
    worst = std::max(worst, beyond / (unit(type) * std::max(std::abs(y[i]), 0x1p-14)));
    if (std::isnan(x[i])) worst = HUGE_VAL;
  }
  return worst;
}

}  // namespace ink
