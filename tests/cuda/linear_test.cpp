// Ops around products on the CUDA device, beyond their samples: sizes that take several blocks of
// rows, views as they lie in memory, gradients that are wanted alone, losses scaled for f16.
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "cuda/gemm.h"
#include "tensor/ops.h"
#include "tensor/ops/linear_cross_entropy.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

constexpr Dtype kTypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};

class ProductsOnDevice : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

Tensor rounded(const Tensor& x, Dtype type) {
  return converted(converted(converted(x, Dtype::f32), type), Dtype::f32);
}
Tensor sent(const Tensor& x, Dtype type) {
  return is_float(x.dtype()) ? to(converted(x, type), Device::cuda) : x;
}

using Call = Tensor (*)(std::span<const Tensor>);

struct Outcome {
  Tensor y;
  std::vector<Tensor> gradients;
};
// Of the inputs named in `wanted`; dy is of y's type and device.
Outcome run(Call call, std::vector<Tensor> in, const Tensor& dy,
            const std::vector<size_t>& wanted) {
  Tape tape;
  for (const size_t k : wanted) tape.watch(in[k]);
  Outcome out{.y = call(in), .gradients = {}};
  Gradients g = tape.backward(out.y, dy);
  for (const size_t k : wanted) out.gradients.push_back(g[in[k]]);
  return out;
}

// f32 to 1e-11; the 16-bit types within 2 units, where one unit of the largest element is free: z,
// dz and probabilities are rounded on the way.
void expect_like_cpu(const Tensor& got, const Tensor& expected, Dtype type,
                     const std::string& what) {
  ASSERT_TRUE(got) << what;
  EXPECT_EQ(got.device(), Device::cuda) << what;
  if (type == Dtype::f32) {
    EXPECT_LE(normalized_error(got, expected), 1e-11) << what;
  } else {
    EXPECT_LE(units_apart(got, expected, type, unit(type)), 2) << what << ", " << name_of(type);
  }
}

void expect_agreement(Call call, const std::vector<Tensor>& in, const std::vector<size_t>& wanted,
                      const std::string& what, double dy_scale = 1) {
  for (const Dtype type : kTypes) {
    std::vector<Tensor> host, device;
    for (const Tensor& x : in) {
      host.push_back(is_float(x.dtype()) ? rounded(x, type) : x);
      device.push_back(sent(x, type));
    }
    const Tensor y = call(host);
    const Tensor dy = rounded(scale(randn(y.shape(), 9, Dtype::f32), dy_scale), type);
    const Outcome cpu = run(call, host, dy, wanted);
    const Dtype of_y = call(device).dtype();
    const Outcome cuda = run(call, device, to(converted(dy, of_y), Device::cuda), wanted);
    expect_like_cpu(cuda.y, cpu.y, type, what);
    EXPECT_TRUE(equal_bits(to(cuda.y, Device::cpu), to(call(device), Device::cpu)))
        << what << ": not recorded, the result is another";
    for (size_t k = 0; k < wanted.size(); ++k) {
      EXPECT_EQ(cuda.gradients[k].dtype(), type) << what;
      expect_like_cpu(cuda.gradients[k], cpu.gradients[k], type,
                      what + ": gradient " + std::to_string(wanted[k]));
    }
  }
}

template <Activation f>
Tensor call_linear(std::span<const Tensor> in) {
  return linear(in[0], in[1], in[2], f);
}

