// 8-bit products on the CUDA device: the integers of a plain loop; linear layers that have the bits
// of the CPU's; sessions that are replayed as graphs.
#include <gtest/gtest.h>

#include <cmath>

#include "cuda/gemm.h"
#include "nn/session.h"
#include "tensor/int8_linear.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

constexpr Dtype kTypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};

class Int8OnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

Tensor rounded(const Tensor& x, Dtype type) {
  return converted(converted(converted(x, Dtype::f32), type), Dtype::f32);
}

Tensor bytes(int64_t rows, int64_t columns, uint64_t seed) {
  return converted(randint({rows, columns}, seed, -127, 128), Dtype::i8);
}

TEST_F(Int8OnDevice, ProductsAreThoseOfAPlainLoop) {
  for (const auto& [M, N, K] :
       {std::array<int64_t, 3>{1, 16, 16}, {7, 48, 80}, {33, 4, 4}, {64, 32, 128}, {5, 12, 20}}) {
    const Tensor a = bytes(M, K, 1), b = bytes(N, K, 2);
    const Tensor a_there = to(a, Device::cuda), b_there = to(b, Device::cuda);
    Tensor c({M, N}, Dtype::i32, Device::cuda);
    cuda::gemm(M, N, K, {a_there.data<int8_t>(), K}, {b_there.data<int8_t>(), K, true},
               {c.data<int32_t>(), N});
    const std::vector<int32_t> got = to_vector<int32_t>(to(c, Device::cpu));
    for (int64_t m = 0; m < M; ++m) {
      for (int64_t n = 0; n < N; ++n) {
        int32_t sum = 0;
        for (int64_t k = 0; k < K; ++k)
          sum += a.data<int8_t>()[m * K + k] * b.data<int8_t>()[n * K + k];
        ASSERT_EQ(got[static_cast<size_t>(m * N + n)], sum) << M << 'x' << N << 'x' << K;
      }
    }
  }
}

TEST_F(Int8OnDevice, ProductsThatAreNotPossibleAreNamed) {
  const Tensor a = to(bytes(8, 8, 1), Device::cuda);
  Tensor c({8, 8}, Dtype::i32, Device::cuda), f({8, 8}, Dtype::f32, Device::cuda);
  const int8_t* p = a.data<int8_t>();
  EXPECT_ERROR(cuda::gemm(8, 8, 8, {p, 8}, {p, 8, true}, {f.data<float>(), 8}),
               "its result in f32");
  EXPECT_ERROR(cuda::gemm(8, 8, 8, {p, 8}, {p, 8, true}, {c.data<int32_t>(), 8}, {.beta = 1}),
               "of integers has a bias, row sums, alpha or beta");
#if INK_EMULATED  // which promises no more than cuBLASLt's manual does
  EXPECT_ERROR(cuda::gemm(8, 6, 8, {p, 8}, {p, 8, true}, {c.data<int32_t>(), 6}),
               "cuBLASLt has no algorithm for the product (8, 8) × (8, 6) in i8");
  EXPECT_ERROR(cuda::gemm(8, 8, 8, {p, 8}, {p, 8}, {c.data<int32_t>(), 8}),
               "cuBLASLt has no algorithm");
#endif
}

struct Layer {
  int64_t M, N, K;
  Activation f = Activation::none;
  bool bias = true;
};

// On the device in `type`, and on the CPU in f32 from the same numbers.
std::pair<Tensor, Tensor> both(const Layer& c, Dtype type) {
  const Tensor x = rounded(randn({c.M, c.K}, 1), type), w = randn({c.N, c.K}, 2, Dtype::f32),
               b = rounded(randn({c.N}, 3), type);
  const auto there = [&](const Tensor& t) { return to(converted(t, type), Device::cuda); };
  const Int8Weight here(w, Device::cpu), on_device(w, Device::cuda);
  return {int8_linear(there(x), on_device, c.bias ? there(b) : Tensor(), c.f),
          int8_linear(x, here, c.bias ? b : Tensor(), c.f)};
}

// Without an activation the device does the CPU's operations, one by one.
TEST_F(Int8OnDevice, LinearLayersHaveTheBitsOfTheCpu) {
  for (const Layer& c : {Layer{1, 1, 1}, Layer{7, 21, 33}, Layer{8, 48, 64}, Layer{5, 40, 1030},
                         Layer{3, 2049, 40}, Layer{9, 13, 0}, Layer{0, 5, 3}, Layer{4, 0, 3},
                         Layer{6, 24, 200, Activation::none, false}, Layer{2, 8, 4100}}) {
    for (const Dtype type : kTypes) {
      const auto [got, expected] = both(c, type);
      EXPECT_EQ(got.dtype(), type);
      EXPECT_TRUE(equal_bits(to(got, Device::cpu), converted(expected, type)))
          << c.M << 'x' << c.N << 'x' << c.K << ' ' << name_of(type);
    }
  }
}

