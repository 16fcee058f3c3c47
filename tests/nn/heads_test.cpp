// Heads: their losses against what they are defined as, sequence by sequence.
#include "nn/heads.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "autograd/tape.h"
#include "nn/ragged.h"
#include "tensor/op.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

Tensor ids(const std::vector<int32_t>& values) { return from(values); }

TEST(Ragged, FillsARectangle) {
  const Tensor rows = rectangle(ids({0, 2, 2, 5}));
  EXPECT_EQ(rows.shape(), (Shape{3, 3}));
  EXPECT_EQ(to_vector<int32_t>(rows), (std::vector<int32_t>{0, 1, 5, 5, 5, 5, 2, 3, 4}));
  const Tensor x = from(std::vector<float>{1, 2, 3, 4, 5});
  EXPECT_EQ(to_vector<float>(to_rectangle(reshape(x, {5, 1}), rows, -1)),
            (std::vector<float>{1, 2, -1, -1, -1, -1, 3, 4, 5}));
}

TEST(Ragged, CountsSelectedRows) {
  EXPECT_EQ(to_vector<int32_t>(starts_of(ids({0, 3, 4}), ids({0, 2, 2, 5}))),
            (std::vector<int32_t>{0, 1, 1, 3}));
  EXPECT_EQ(to_vector<int32_t>(starts_of(Tensor(Shape{0}, Dtype::i32), ids({0, 2}))),
            (std::vector<int32_t>{0, 0}));
  EXPECT_ERROR(starts_of(ids({3, 1}), ids({0, 2, 5})), "expected");
  EXPECT_ERROR(starts_of(ids({1, 1}), ids({0, 2, 5})), "expected ascending rows");
  EXPECT_ERROR(starts_of(ids({1, 5}), ids({0, 2, 5})), "expected rows below 5, got 5");
}

TEST(Heads, SpanLossIsASoftmaxOverEachSequence) {
  Parameters parameters;
  const SpanHead head(Scope(parameters, random_values(Random(1))), testing::small_config());
  const Tensor logits = randn({7, 2}, 4, Dtype::f32), offsets = ids({0, 3, 7});
  const Tensor starts = ids({1, 3}), ends = ids({2, 0});
  double expected = 0;
  for (int64_t which = 0; which < 2; ++which) {
    for (int64_t b = 0; b < 2; ++b) {
      const int64_t begin = b ? 3 : 0, end = b ? 7 : 3;
      const Tensor scores = reshape(
          contiguous(slice(slice(logits, 0, begin, end), 1, which, which + 1)), {1, end - begin});
      const Tensor label = slice(which ? ends : starts, 0, b, b + 1);
      expected += cross_entropy(scores, contiguous(label)).item() / 4;
    }
  }
  EXPECT_NEAR(head.loss(logits, offsets, starts, ends).item(), expected, 1e-6);
}

TEST(Heads, PositionLossIsASoftmaxOverTheSequence) {
  Parameters parameters;
  ModelConfig config = testing::small_config();
  config.initializer_range = 0.2;
  PositionHead head(Scope(parameters, random_values(Random(1))), config);
  head.factor = 0.1;
  copy_into(head.bias.value, randn({40}, 8, Dtype::f32));
  const Tensor hidden = randn({9, 60}, 4, Dtype::f32), offsets = ids({0, 3, 4, 9});
  const Tensor rows = ids({0, 2, 4, 5, 8}), labels = ids({2, 0, 4, 1, 0});
  const std::vector<std::pair<int64_t, int64_t>> sequence_of_row{
      {0, 3}, {0, 3}, {4, 9}, {4, 9}, {4, 9}};
  const Tensor queries = head.norm(head.dense(gather_rows(hidden, rows), Activation::gelu));
  double expected = 0;
  for (int64_t m = 0; m < 5; ++m) {
    const auto [begin, end] = sequence_of_row[static_cast<size_t>(m)];
    const Tensor scores = add(
        scale(matmul(slice(queries, 0, m, m + 1), slice(hidden, 0, begin, end), false, true), 0.1),
        slice(head.bias.value, 0, 0, end - begin));
    expected += cross_entropy(scores, contiguous(slice(labels, 0, m, m + 1))).item() / 5;
  }
  EXPECT_NEAR(head.loss(hidden, offsets, rows, labels).item(), expected, 1e-5);
}

