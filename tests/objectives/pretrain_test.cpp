// The pre-training job: it learns, writes a model that loads, and resumes to the same bits.
#include "objectives/pretrain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "autograd/training_log.h"
#include "nn/model_folder.h"
#include "objectives/pretrain_evaluation.h"
#include "objectives/tokenize.h"
#include "tensor/allocator.h"
#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/objectives/toy_corpus.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

class PretrainTest : public testing::Test {
 protected:
  PretrainTest() : segmenter_(toy_segmenter(folder_)) {
    write_toy_corpus(folder_ / "texts", 80, 2);
  }
  ~PretrainTest() override { fs::remove_all(folder_); }

  ModelConfig config() const {
    ModelConfig c;
    c.vocab_size = tokenizer_.vocabulary().size();
    c.hidden_size = 32;
    c.head_size = 16;
    c.max_position_embeddings = 40;
    c.set_layers(2, 2, 48);
    return c;
  }
  PretrainOptions options(const std::string& out) const {
    return {.corpus = {folder_ / "texts"},
            .out = folder_ / out,
            .max_tokens = 40,
            .batch_tokens = 160,
            .block_bytes = 4000,
            .held_out = 0.1,
            .steps = 9,
            .learning_rate = 1e-3,
            .log_every = 2,
            .evaluate_every = 4,
            .checkpoint_every = 0};
  }
  PretrainResult run(const PretrainOptions& o, const PretrainCallbacks& callbacks = {}) const {
    return pretrain(config(), tokenizer_, &segmenter_, o, callbacks);
  }
  std::string bytes(const fs::path& file) const { return read_file(folder_ / file, 1 << 24); }
  std::vector<std::string> log_without_times(const std::string& out) const {
    std::vector<std::string> lines;
    for (Json line : read_training_log(folder_ / out / "training" / "log.jsonl")) {
      line.erase("seconds");
      line.erase("tokens_per_second");
      lines.push_back(line.to_string());
    }
    return lines;
  }

  const fs::path folder_ = scratch_folder("ink_pretrain");
  const Tokenizer tokenizer_ = toy_tokenizer();
  const Segmenter segmenter_;
};

TEST_F(PretrainTest, LearnsAndWritesAModelThatLoads) {
  PretrainOptions o = options("model");
  o.steps = 150;
  o.learning_rate = 3e-3;
  o.evaluate_every = 50;
  const PretrainResult r = run(o);
  EXPECT_EQ(r.training.status, TrainingResult::Status::finished);
  EXPECT_GT(r.epochs, 1);
  const auto log = read_training_log(o.out / "training" / "log.jsonl");
  const double random_guess = std::log(tokenizer_.vocabulary().size());
  EXPECT_NEAR(log.front().real("mlm_loss"), random_guess, 0.5);
  EXPECT_LT(r.training.loss, random_guess - 0.5) << "nothing was learned";

  const Model model = load_model(o.out);
  EXPECT_TRUE(model.heads.masked_lm);
  EXPECT_FALSE(model.heads.pair);
  EXPECT_EQ(model.config.architectures, std::vector<std::string>{"BertForMaskedLM"});
  EXPECT_EQ(model.parameters.elements(), r.parameters);
  EXPECT_EQ(Tokenizer::load(o.out).vocabulary(), tokenizer_.vocabulary());

  // What was reported is what the saved model gives.
  const PretrainData data({folder_ / "texts"}, tokenizer_, &segmenter_,
                          masked_language_model({.tokens = objective_tokens(tokenizer_)}),
                          {.max_tokens = o.max_tokens,
                           .batch_tokens = o.batch_tokens,
                           .block_bytes = o.block_bytes,
                           .held_out = o.held_out,
                           .seed = pretrain_data_seed(o.seed)});
  const Evaluation again = evaluate_pretraining(model, data.held_out());
  EXPECT_EQ(again.metrics, r.training.last.metrics);
  EXPECT_EQ(again.metrics[0].first, "loss");
  EXPECT_DOUBLE_EQ(again.metrics[2].second, std::exp(again.metrics[0].second));
  EXPECT_TRUE(fs::exists(o.out / "best" / "model.safetensors"));
}

