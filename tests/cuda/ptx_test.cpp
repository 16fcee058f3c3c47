// Tensor cores, the loads of their tiles, and copies that do not wait: against plain loops.
#include "cuda/ptx.cuh"

#include <gtest/gtest.h>

#include "cuda/launch.h"
#include "tensor/op.h"
#include "tests/cuda/device.h"

namespace ink::cuda {
namespace {

class Ptx : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

// d (16, 8) = a (16, 16) · b (16, 8), all row-major; the tiles go through shared memory.
template <class T>
__global__ void multiply_kernel(const T* a, const T* b, float* d) {
  INK_SHARED(uint4, left, [32]);
  INK_SHARED(uint4, right, [32]);  // the second half is not used
  const int lane = static_cast<int>(threadIdx.x), r = lane / 4, c = lane % 4 * 2;
  cp_async_16(left + lane, a + lane * 8, true);
  cp_async_16(right + lane, b + lane * 8, lane < 16);
  cp_async_commit();
  cp_async_wait<0>();
  __syncwarp();
  // Row l % 16 of a in two halves; of b, whose rows are 8 elements, row l.
  uint32_t a_part[4], b_part[4];
  ldmatrix_x4(a_part, left + lane % 16 * 2 + lane / 16);
  ldmatrix_x4_trans(b_part, right + lane);
  const uint32_t b_half[2] = {b_part[0], b_part[1]};
  float sum[4] = {};
  mma_16x8x16<T>(sum, a_part, b_half);
  for (int i = 0; i < 4; ++i) d[(r + i / 2 * 8) * 8 + c + i % 2] = sum[i];
}

template <class T>
void expect_products() {
  const Tensor a = converted(randn({16, 16}, 1, Dtype::f32), dtype_of<T>);
  const Tensor b = converted(randn({16, 8}, 2, Dtype::f32), dtype_of<T>);
  const Tensor on_a = to(a, Device::cuda), on_b = to(b, Device::cuda);
  Tensor d({16, 8}, Dtype::f32, Device::cuda);
  launch("multiply", multiply_kernel<T>, {1, kWarp}, on_a.data<T>(), on_b.data<T>(),
         d.data<float>());
  const auto got = to_vector<float>(to(d, Device::cpu));
  const auto x = to_vector<float>(converted(a, Dtype::f32));
  const auto y = to_vector<float>(converted(b, Dtype::f32));
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      float sum = 0;
      for (size_t k = 0; k < 16; ++k) sum += x[i * 16 + k] * y[k * 8 + j];
      EXPECT_NEAR(got[i * 8 + j], sum, 1e-5) << i << ", " << j;
    }
  }
}

TEST_F(Ptx, MultipliesTiles) {
  expect_products<Bfloat16>();
  expect_products<Float16>();
}

// Two groups of copies; y gets the first when it has arrived, then the second.
__global__ void staged_copy_kernel(const float* x, float* y, bool take) {
  INK_SHARED(float4, stages, [2][32]);
  const int lane = static_cast<int>(threadIdx.x);
  for (int stage = 0; stage < 2; ++stage) {
    cp_async_16(&stages[stage][lane], x + stage * 128 + lane * 4, take);
    cp_async_commit();
  }
  cp_async_wait<1>();
  *reinterpret_cast<float4*>(y + lane * 4) = stages[0][lane];
  cp_async_wait<0>();
  *reinterpret_cast<float4*>(y + 128 + lane * 4) = stages[1][lane];
}

TEST_F(Ptx, CopiesInGroups) {
  const Tensor x = randn({256}, 3, Dtype::f32), on_x = to(x, Device::cuda);
  Tensor y({256}, Dtype::f32, Device::cuda);
  launch("staged_copy", staged_copy_kernel, {1, kWarp}, on_x.data<float>(), y.data<float>(), true);
  EXPECT_TRUE(equal_bits(to(y, Device::cpu), x));
  launch("staged_copy", staged_copy_kernel, {1, kWarp}, on_x.data<float>(), y.data<float>(), false);
  EXPECT_TRUE(equal_bits(to(y, Device::cpu), zeros({256})));
}

#if INK_EMULATED
__global__ void hasty_copy_kernel(const float* x, float* y) {
  INK_SHARED(float4, stage, [32]);
  const int lane = static_cast<int>(threadIdx.x);
  cp_async_16(stage + lane, x + lane * 4, true);
  cp_async_commit();
  cp_async_wait<1>();
  *reinterpret_cast<float4*>(y + lane * 4) = stage[lane];
}

TEST_F(Ptx, AMissingWaitIsFound) {
  const Tensor x = to(randn({128}, 3, Dtype::f32), Device::cuda);
  Tensor y({128}, Dtype::f32, Device::cuda);
  launch("hasty_copy", hasty_copy_kernel, {1, kWarp}, x.data<float>(), y.data<float>());
  for (const float v : to_vector<float>(to(y, Device::cpu))) EXPECT_TRUE(std::isnan(v));
}
#endif

}  // namespace
}  // namespace ink::cuda
