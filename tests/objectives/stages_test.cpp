// Stages: lengths by step, batches of each stage, exact resume across the border, models on the
// way.
#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/training_log.h"
#include "nn/model_folder.h"
#include "objectives/mask.h"
#include "objectives/pretrain_stages.h"
#include "objectives/tokenize.h"
#include "tests/expect_error.h"
#include "tests/objectives/toy_training.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

TEST(PretrainStages, EndAtTheSumOfTheirShares) {
  const PretrainStages stages({.stages = {{128, 0.9}, {512, 0.1}}, .steps = 1000});
  EXPECT_EQ(stages.length_at(0), 128);
  EXPECT_EQ(stages.length_at(899), 128);
  EXPECT_EQ(stages.length_at(900), 512);
  EXPECT_EQ(stages.length_at(5000), 512);
  EXPECT_EQ(stages.longest(), 512);
  const PretrainStages thirds({.stages = {{30, 1. / 3}, {20, 1. / 3}, {10, 1. / 3}}, .steps = 10});
  std::vector<int64_t> lengths;
  for (int64_t step = 0; step < 10; ++step) lengths.push_back(thirds.length_at(step));
  EXPECT_EQ(lengths, (std::vector<int64_t>{30, 30, 30, 20, 20, 20, 20, 10, 10, 10}));
  EXPECT_EQ(thirds.last_length(), 10);
  EXPECT_EQ(PretrainStages({.max_tokens = 64}).length_at(7), 64);
}

TEST(PretrainStages, NonsenseIsRefused) {
  const auto stages = [](std::vector<PretrainStage> all) {
    return PretrainStages({.stages = std::move(all), .steps = 100});
  };
  EXPECT_ERROR(stages({{128, 0.9}}), "shares of the stages that add up to 1, got 0.9");
  EXPECT_ERROR(stages({{128, 0.9}, {256, 0.2}}), "add up to 1, got 1.1");
  EXPECT_ERROR(stages({{128, 0.999}, {256, 0.001}}),
               "a step or more in each stage, the one of 256");
  EXPECT_ERROR(stages({{128, 1}, {256, 0}}), "lengths and shares above 0");
}

class StagedPretrainTest : public ToyTraining {
 protected:
  StagedPretrainTest() : ToyTraining("ink_stages") {}

  PretrainOptions options(const std::string& out) const {
    return {.corpus = {folder_ / "texts"},
            .out = folder_ / out,
            .batch_tokens = 160,
            .block_bytes = 4000,
            .held_out = 0.1,
            .stages = {{14, 0.5}, {40, 0.5}},
            .steps = 10,
            .learning_rate = 1e-3,
            .log_every = 1,
            .checkpoint_every = 0};
  }
};

TEST_F(StagedPretrainTest, BatchesHaveTheLengthOfTheirStage) {
  const auto longest = [](const PretrainBatch& b) {
    const auto offsets = to_vector<int32_t>(b.inputs.offsets);
    int32_t length = 0;
    for (size_t i = 1; i < offsets.size(); ++i)
      length = std::max(length, offsets[i] - offsets[i - 1]);
    return length;
  };
  PretrainData data({folder_ / "texts"}, tokenizer_, &segmenter_,
                    masked_language_model({.tokens = objective_tokens(tokenizer_)}),
                    {.max_tokens = 40, .batch_tokens = 160, .block_bytes = 4000, .held_out = 0.1});
  data.set_length(14);
  for (int i = 0; i < 5; ++i) EXPECT_LE(longest(data.next()), 14);
  const int64_t block = data.position().integer("block");
  data.set_length(14);
  EXPECT_EQ(data.position().integer("block"), block) << "nothing has changed";
  data.set_length(40);
  EXPECT_NE(data.position().integer("block"), block) << "the rest of the block is cut otherwise";
  const Json here = data.position();
  const PretrainBatch next = data.next();
  EXPECT_GT(longest(next), 14);
  data.set_length(14);
  data.seek(here);
  EXPECT_EQ(to_vector<int32_t>(data.next().inputs.ids), to_vector<int32_t>(next.inputs.ids));
  EXPECT_GT(longest(data.held_out().front()), 14) << "held-out text has the options' length";
  EXPECT_ERROR(data.set_length(161), "at most 160 tokens");
}