TEST_F(PretrainTest, EveryStepDrops) {
  const auto losses = [&](double hidden, double attention) {
    ModelConfig c = config();
    c.hidden_dropout_prob = hidden;
    c.attention_probs_dropout_prob = attention;
    PretrainOptions o = options("dropout");
    fs::remove_all(o.out);
    o.learning_rate = 0;  // so that steps differ by what they drop alone
    std::vector<double> all;
    pretrain(c, tokenizer_, &segmenter_, o,
             {.progress = [&](const Progress& p) { all.push_back(p.loss); }});
    return all;
  };
  const std::vector<double> without = losses(0, 0), hidden = losses(0.5, 0),
                            attention = losses(0, 0.5);
  ASSERT_EQ(without.size(), 9u);
  for (size_t step = 0; step < without.size(); ++step) {
    EXPECT_NE(hidden[step], without[step]) << step;
    EXPECT_NE(attention[step], without[step]) << step;
  }
}

TEST_F(PretrainTest, ResumingAnywhereEndsWithTheSameBits) {
  for (const int64_t accumulate : {1, 3}) {
    PretrainOptions straight = options("straight");
    straight.accumulate = accumulate;
    straight.pair_task = accumulate == 3 ? PairTask::next_sentence : PairTask::none;
    fs::remove_all(straight.out);
    run(straight);
    for (int64_t cut = 1; cut < straight.steps; ++cut) {
      PretrainOptions o = straight;
      o.out = folder_ / "resumed";
      fs::remove_all(o.out);
      std::atomic<bool> stop = false;
      o.stop = &stop;
      PretrainCallbacks callbacks;
      callbacks.progress = [&](const Progress& p) { stop = p.step == cut; };
      ASSERT_EQ(run(o, callbacks).training.status, TrainingResult::Status::interrupted);
      EXPECT_FALSE(fs::exists(o.out / "model.safetensors"));
      o.stop = nullptr;
      o.resume = true;
      ASSERT_EQ(run(o).training.status, TrainingResult::Status::finished);
      ASSERT_EQ(bytes("resumed/model.safetensors"), bytes("straight/model.safetensors")) << cut;
      ASSERT_EQ(bytes("resumed/best/model.safetensors"), bytes("straight/best/model.safetensors"));
      ASSERT_EQ(bytes("resumed/training/checkpoint-00000009/optimizer.safetensors"),
                bytes("straight/training/checkpoint-00000009/optimizer.safetensors"));
      ASSERT_EQ(log_without_times("resumed"), log_without_times("straight"));
    }
  }
}

TEST_F(PretrainTest, AnotherJobIsNotResumed) {
  const PretrainOptions first = options("run");
  run(first);
  const auto refused = [&](const char* message, const auto& change) {
    PretrainOptions o = first;
    o.resume = true;
    change(o);
    EXPECT_ERROR(run(o), message);
  };
  refused("objective.whole_words true, got false", [](auto& o) { o.whole_words = false; });
  refused("objective.mask_fraction 0.15, got 0.3", [](auto& o) { o.mask_fraction = 0.3; });
  refused("data.batch_tokens 160, got 170", [](auto& o) { o.batch_tokens = 170; });
  refused("data.max_tokens 40, got 30", [](auto& o) { o.max_tokens = 30; });
  refused("data.held_out 0.1, got 0.2", [](auto& o) { o.held_out = 0.2; });

  PretrainOptions o = first;
  o.resume = true;
  std::vector<std::string> tokens = tokenizer_.vocabulary().tokens();
  std::swap(tokens[20], tokens[21]);
  const Tokenizer shuffled{Vocabulary(tokens)};
  EXPECT_ERROR(pretrain(config(), shuffled, &segmenter_, o, {}), "data.tokenizer.vocabulary");
  std::ofstream(folder_ / "words.txt") << toy_character(1) << toy_character(2) << " 100 n\n";
  const Segmenter other = Segmenter::load({.dictionary = folder_ / "words.txt"});
  EXPECT_ERROR(pretrain(config(), tokenizer_, &other, o, {}), "data.dictionary");
  ModelConfig c = config();
  c.hidden_dropout_prob = 0.3;
  EXPECT_ERROR(pretrain(c, tokenizer_, &segmenter_, o, {}), "architecture.hidden_dropout_prob");
  // one character for another: as many documents and bytes
  std::string text = read_file(folder_ / "texts" / "part0.txt", 1 << 20);
  text.replace(0, 3, text.starts_with(toy_character(7)) ? toy_character(8) : toy_character(7));
  write_file(folder_ / "texts" / "part0.txt", text);
  EXPECT_ERROR(run(o), "data.corpus ");
}

