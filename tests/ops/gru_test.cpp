// Gated recurrent units: torch's numbers, sequences that do not see each other, wrong arguments.
#include <gtest/gtest.h>

#include <filesystem>

#include "autograd/tape.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/expect_error.h"
#include "tests/ops/values.h"

namespace ink {
namespace {

double distance(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  return maximum(reshape(absolute(subtract(a, b)), {-1}), 0).item();
}

// tools/golden/gru.py: a bidirectional torch.nn.GRU over packed sequences, in f64.
TEST(Gru, EqualsTorchBothWays) {
  const SafeTensors golden(std::filesystem::path(INK_SOURCE_DIR) / "tests/golden/gru.safetensors");
  const Tensor offsets = golden.tensor("offsets"), y = golden.tensor("y");
  const int64_t H = y.dim(1) / 2;
  Tape tape;
  Tensor x = clone(golden.tensor("x"));
  tape.watch(x);
  std::vector<std::pair<std::string, Tensor>> parameters;
  std::vector<Tensor> directions;
  for (const bool reverse : {false, true}) {
    const auto parameter = [&](const std::string& kind) {
      const std::string name = kind + "_l0" + (reverse ? "_reverse" : "");
      parameters.emplace_back(name, clone(golden.tensor(name)));
      tape.watch(parameters.back().second);
      return parameters.back().second;
    };
    const Tensor input_weight = parameter("weight_ih"), input_bias = parameter("bias_ih"),
                 weight = parameter("weight_hh"), bias = parameter("bias_hh");
    directions.push_back(gru(linear(x, input_weight, input_bias), weight, bias, offsets, reverse));
    EXPECT_LT(distance(directions.back(), slice(y, 1, reverse ? H : 0, reverse ? 2 * H : H)), 1e-14)
        << reverse;
  }
  const Gradients gradients =
      tape.backward(sum(multiply(concat(directions, 1), golden.tensor("dy"))));
  EXPECT_LT(distance(gradients[x], golden.tensor("grad.x")), 1e-13);
  for (const auto& [name, value] : parameters)
    EXPECT_LT(distance(gradients[value], golden.tensor("grad." + name)), 1e-13) << name;
}

// A sequence has the same states and the same gradient of its inputs, bit for bit, alone and among
// longer and shorter ones.
TEST(Gru, ASequenceDoesNotSeeTheBatch) {
  constexpr int64_t H = 33;
  const std::vector<int32_t> at = {0, 3, 3, 12, 13, 18};
  const Tensor x = randn({at.back(), 3 * H}, 1, Dtype::f32),
               dy = randn({at.back(), H}, 2, Dtype::f32);
  const Tensor weight = rand_uniform({3 * H, H}, 3, -0.2, 0.2, Dtype::f32),
               bias = randn({3 * H}, 4, Dtype::f32);
  for (const bool reverse : {false, true}) {
    const auto run = [&](const Tensor& rows, const Tensor& dy_rows, std::vector<int32_t> offsets) {
      Tape tape;
      Tensor in = clone(rows);
      tape.watch(in);
      const Tensor y = gru(in, weight, bias, from(offsets), reverse);
      return std::pair(y, tape.backward(sum(multiply(y, dy_rows)))[in]);
    };
    const auto [y, dx] = run(x, dy, at);
    for (size_t b = 0; b + 1 < at.size(); ++b) {
      if (at[b] == at[b + 1]) continue;
      const auto rows = [&](const Tensor& all) {
        return contiguous(slice(all, 0, at[b], at[b + 1]));
      };
      const auto [y_alone, dx_alone] = run(rows(x), rows(dy), {0, at[b + 1] - at[b]});
      EXPECT_TRUE(equal_bits(y_alone, rows(y))) << b << reverse;
      EXPECT_TRUE(equal_bits(dx_alone, rows(dx))) << b << reverse;
    }
  }
}

TEST(Gru, RefusesWhatDoesNotFit) {
  const Tensor x = randn({5, 6}, 1), weight = randn({6, 2}, 2), bias = randn({6}, 3);
  const auto offsets = [](std::vector<int32_t> at) { return from(at); };
  EXPECT_ERROR(gru(randn({5, 7}, 1), weight, bias, offsets({0, 5})),
               "gru: x should be (N, 6) for a weight (6, 2), got (5, 7)");
  EXPECT_ERROR(gru(x, randn({5, 2}, 2), bias, offsets({0, 5})),
               "gru: the weight should be f64 (6, 2)");
  EXPECT_ERROR(gru(x, weight, randn({2}, 3), offsets({0, 5})), "gru: the bias should be f64 (6)");
  EXPECT_ERROR(gru(x, weight, bias, offsets({0, 4})),
               "gru: offsets should go from 0 to the 5 rows of x, got 0 to 4");
  EXPECT_ERROR(gru(x, weight, bias, offsets({0, 4, 3, 5})),
               "gru: offsets should not decrease, got 4 before 3 at 1");
}

}  // namespace
}  // namespace ink
