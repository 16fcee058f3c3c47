// What evaluation counts on batches made by hand.
#include "objectives/pretrain_evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ink {
namespace {

// In sequences of 4 and 5 tokens three of four belong where they stand.
TEST(PretrainEvaluation, OwnPlacesAreTheTrivialAnswer) {
  ModelConfig config;
  config.vocab_size = 10;
  config.hidden_size = 16;
  config.head_size = 8;
  config.max_position_embeddings = 8;
  config.set_layers(1, 2, 16);
  const PretrainModel m(Model(config, {.position = true}, random_values(Random(1))));
  const std::vector<std::vector<int32_t>> ids = {{2, 5, 6, 3}, {2, 6, 7, 5, 3}},
                                          segments = {{0, 0, 0, 0}, {0, 0, 0, 0, 0}};
  const std::vector<PretrainBatch> batches = {{.inputs = pack(ids, segments),
                                               .rows = from(std::vector<int32_t>{1, 2, 5, 7}),
                                               .labels = from(std::vector<int32_t>{5, 6, 6, 5}),
                                               .places = from(std::vector<int32_t>{1, 1, 1, 3}),
                                               .pair_labels = {},
                                               .counts = {.tokens = 9, .predictions = 4}}};
  const Evaluation evaluation = evaluate_pretraining(m, batches);
  const auto own = std::ranges::find(evaluation.metrics, "position_own_place",
                                     &std::pair<std::string, double>::first);
  ASSERT_NE(own, evaluation.metrics.end());
  EXPECT_EQ(own->second, 0.75);
}

}  // namespace
}  // namespace ink
