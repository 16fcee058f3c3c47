// Recovery between steps of pruning: it learns, to the same bits again, from labels or the teacher.
#include "compress/recovery.h"

#include <gtest/gtest.h>

#include "compress/scoring.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

// Sentences of 6 tokens whose class their first token decides.
Features sentences(int64_t count) {
  std::vector<Feature> items;
  for (int64_t i = 0; i < count; ++i) {
    const auto ids = to_vector<int32_t>(randint({6}, static_cast<uint64_t>(i) + 1, 0, 50));
    Feature& item = items.emplace_back();
    item.encoding.ids = ids;
    item.encoding.segments.assign(6, 0);
    item.targets = {ids[0] % 3};
  }
  return Features(std::move(items));
}

struct Setting {
  Features train = sentences(48);
  Model model = tiny_model(tiny_config(2, 4, 8), 3);
  std::vector<FeatureBatch> batches = {whole()};

  FeatureBatch whole() const {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < train.size(); ++i) rows.push_back(i);
    return train.batch(rows);
  }

  Pruning pruned(const std::string& recovery, uint64_t seed = 1) const {
    const PruningConfig config = PruningConfig::from_json(parse_json(
        R"({"pruning_method": "iterative", "target_num_of_heads": 2, "target_ffn_size": 4,
            "n_iters": 2, "recovery": )" +
            recovery + "}",
        "tc.json"));
    return choose_masks(model, batches, config, {}, {},
                        recovery_by(*config.recovery, {classification_task(), train, model, seed}));
  }

  double loss(const Model& of) const {
    return of.classification->loss(classify(of, batches[0].inputs), batches[0].labels).item();
  }
  // Mean cross-entropy with what the unpruned model says.
  double divergence(const Model& of) const {
    return soft_cross_entropy(classify(of, batches[0].inputs),
                              softmax(classify(model, batches[0].inputs)))
        .item();
  }
};

TEST(Recovery, LearnsFromLabels) {
  const Setting s;
  const Pruning p = s.pruned(R"({"epochs": 10, "learning_rate": 3e-3, "batch_size": 16})");
  ASSERT_TRUE(p.recovered);
  EXPECT_EQ(p.recovered->config.heads_per_layer, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(p.recovered->config.ffn_per_layer, (std::vector<int64_t>{4, 4}));
  EXPECT_LT(s.loss(*p.recovered), 0.8 * s.loss(pruned_model(s.model, p.masks)));
}

TEST(Recovery, LearnsFromTheUnprunedModelWithoutLabels) {
  const Setting s;
  const Pruning p = s.pruned(
      R"({"epochs": 10, "learning_rate": 3e-3, "batch_size": 16, "distil": true,
          "temperature": 2, "hard_label_weight": 0})");
  const double entropy = s.divergence(s.model);
  EXPECT_LT(s.divergence(*p.recovered) - entropy,
            0.5 * (s.divergence(pruned_model(s.model, p.masks)) - entropy));
}

// What is trained is what the next step measures, and the seed decides all of it.
TEST(Recovery, IsAFunctionOfItsSeed) {
  const Setting s;
  const std::string recovery = R"({"epochs": 2, "learning_rate": 1e-3, "batch_size": 16})";
  const Pruning a = s.pruned(recovery), b = s.pruned(recovery), c = s.pruned(recovery, 2);
  const auto logits = [&](const Pruning& p) { return classify(*p.recovered, s.batches[0].inputs); };
  EXPECT_TRUE(equal_bits(logits(a), logits(b)));
  EXPECT_FALSE(equal_bits(logits(a), logits(c)));
  EXPECT_EQ(a.steps[0].importance.heads, c.steps[0].importance.heads);
  EXPECT_NE(a.steps[1].importance.heads, c.steps[1].importance.heads);
}

// Five steps from 4 heads to 3 are plateaus; what did not change is not trained again.
TEST(Recovery, StepsThatCutNothingTrainNothing) {
  const Setting s;
  const PruningConfig config{.target_num_of_heads = 3, .n_iters = 5};
  std::vector<size_t> trained;
  std::string said;
  const Pruning pruning = choose_masks(
      s.model, s.batches, config, {}, [&](const std::string& text) { said += text + '\n'; },
      [&](Model&, size_t step) { trained.push_back(step); });
  EXPECT_EQ(pruning.steps.size(), 5u);
  EXPECT_EQ(trained.size(), 1u);
  EXPECT_NE(said.find("nothing goes, so nothing is trained"), std::string::npos) << said;
  EXPECT_EQ(pruning.recovered->config.heads_per_layer, (std::vector<int64_t>{3, 3}));
}

TEST(Recovery, WithoutLabelsTheirWeightIsNone) {
  const auto weight = [](const std::string& more) {
    return PruningConfig::from_json(
               parse_json(R"({"target_num_of_heads": 2, "recovery": {"distil": true)" + more, "c"))
        .recovery->hard_label_weight;
  };
  EXPECT_EQ(weight("}}"), 1);
  EXPECT_EQ(weight(R"(}, "use_logits": true})"), 0);
  EXPECT_ERROR(weight(R"(, "hard_label_weight": 1}, "use_logits": true})"),
               "expected \"distil\": true and \"hard_label_weight\": 0");
}

}  // namespace
}  // namespace ink
