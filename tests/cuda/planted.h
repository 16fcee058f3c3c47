// How tests see that the emulated device finds the mistakes planted in kernels.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cuda/emulated/control.h"
#include "cuda/emulated/sanitizers.h"
#include "cuda/kernel.cuh"
#include "cuda/launch.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"

namespace ink::cuda {

// An access outside of an array or a tensor: an Error that says `message`, or, where
// AddressSanitizer watches, the end of the process.
#if INK_ADDRESS_SANITIZER
#define EXPECT_OUTSIDE(statement, message) \
  EXPECT_DEATH(statement, "use-after-poison|out of bounds|null pointer")
#else
#define EXPECT_OUTSIDE(statement, message) EXPECT_ERROR(statement, message)
#endif

// Floats of the device as the host sees them.
inline std::vector<float> values_of(const Tensor& x) {
  return to_vector<float>(to(x, Device::cpu));
}
inline Tensor on_device(const std::vector<float>& values) { return to(from(values), Device::cuda); }
inline Tensor device_floats(int64_t n) { return Tensor({n}, Dtype::f32, Device::cuda); }

// 1, 2, …, n.
inline std::vector<float> counting(int n) {
  std::vector<float> values(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) values[static_cast<size_t>(i)] = static_cast<float>(i + 1);
  return values;
}

}  // namespace ink::cuda