TEST_F(StagedPretrainTest, ResumesExactlyOnBothSidesOfTheBorder) {
  run(options("straight"));
  std::vector<double> lengths;
  for (const Json& line : read_training_log(folder_ / "straight/training/log.jsonl"))
    if (line.has("max_tokens")) lengths.push_back(line.real("max_tokens"));
  EXPECT_EQ(lengths, (std::vector<double>{14, 14, 14, 14, 14, 40, 40, 40, 40, 40}));
  for (int64_t cut = 1; cut < 10; ++cut) {
    PretrainOptions o = options("resumed");
    fs::remove_all(o.out);
    run_until(cut, o);
    o.resume = true;
    run(o);
    ASSERT_EQ(bytes("resumed/model.safetensors"), bytes("straight/model.safetensors")) << cut;
  }
}

TEST_F(StagedPretrainTest, OtherStagesOrStepsAreNotResumed) {
  PretrainOptions o = options("run");
  run_until(3, o);
  o.resume = true;
  PretrainOptions other = o;
  other.stages[0].share = 0.6, other.stages[1].share = 0.4;
  EXPECT_ERROR(run(other), "has stages.lengths [[14, 5], [40, 10]], got [[14, 6], [40, 10]]");
  other = o;
  other.steps = 20;
  EXPECT_ERROR(run(other), "has stages.steps 10, got 20");
  other = o;
  other.stages = {};
  other.max_tokens = 40;
  EXPECT_ERROR(run(other), "has stages {");
}

// The number of steps is what the user has named, not the warm-up that follows from it.
TEST_F(StagedPretrainTest, OtherStepsAreCalledByTheirName) {
  PretrainOptions o = options("run");
  o.stages = {};
  o.max_tokens = 40;
  run_until(3, o);
  o.resume = true;
  o.steps = 40;
  EXPECT_ERROR(run(o),
               "is one of 10 steps, got 40, with which its warmup would be 4 rather than 1");
}

TEST_F(StagedPretrainTest, TooLongAStageIsRefusedAtTheStart) {
  PretrainOptions o = options("refused");
  o.batch_tokens = 30;
  o.stages = {{14, 0.3}, {40, 0.4}, {14, 0.3}};
  EXPECT_ERROR(run(o), "batch_tokens of at least the longest sequence, got 30 and 40");
}

TEST_F(StagedPretrainTest, TooShortAStageIsRefusedAtTheStart) {
  PretrainOptions o = options("refused");
  o.objective = objective_from("wwm,nsp");
  o.stages = {{40, 0.5}, {4, 0.5}};
  EXPECT_ERROR(run(o), "expected sequences of at least 5 tokens for two texts");
  o.stages = {{40, 0.5}, {5, 0.5}};
  EXPECT_EQ(run(o).training.status, TrainingResult::Status::finished);
  o = options("alone");
  o.stages = {{40, 0.5}, {2, 0.5}};
  EXPECT_ERROR(run(o), "expected sequences of at least 3 tokens");
  o.stages = {{40, 0.5}, {3, 0.5}};
  EXPECT_EQ(run(o).training.status, TrainingResult::Status::finished);
}

TEST_F(StagedPretrainTest, SaysWhichNamedStepsAreAlreadyPast) {
  PretrainOptions o = options("late");
  o.save_at = {2};
  run_until(4, o);
  o.resume = true;
  o.save_at = {1, 2, 3, 7};
  std::vector<std::string> said;
  run(o, {.notice = [&](const std::string& sentence) { said.push_back(sentence); }});
  const auto missed = std::ranges::find_if(
      said, [](const std::string& s) { return s.find("was not kept") != std::string::npos; });
  ASSERT_NE(missed, said.end());
  EXPECT_TRUE(missed->starts_with("the run is already at step 4; ")) << *missed;
  EXPECT_TRUE(missed->ends_with(": 1, 3")) << *missed;
  EXPECT_TRUE(fs::exists(o.out / "step-7/config.json"));
}

TEST_F(StagedPretrainTest, ModelsOfNamedStepsStay) {
  PretrainOptions o = options("all");
  o.save_at = {3, 7, 10};
  run(o);
  PretrainOptions first = options("first");
  first.save_at = {3};
  run_until(3, first);
  EXPECT_EQ(bytes("all/step-3/model.safetensors"), bytes("first/step-3/model.safetensors"));
  EXPECT_NE(bytes("all/step-3/model.safetensors"), bytes("all/step-7/model.safetensors"));
  EXPECT_EQ(bytes("all/step-10/model.safetensors"), bytes("all/model.safetensors"));
  EXPECT_TRUE(load_model(o.out / "step-7").heads.masked_lm);
  EXPECT_EQ(Tokenizer::load(o.out / "step-7").vocabulary(), tokenizer_.vocabulary());
  EXPECT_FALSE(fs::exists(o.out / "step-4"));
  o.out = folder_ / "bad";
  o.save_at = {11};
  EXPECT_ERROR(run(o), "expected to save at steps from 0 to 10, got 11");
}

}  // namespace
}  // namespace ink
