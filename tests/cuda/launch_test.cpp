// Launching kernels: where threads stand, barriers, shared memory, a warp's operations.
#include "cuda/launch.h"

#include <gtest/gtest.h>

#include "cuda/kernel.cuh"
#include "tests/cuda/device.h"

namespace ink::cuda {
namespace {

class Launch : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

Tensor on_device(const std::vector<float>& values) { return to(from(values), Device::cuda); }
std::vector<float> values_of(const Tensor& x) { return to_vector<float>(to(x, Device::cpu)); }

__global__ void add_kernel(const float* a, const float* b, float* sum, int64_t n) {
  for (int64_t i = global_thread(); i < n; i += all_threads()) sum[i] = a[i] + b[i];
}

TEST_F(Launch, ConvertsArgumentsAndRunsEveryThread) {
  const int n = 1000;
  std::vector<float> a(n), b(n), expected(n);
  for (int i = 0; i < n; ++i) {
    a[i] = static_cast<float>(i), b[i] = static_cast<float>(3 * i);
    expected[i] = a[i] + b[i];
  }
  const Tensor x = on_device(a), y = on_device(b);
  Tensor sum({n}, Dtype::f32, Device::cuda);
  launch("add", add_kernel, {3, 64}, x.data<float>(), y.data<float>(), sum.data<float>(), n);
  EXPECT_EQ(values_of(sum), expected);
}

__global__ void no_kernel(float* x) { *x = 1; }

TEST_F(Launch, DoesNothingForAnEmptyGrid) {
  Tensor x = on_device({0});
  launch("nothing", no_kernel, {0, 32}, x.data<float>());
  EXPECT_EQ(values_of(x), std::vector<float>({0}));
}

// Row r of the grid's second axis sums row r of x.
__global__ void row_sums_kernel(const float* x, float* sums, int n) {
  INK_SHARED(float, part, [kWarp]);
  const float* row = x + static_cast<int64_t>(blockIdx.y) * n;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x))
    sum += row[i];
  sum = block_sum(sum, part);
  if (threadIdx.x == 0) sums[blockIdx.y] = sum;
}

TEST_F(Launch, SumsOverABlockOfAnySize) {
  const int rows = 3, n = 500;
  std::vector<float> values(rows * n), expected(rows);
  for (int i = 0; i < rows * n; ++i) {
    values[i] = static_cast<float>(i % 7 - 3);
    expected[i / n] += values[i];
  }
  const Tensor x = on_device(values);
  for (const int threads : {32, 96, 256, 1024}) {
    Tensor sums({rows}, Dtype::f32, Device::cuda);
    launch("row_sums", row_sums_kernel, {1, threads, rows}, x.data<float>(), sums.data<float>(), n);
    EXPECT_EQ(values_of(sums), expected) << threads;
  }
}

// Reverses each block's elements through dynamic shared memory.
__global__ void reverse_kernel(const float* x, float* y, int n) {
  INK_DYNAMIC_SHARED(float, buffer);
  const int threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < n; i += threads) buffer[i] = x[i];
  __syncthreads();
  for (int i = thread; i < n; i += threads) y[i] = buffer[n - 1 - i];
}

TEST_F(Launch, HasDynamicSharedMemoryBeyond48KiB) {
  const int n = 20000;
  std::vector<float> values(n);
  for (int i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  const Tensor x = on_device(values);
  Tensor y({n}, Dtype::f32, Device::cuda);
  launch("reverse", reverse_kernel, {.blocks = 1, .threads = 128, .shared = n * sizeof(float)},
         x.data<float>(), y.data<float>(), n);
  EXPECT_EQ(values_of(y), std::vector<float>(values.rbegin(), values.rend()));
}

__global__ void lanes_kernel(float* y) {
  const int lane = static_cast<int>(threadIdx.x);
  const float up = __shfl_up_sync(kAllLanes, static_cast<float>(lane), 1);
  const float down = __shfl_down_sync(kAllLanes, static_cast<float>(lane), 2);
  const float third = __shfl_sync(kAllLanes, static_cast<float>(lane), 3);
  const unsigned odd = __ballot_sync(kAllLanes, lane % 2);
  const bool some = __any_sync(kAllLanes, lane == 5), all = __all_sync(kAllLanes, lane < 31);
  y[lane] = up + 100 * down + 10000 * third + (odd == 0xaaaaaaaau && some && !all ? 0.5f : 0);
}

TEST_F(Launch, ExchangesBetweenLanes) {
  Tensor y({kWarp}, Dtype::f32, Device::cuda);
  launch("lanes", lanes_kernel, {1, kWarp}, y.data<float>());
  const std::vector<float> got = values_of(y);
  for (int lane = 0; lane < kWarp; ++lane) {
    const int up = lane == 0 ? 0 : lane - 1, down = lane < 30 ? lane + 2 : lane;
    EXPECT_EQ(got[lane], static_cast<float>(up + 100 * down + 30000) + 0.5f) << lane;
  }
}

__global__ void count_kernel(int* counts, int n) {
  if (global_thread() < n) atomicAdd(counts + threadIdx.x % 3, 1);
}

TEST_F(Launch, AddsIntegersAtomically) {
  Tensor counts = to(zeros({3}, Dtype::i32), Device::cuda);
  launch("count", count_kernel, {4, 64}, counts.data<int>(), 200);
  EXPECT_EQ(to_vector<int>(to(counts, Device::cpu)), std::vector<int>({69, 66, 65}));
}

}  // namespace
}  // namespace ink::cuda
