// Launching kernels: where threads stand, barriers, shared memory, a warp's operations.
#include "cuda/launch.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cuda/kernel.cuh"
#include "tensor/ops.h"

namespace ink::cuda {
namespace {

__global__ void add_kernel(const float* a, const float* b, float* sum, int64_t n) {
  for (int64_t i = global_thread(); i < n; i += all_threads()) sum[i] = a[i] + b[i];
}

TEST(Launch, EveryThreadRunsOnce) {
  const Tensor a = Tensor::from({1, 2, 3, 4, 5}).to(Device::cuda);
  Tensor sum({5}, Dtype::f32, Device::cuda);
  launch("add", add_kernel, {1, 32}, a.data<float>(), a.data<float>(), sum.data<float>(), 5);
}

}  // namespace
}  // namespace ink::cuda