TEST_F(Int8OnDevice, LinearLayersMayBeginAnywhere) {
  for (const Dtype type : kTypes) {
    const Tensor x = converted(randn({7, 64}, 1), type), b = converted(randn({32}, 3), type);
    const Int8Weight weight(randn({32, 64}, 2, Dtype::f32), Device::cuda);
    const Tensor expected = int8_linear(to(x, Device::cuda), weight, to(b, Device::cuda));
    EXPECT_TRUE(equal_bits(int8_linear(off_alignment(x), weight, to(b, Device::cuda)), expected));
    EXPECT_TRUE(equal_bits(int8_linear(to(x, Device::cuda), weight, off_alignment(b)), expected));
  }
}

TEST_F(Int8OnDevice, ActivationsAgree) {
  for (const Activation f : {Activation::relu, Activation::gelu, Activation::gelu_tanh,
                             Activation::tanh, Activation::sigmoid}) {
    for (const Dtype type : kTypes) {
      const auto [got, expected] = both({9, 44, 70, f}, type);
      EXPECT_LE(units_apart(got, expected, type, type == Dtype::f32 ? 1e-6 : 1e-5),
                type == Dtype::f32 ? 8 : 2)
          << name_of(f) << ' ' << name_of(type);
    }
  }
}

TEST_F(Int8OnDevice, RowsThatAreNotFiniteBecomeNan) {
  for (const int64_t K : {24, 2000}) {  // a row of a warp, and of a block
    for (const Dtype type : kTypes) {
      for (const float bad : {HUGE_VALF, -HUGE_VALF, std::numeric_limits<float>::quiet_NaN()}) {
        Tensor x = rounded(randn({5, K}, 1), type);
        x.data<float>()[3 * K + 17] = bad;
        const Int8Weight weight(randn({10, K}, 2, Dtype::f32), Device::cuda);
        const Tensor y = on_host(
            int8_linear(to(converted(x, type), Device::cuda), weight, Tensor(), Activation::relu));
        for (int64_t i = 0; i < y.size(); ++i)
          ASSERT_EQ(std::isnan(y.data<float>()[i]), i / 10 == 3) << i << ' ' << name_of(type);
      }
    }
  }
}

TEST_F(Int8OnDevice, WeightsStayWhereTheyWereQuantisedFor) {
  const Tensor w = randn({8, 8}, 1, Dtype::f32), x = randn({2, 8}, 2, Dtype::f32);
  const Int8Weight there(w, Device::cuda), here(w, Device::cpu);
  EXPECT_ERROR(int8_linear(x, there, Tensor()),
               "x lies on cpu, and the weight was quantised for cuda");
  EXPECT_ERROR(int8_linear(to(x, Device::cuda), here, Tensor()), "x lies on cuda");
  EXPECT_EQ(there.bytes(), 16u * (16 + 8));
  EXPECT_ERROR(int8_linear(to(x, Device::cuda), there, zeros({8})), "tensors on one device");
}

Session session_at(const Place& place) {
  return Session(
      Model(testing::uneven_config(), {.classification = true}, random_values(Random(3))), place);
}

// The second batch of the same lengths is recorded, the third replayed.
TEST_F(Int8OnDevice, SessionsAreReplayedAndNearF32) {
  const Session exact = session_at({});
  for (const Dtype type : kTypes) {
    const Session session = session_at({Device::cuda, type, true});
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      const Packed batch = pack(testing::sequences({7, 1, 13}, seed, 199));
      const Tensor hidden = session.encode(batch).hidden;
      EXPECT_LE(normalized_error(hidden, exact.encode(batch).hidden), 2e-3) << name_of(type);
      const Tensor alone = session.encode(pack(testing::sequences({7}, seed, 199))).hidden;
      EXPECT_TRUE(
          equal_bits(to(alone, Device::cpu), contiguous(slice(to(hidden, Device::cpu), 0, 0, 7))))
          << name_of(type) << ", seed " << seed;
    }
    EXPECT_EQ(session.logits(pack({})).shape(), (Shape{0, 2}));
  }
}

TEST_F(Int8OnDevice, SessionsInF32AreThoseOfTheCpuUpToRounding) {
  const Session here = session_at({.int8 = true}),
                there = session_at({Device::cuda, Dtype::f32, true});
  const Packed batch = pack(testing::sequences({7, 1, 13}, 1, 199));
  // A number that is rounded to another integer here than there moves by a step.
  EXPECT_LE(normalized_error(there.encode(batch).hidden, here.encode(batch).hidden), 1e-4);
}

TEST_F(Int8OnDevice, EveryFamilyRuns) {
  for (const char* family :
       {"albert-groups", "bert-Model", "bigru-MaskedLM", "distilbert-Model", "electra-Model",
        "mobilebert-PreTraining", "roberta-MaskedLM", "xlm-roberta-MaskedLM", "xlnet-MaskedLM"}) {
    const auto folder = std::filesystem::path(INK_SOURCE_DIR) / "tests/golden/families" / family;
    const Session exact(folder), session(folder, {}, {Device::cuda, Dtype::f32, true});
    const auto words = static_cast<uint64_t>(exact.model().config.vocab_size);
    const Packed batch = pack(testing::sequences({7, 1, 13}, 1, words));
    EXPECT_LE(normalized_error(session.encode(batch).hidden, exact.encode(batch).hidden), 2e-3)
        << family;
  }
}

}  // namespace
}  // namespace ink
