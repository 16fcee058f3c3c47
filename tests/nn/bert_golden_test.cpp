// BERT against transformers in float64: hidden states, losses and the gradient of every parameter.
#include <gtest/gtest.h>

#include "autograd/tape.h"
#include "tests/nn/golden_weights.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

using testing::difference;
using testing::golden;
using testing::golden_weights;
using testing::GoldenBatch;
using testing::largest;
using testing::relative_difference;

constexpr double kTolerance = 2e-6;
constexpr Heads kPretraining{.masked_lm = true, .pair = true};

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  return text.replace(text.rfind(part), part.size(), by);
}

Tensor loss_of(const Model& model, const GoldenBatch& batch, const EncoderOptions& options = {}) {
  const Encoded e = model.body(batch.packed, options);
  return add(model.masked_lm->loss(e.hidden, batch.rows, batch.labels),
             model.pair->loss(model.body.pool(e.hidden, batch.packed.offsets), batch.pairs));
}

// Compares every gradient stored under `prefix`; how many there were.
int expect_gradients(Model& model, const GoldenBatch& batch, const SafeTensors& file,
                     const std::string& prefix) {
  Tape tape;
  tape.watch(model.parameters);
  const Gradients gradients = tape.backward(loss_of(model, batch));
  int compared = 0;
  for (const Parameter& p : model.parameters) {
    const SafeTensors::Entry* entry = file.find(prefix + p.name);
    if (!entry) continue;
    ++compared;
    const Tensor reference = file.tensor(*entry), gradient = gradients[p.value];
    if (!gradient || gradient.shape() != reference.shape()) {
      ADD_FAILURE() << p.name << ": no gradient of shape " << reference.shape();
      continue;
    }
    // The bias of keys shifts all scores of a row alike: its gradient is 0, and round-off has no
    // relative size.
    const bool vanishes = p.name.ends_with("key.bias");
    const Tensor& yardstick =
        vanishes ? gradients[model.parameters.at(replaced(p.name, "key", "query")).value]
                 : reference;
    EXPECT_LT(difference(gradient, reference) / largest(yardstick), kTolerance) << p.name;
  }
  return compared;
}

TEST(BertGolden, HiddenStatesAndLoss) {
  const SafeTensors file = golden();
  const GoldenBatch batch(file, "batch");
  const Model model(testing::small_config(), kPretraining, golden_weights(0.35f));
  const Encoded e = model.body(batch.packed, {.all_hidden = true});
  ASSERT_EQ(e.all_hidden.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_LT(relative_difference(e.all_hidden[i], file.tensor("tiny.hidden." + std::to_string(i))),
              kTolerance)
        << i;
  }
  EXPECT_TRUE(equal_bits(e.hidden, e.all_hidden.back()));
  const double expected = file.tensor("tiny.loss").item();
  EXPECT_NEAR(loss_of(model, batch).item(), expected, kTolerance * expected);
}

TEST(BertGolden, EveryGradient) {
  const SafeTensors file = golden();
  Model model(testing::small_config(), kPretraining, golden_weights(0.35f));
  const int compared = expect_gradients(model, GoldenBatch(file, "batch"), file, "tiny.grad.");
  EXPECT_EQ(compared, static_cast<int>(model.parameters.size()));
}

// Recomputing every layer during backward changes no bit of any gradient.
TEST(BertGolden, RecomputedGradientsAreTheSameBits) {
  const GoldenBatch batch(golden(), "batch");
  Model model(testing::small_config(), kPretraining, golden_weights(0.35f));
  const auto gradients_with = [&](const LayerRunner& runner) {
    Tape tape;
    tape.watch(model.parameters);
    const Gradients gradients = tape.backward(loss_of(model, batch, {.run_layer = runner}));
    std::vector<Tensor> all;
    for (const Parameter& p : model.parameters) all.push_back(gradients[p.value]);
    return all;
  };
  const std::vector<Tensor> plain = gradients_with({}), recomputed = gradients_with(recompute);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(equal_bits(plain[i], recomputed[i])) << i;
}

TEST(BertGolden, LayersOfDifferentSizes) {
  const SafeTensors file = golden();
  const GoldenBatch batch(file, "batch");
  Model model(testing::uneven_config(), kPretraining, golden_weights(0.35f));
  EXPECT_LT(relative_difference(model.body(batch.packed).hidden, file.tensor("uneven.hidden")),
            kTolerance);
  const double expected = file.tensor("uneven.loss").item();
  EXPECT_NEAR(loss_of(model, batch).item(), expected, kTolerance * expected);
  EXPECT_EQ(expect_gradients(model, batch, file, "uneven.grad."), 16);
}

TEST(BertGolden, BaseShape) {
  const SafeTensors file = golden();
  const GoldenBatch batch(file, "base");
  ModelConfig config = testing::small_config();
  config.vocab_size = 21128;
  config.hidden_size = 768;
  config.max_position_embeddings = 512;
  config.set_layers(12, 12, 3072);
  const Model model(config, {.masked_lm = true}, golden_weights(0.07f));
  const Tensor hidden = model.body(batch.packed).hidden;
  EXPECT_LT(relative_difference(hidden, file.tensor("base.hidden")), 2e-5);
  EXPECT_LT(relative_difference(slice(model.masked_lm->logits(hidden), 1, 0, 100),
                                file.tensor("base.logits")),
            2e-5);
}

}  // namespace
}  // namespace ink