TEST_F(PretrainTest, FewerStepsThanAreDoneAreRefused) {
  PretrainOptions o = options("run");
  o.decay = Decay::constant;
  o.warmup_steps = 0;
  run(o);
  o.resume = true;
  o.steps = 5;
  EXPECT_ERROR(run(o), "has done 9 steps, got steps 5");
  o.steps = 12;
  EXPECT_EQ(run(o).training.step, 12);
}

TEST_F(PretrainTest, TheLossOfAStepIsTheMeanOverAllItsMicroBatches) {
  ModelConfig c = config();
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = 0;
  PretrainOptions o = options("one");
  o.steps = 1;
  o.accumulate = 3;
  o.learning_rate = 0;  // the model stays as it started
  o.pair_task = PairTask::next_sentence;
  const PretrainResult r = pretrain(c, tokenizer_, &segmenter_, o, {});
  PretrainData data({folder_ / "texts"}, tokenizer_, &segmenter_,
                    masked_language_model({.tokens = objective_tokens(tokenizer_)}),
                    {.max_tokens = o.max_tokens,
                     .batch_tokens = o.batch_tokens,
                     .pair_task = o.pair_task,
                     .block_bytes = o.block_bytes,
                     .held_out = o.held_out,
                     .seed = pretrain_data_seed(o.seed)});
  std::vector<PretrainBatch> batches;
  for (int i = 0; i < 3; ++i) batches.push_back(data.next());
  const Evaluation e = evaluate_pretraining(load_model(o.out), batches);
  EXPECT_NEAR(r.training.loss, -e.score, 1e-5);
  EXPECT_EQ(load_model(o.out).config.architectures, std::vector<std::string>{"BertForPreTraining"});
}

TEST_F(PretrainTest, RecomputedLayersGiveTheSameBitsInLessMemory) {
  PretrainOptions o = options("plain");
  o.batch_tokens = 1600;
  reset_peak();
  run(o);
  const size_t plain = pool_statistics().peak;
  o.out = folder_ / "recomputed";
  o.recompute = true;
  reset_peak();
  run(o);
  EXPECT_LT(pool_statistics().peak, plain * 4 / 5);
  EXPECT_EQ(bytes("plain/model.safetensors"), bytes("recomputed/model.safetensors"));
}

TEST_F(PretrainTest, GoesOnFromAnotherModel) {
  PretrainOptions o = options("first");
  run(o);
  o.out = folder_ / "second";
  o.start_from = folder_ / "first";
  o.learning_rate = 0;
  run(o);
  EXPECT_EQ(bytes("first/model.safetensors"), bytes("second/model.safetensors"));
}

TEST_F(PretrainTest, WhatDoesNotFitIsRefused) {
  ModelConfig c = config();
  c.type_vocab_size = 1;
  PretrainOptions pairs = options("pairs");
  pairs.pair_task = PairTask::next_sentence;
  EXPECT_ERROR(pretrain(c, tokenizer_, &segmenter_, pairs, {}), "type_vocab_size is 1");
  c = config();
  c.vocab_size += 1;
  EXPECT_THROW(pretrain(c, tokenizer_, &segmenter_, options("bad"), {}), Error);
  PretrainOptions o = options("bad");
  o.max_tokens = 41;  // the model reads 40
  EXPECT_THROW(run(o), Error);
  o = options("bad");
  o.corpus = {};
  EXPECT_THROW(run(o), Error);
  o.corpus = {folder_ / "missing"};
  EXPECT_THROW(run(o), Error);
}

}  // namespace
}  // namespace ink
