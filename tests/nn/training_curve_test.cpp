// 200 steps of AdamW on a tiny BERT follow PyTorch's loss curve (computed there in float64).
#include <gtest/gtest.h>

#include "autograd/optimizer.h"
#include "autograd/tape.h"
#include "tests/nn/golden_weights.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

TEST(TrainingCurve, IsPyTorchs) {
  const SafeTensors file = testing::golden();
  std::vector<testing::GoldenBatch> batches;
  for (const char* prefix : {"batch", "batch2", "batch3", "batch4"})
    batches.emplace_back(file, prefix);
  Model model(testing::small_config(), {.masked_lm = true, .pair = true},
              testing::golden_weights(0.35f));
  Optimizer optimizer(model.parameters, {.weight_decay = 0.01, .epsilon = 1e-6});
  const std::vector<double> expected = to_vector<double>(file.tensor("curve.loss"));
  ASSERT_EQ(expected.size(), 200u);
  EXPECT_LT(expected.back(), 0.5 * expected.front()) << "a flat curve would prove nothing";

  for (size_t step = 0; step < expected.size(); ++step) {
    const testing::GoldenBatch& batch = batches[step % batches.size()];
    Tape tape;
    tape.watch(model.parameters);
    const Tensor hidden = model.body(batch.packed).hidden;
    const Tensor loss =
        add(model.masked_lm->loss(hidden, batch.rows, batch.labels),
            model.pair->loss(model.body.pool(hidden, batch.packed.offsets), batch.pairs));
    EXPECT_NEAR(loss.item(), expected[step], 1e-5) << "step " << step;
    const Gradients all = tape.backward(loss);
    std::vector<Tensor> gradients;
    for (const Parameter& p : model.parameters) gradients.push_back(all[p.value]);
    optimizer.step(model.parameters, gradients, 2e-4);
  }
}

}  // namespace
}  // namespace ink