TEST(Heads, ClassificationChoosesItsLoss) {
  EXPECT_EQ(problem_from("", 1), Problem::regression);
  EXPECT_EQ(problem_from("", 3), Problem::single_label);
  EXPECT_EQ(problem_from("multi_label_classification", 3), Problem::multi_label);
  EXPECT_EQ(problem_from("regression", 3), Problem::regression);
  EXPECT_ERROR(problem_from("ranking", 2), "problem_type: expected single_label_classification");
  ModelConfig config = testing::small_config();
  config.labels = {"a", "b", "c"};
  const Tensor logits = randn({4, 3}, 4, Dtype::f32),
               targets = rand_uniform({4, 3}, 5, 0, 1, Dtype::f32);
  const auto loss_with = [&](const char* type, const Tensor& wanted) {
    Parameters parameters;
    config.problem_type = type;
    return ClassificationHead(Scope(parameters, random_values(Random(1))), config)
        .loss(logits, wanted)
        .item();
  };
  const Tensor labels = ids({0, 2, 1, 1});
  EXPECT_EQ(loss_with("", labels), cross_entropy(logits, labels).item());
  EXPECT_EQ(loss_with("multi_label_classification", targets),
            binary_cross_entropy(logits, targets).item());
  EXPECT_EQ(loss_with("regression", targets), mse_loss(logits, targets).item());
}

TEST(Heads, MaskedLmLossIsThatOfItsLogits) {
  const Model model(testing::small_config(), {.masked_lm = true}, random_values(Random(3)));
  const Tensor hidden = randn({9, 60}, 4, Dtype::f32), rows = ids({0, 4, 8}),
               labels = ids({198, 0, 5});
  const Tensor logits = model.masked_lm->logits(gather_rows(hidden, rows));
  EXPECT_EQ(logits.shape(), (Shape{3, 199}));
  EXPECT_NEAR(model.masked_lm->loss(hidden, rows, labels).item(),
              cross_entropy(logits, labels).item(), 1e-6);
}

// MobileBERT's states are wider than its embeddings: the decoder is two weights side by side.
TEST(Heads, MaskedLmJoinsItsWeightsOnceWhenPacked) {
  ModelConfig config = testing::small_config();
  config.family = &mobilebert_family();
  config.embedding_size = 24;
  config.bottlenecks.intra_bottleneck_size = 20;
  config.set_layers(1, 5, 31);
  Model model(config, {.masked_lm = true}, random_values(Random(3)));
  MaskedLmHead& head = *model.masked_lm;
  const Tensor states = randn({9, 60}, 4, Dtype::f32);
  const auto gradients = [&] {
    Tape tape;
    tape.watch(model.parameters);
    const Gradients g = tape.backward(mean(square(head.logits(states))));
    return std::pair(g[head.word.value], g[head.rest->value]);
  };
  const Tensor plain = head.logits(states);
  const auto before = gradients();
  model.pack();
  EXPECT_EQ(head.joined.value.shape(), (Shape{199, 60}));
  EXPECT_TRUE(equal_bits(head.logits(states), plain));
  const auto after = gradients();
  EXPECT_TRUE(equal_bits(after.first, before.first));
  EXPECT_TRUE(equal_bits(after.second, before.second));
  for (Parameter* weight : {&head.word, head.rest}) {
    copy_into(weight->value, zeros(weight->value.shape()));
    EXPECT_ERROR(head.logits(states), "has changed since it was packed");
    model.pack();
    head.logits(states);
  }
  copy_into(head.word.value, zeros(head.word.value.shape()));
  model.unpack();
  EXPECT_FALSE(head.joined.value);
  head.logits(states);
}

TEST(Heads, DropoutOnlyWhileTraining) {
  ModelConfig config = testing::small_config();
  config.classifier_dropout = 0.5;
  Parameters parameters;
  const TaggingHead head(Scope(parameters, random_values(Random(1))), config);
  const Tensor hidden = randn({9, 60}, 4, Dtype::f32);
  const Random random(3);
  EXPECT_TRUE(equal_bits(head.logits(hidden), head.logits(hidden)));
  EXPECT_TRUE(equal_bits(head.logits(hidden, &random), head.logits(hidden, &random)));
  EXPECT_FALSE(equal_bits(head.logits(hidden, &random), head.logits(hidden)));
}

}  // namespace
}  // namespace ink
