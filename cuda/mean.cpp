// Scalars from one block of threads: factor·Σ x, and 1/count.
#include "cuda/mean.h"

#include "cuda/in_flight.cuh"
#include "cuda/kernel.cuh"
#include "cuda/launch.h"

namespace ink::cuda {
namespace {

constexpr int kThreads = 1024;

__global__ void scaled_sum_kernel(const float* x, int64_t n, float factor, const float* weight,
                                  float* out) {
  INK_SHARED(float, part, [kWarp]);
  float sum = 0;
  each_in_flight<4>(
      threadIdx.x, n, blockDim.x, [&](int64_t i) { return x[i]; },
      [&](float v, int64_t) { sum += v; });
  sum = block_sum(sum, part);
  if (threadIdx.x == 0) *out = sum * factor * (weight ? *weight : 1.0f);
}

// Each thread counts in integers, so that only the sum over threads is rounded.
__global__ void inverse_count_kernel(const int32_t* number, int64_t n, int32_t ignored,
                                     float* out) {
  INK_SHARED(float, part, [kWarp]);
  int count = 0;
  each_in_flight<4>(
      threadIdx.x, n, blockDim.x, [&](int64_t i) { return number[i]; },
      [&](int32_t v, int64_t) { count += v == ignored ? 0 : 1; });
  const float total = block_sum(static_cast<float>(count), part);
  if (threadIdx.x == 0) *out = total > 0 ? 1 / total : 0.0f;
}

}  // namespace

Tensor scaled_sum(const Tensor& x, double factor, const float* weight) {
  Tensor out({}, Dtype::f32, Device::cuda);
  launch("scaled_sum", scaled_sum_kernel, {1, kThreads}, x.data<float>(), x.size(), factor, weight,
         out.data<float>());
  return out;
}

Tensor inverse_count(const Tensor& numbers, int32_t ignored) {
  Tensor out({}, Dtype::f32, Device::cuda);
  launch("inverse_count", inverse_count_kernel, {1, kThreads}, numbers.data<int32_t>(),
         numbers.size(), ignored, out.data<float>());
  return out;
}

}  // namespace ink::cuda