void expect_linear(int64_t M, int64_t N, int64_t K) {
  const std::vector<Tensor> in = {randn({M, K}, 1), rand_uniform({N, K}, 2, -0.3, 0.3),
                                  randn({N}, 3)};
  const std::string size = std::to_string(M) + "x" + std::to_string(K) + " to " + std::to_string(N);
  const Call calls[] = {call_linear<Activation::none>, call_linear<Activation::relu>,
                        call_linear<Activation::gelu>, call_linear<Activation::gelu_tanh>,
                        call_linear<Activation::tanh>, call_linear<Activation::sigmoid>};
  const auto names = {"none", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid"};
  for (size_t i = 0; i < std::size(calls); ++i)
    expect_agreement(calls[i], in, {0, 1, 2}, size + ", " + names.begin()[i]);
}

TEST_F(ProductsOnDevice, LinearOfManyRows) { expect_linear(300, 40, 24); }
TEST_F(ProductsOnDevice, LinearOfManyColumns) { expect_linear(70, 520, 8); }
TEST_F(ProductsOnDevice, LinearOfRowsThatFillNoPacks) { expect_linear(131, 37, 5); }

TEST_F(ProductsOnDevice, LinearGradientsWantedAlone) {
  const std::vector<Tensor> in = {randn({90, 16}, 1), randn({24, 16}, 2), randn({24}, 3)};
  for (const size_t k : {0, 1, 2}) {
    expect_agreement(call_linear<Activation::gelu>, in, {k}, "gelu");
    expect_agreement(call_linear<Activation::none>, in, {k}, "none");
  }
}

TEST_F(ProductsOnDevice, MatmulReadsViewsAsTheyLie) {
  const Tensor a = randn({2, 3, 10, 16}, 1), b = randn({2, 3, 16, 12}, 2);
  const auto of = [&](Call call, const char* what) {
    expect_agreement(call, {a, b}, {0, 1}, what);
  };
  of([](std::span<const Tensor> in) { return matmul(in[0], in[1]); }, "as they are");
  of(
      [](std::span<const Tensor> in) {
        return matmul(transpose(in[0], 2, 3), transpose(in[1], 2, 3), true, true);
      },
      "transposed");
  of(
      [](std::span<const Tensor> in) {
        return matmul(slice(in[0], 3, 2, 10), slice(in[1], 2, 4, 12));
      },
      "slices");
  of(
      [](std::span<const Tensor> in) {
        return matmul(transpose(in[0], 0, 1), transpose(in[1], 0, 1));
      },
      "batches in another order");
  of(
      [](std::span<const Tensor> in) {
        return matmul(slice(in[0], 1, 0, 1), slice(in[1], 0, 1, 2));
      },
      "both stretched");
}

Tensor call_head(std::span<const Tensor> in) {
  return linear_cross_entropy(in[0], in[1], in[2], in[3]);
}

TEST_F(ProductsOnDevice, HeadOfWordsThatFillNoPacks) {
  const std::vector<Tensor> in = {randn({60, 24}, 1), rand_uniform({1035, 24}, 2, -0.2, 0.2),
                                  randn({1035}, 3), randint({60}, 4, 0, 1035)};
  expect_agreement(call_head, in, {0, 1, 2}, "60 rows of 1035 words");
  for (const size_t k : {0, 1, 2}) expect_agreement(call_head, in, {k}, "wanted alone");
}

TEST_F(ProductsOnDevice, HeadOfSeveralBlocks) {
  for (const int64_t words : {264, 267}) {  // whole packs, and some words more
    SCOPED_TRACE(words);
    const std::vector<Tensor> in = {randn({60, 24}, 1), rand_uniform({words, 24}, 2, -0.2, 0.2),
                                    randn({words}, 3), randint({60}, 4, 0, words)};
    const int64_t before = std::exchange(logits_block, 20 * words);
    expect_agreement(call_head, in, {0, 1, 2}, "3 blocks of 20 rows");
    logits_block = 1;
    expect_agreement(call_head, in, {0, 1, 2}, "4 blocks of 15 rows");
    logits_block = before;
  }
}

// Shares of 1/512 of a probability of 1/64 would be nothing in f16 but for the scale.
TEST_F(ProductsOnDevice, HeadKeepsGradientsThatAreScaledForF16) {
  const std::vector<Tensor> in = {randn({512, 8}, 1), rand_uniform({64, 8}, 2, -0.01, 0.01),
                                  rand_uniform({64}, 3, -0.1, 0.1), randint({512}, 4, 0, 64)};
  expect_agreement(call_head, in, {0, 1, 2}, "scaled", 4096);
}

TEST_F(ProductsOnDevice, LabelsMayLieOnTheDevice) {
  const Tensor x = to(randn({5, 8}, 1, Dtype::f32), Device::cuda),
               weight = to(randn({9, 8}, 2, Dtype::f32), Device::cuda),
               bias = to(randn({9}, 3, Dtype::f32), Device::cuda);
  const auto loss = [&](const std::vector<int32_t>& labels, bool there) {
    const Tensor ids = from(labels);
    return linear_cross_entropy(x, weight, bias, there ? to(ids, Device::cuda) : ids).item();
  };
  EXPECT_EQ(loss({0, 8, kIgnore, 3, 3}, true), loss({0, 8, kIgnore, 3, 3}, false));
  EXPECT_TRUE(std::isnan(loss({0, 9, kIgnore, 3, 3}, true)));
}

TEST_F(ProductsOnDevice, RefuseTensorsOfTwoDevices) {
  const Tensor here = randn({3, 3}, 1, Dtype::f32), there = to(here, Device::cuda);
  const Tensor bias = zeros({3}), labels = from(std::vector<int32_t>{0, 1, 2});
  EXPECT_ERROR(linear(there, here, Tensor()), "linear: expected tensors on one device");
  EXPECT_ERROR(linear(there, there, bias), "linear: expected tensors on one device");
  EXPECT_ERROR(matmul(here, there), "matmul: expected tensors on one device");
  EXPECT_ERROR(linear_cross_entropy(there, there, bias, labels), "expected tensors on one device");
}

TEST_F(ProductsOnDevice, ASteadyStepMakesNoPlan) {
  const std::vector<Tensor> in = {randn({32, 16}, 1), randn({24, 16}, 2), randn({24}, 3)};
  std::vector<Tensor> device;
  for (const Tensor& x : in) device.push_back(sent(x, Dtype::bf16));
  const Tensor dy = sent(randn({32, 24}, 4), Dtype::bf16);
  const auto step = [&] { run(call_linear<Activation::gelu>, device, dy, {0, 1, 2}); };
  step();
  const int64_t plans = cuda::gemm_plans();
  step();
  EXPECT_EQ(cuda::gemm_plans(), plans);
}

}  // namespace
}  // namespace ink
