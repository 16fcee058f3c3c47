// Running out of memory at any allocation of a training step: an Error, and nothing is lost.
#include <gtest/gtest.h>

#include "autograd/optimizer.h"
#include "autograd/tape.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

// Forward, backward and an optimizer step of a small model.
void train_a_little(Parameters& parameters) {
  const Tensor x = randn({9, 16}, 1, Dtype::f32), y = randn({9, 4}, 2, Dtype::f32);
  const auto value = [&](const char* name) { return parameters.at(name).value; };
  Optimizer optimizer(parameters);
  Tape tape;
  tape.watch(parameters);
  const Tensor hidden = residual_layer_norm(x, linear(x, value("a"), value("b"), Activation::gelu),
                                            value("gamma"), value("beta"), 1e-5);
  const Tensor loss = recompute(
      [=] { return mse_loss(linear(dropout(hidden, 0.1, Random(3)), value("c"), Tensor()), y); });
  Gradients gradients = tape.backward(loss);
  std::vector<Tensor> list;
  for (const Parameter& p : parameters) list.push_back(gradients.take(p.value));
  optimizer.step(parameters, list, 0.01);
}

TEST(OutOfMemory, AnywhereInAStepLosesNothing) {
  Parameters parameters;
  parameters.add("a", randn({16, 16}, 4, Dtype::f32));
  parameters.add("b", zeros({16}));
  parameters.add("gamma", full({16}, 1));
  parameters.add("beta", zeros({16}));
  parameters.add("c", randn({4, 16}, 5, Dtype::f32));
  train_a_little(parameters);  // whatever is made once and kept

  const size_t before = pool_statistics().in_use;
  int failures = 0;
  bool finished = false;
  // Blocks are multiples of 16 bytes, so each of these limits is met by another allocation first.
  for (size_t spare = 0; !finished && spare < (size_t{1} << 20); spare += 64) {
    release_cached();
    limit_pool(before + spare);
    try {
      train_a_little(parameters);
      finished = true;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find("out of memory"), std::string::npos) << error.message();
      ++failures;
    }
    limit_pool(0);
    ASSERT_EQ(pool_statistics().in_use, before) << "after a failure with " << spare << " bytes";
  }
  EXPECT_TRUE(finished);
  EXPECT_GT(failures, 50);
}

}  // namespace
}  // namespace ink
