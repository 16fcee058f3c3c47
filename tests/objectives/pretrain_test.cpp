// The pre-training job: it learns, writes a model that loads, and resumes to the same bits.
#include "objectives/pretrain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <optional>

#include "autograd/training_log.h"
#include "nn/model_folder.h"
#include "objectives/mask.h"
#include "objectives/pretrain_evaluation.h"
#include "objectives/tokenize.h"
#include "tensor/allocator.h"
#include "tests/expect_error.h"
#include "tests/objectives/toy_training.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

class PretrainTest : public ToyTraining {
 protected:
  PretrainTest() : ToyTraining("ink_pretrain") {}

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
  Tokenizer tokenizer_of(const Family& family) const {
    return family.two_streams ? tokenizer_.with_class_last() : tokenizer_;
  }
  std::vector<std::string> log_without_times(const std::string& out) const {
    std::vector<std::string> lines;
    for (Json line : read_training_log(folder_ / out / "training" / "log.jsonl")) {
      line.erase("seconds");
      line.erase("tokens_per_second");
      lines.push_back(line.to_string());
    }
    return lines;
  }
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
  std::vector<double> losses;  // each of two steps
  for (const Json& line : log)
    if (line.has("mlm_loss")) losses.push_back(line.real("mlm_loss"));
  const double late = std::accumulate(losses.end() - 20, losses.end(), 0.0) / 20;
  EXPECT_LT(late, random_guess - 0.5) << "nothing was learned";

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
  const Evaluation again = evaluate_pretraining(PretrainModel(load_model(o.out)), data.held_out());
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
    straight.objective.pair_task = accumulate == 3 ? PairTask::next_sentence : PairTask::none;
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

// Every objective, on a model of the family that it needs.
TEST_F(PretrainTest, EveryObjectiveLearnsResumesAndIsSaved) {
  auto similar = std::make_shared<SimilarWords>();
  for (uint64_t i = 0; i < 100; i += 2) {
    const auto ids = [&](uint64_t k) {
      return tokenizer_.pieces(toy_character(k) + toy_character(k + 1)).ids;
    };
    similar->add(ids(i), ids(i + 2));
  }
  Objective both = objective_from("perlm");
  both.space = Space::both;
  both.granularity = Granularity::sentence;
  both.predict = Predict::full;
  Objective mac = objective_from("mac,sop");
  mac.similar = similar;
  struct Case {
    const char* name;
    Objective objective;
    const Family* family;
    std::vector<std::string> architectures, metrics;
  };
  const std::vector<Case> cases{
      {"ngram", objective_from("ngram"), &bert_family(), {"BertForMaskedLM"}, {"loss"}},
      {"mac", mac, &bert_family(), {"BertForPreTraining"}, {"loss", "pair_loss"}},
      {"perlm", objective_from("perlm"), &bert_family(), {"BertForPerLM"}, {"position_loss"}},
      {"both",
       both,
       &bert_family(),
       {"BertForMaskedLM", "BertForPerLM"},
       {"loss", "position_loss"}},
      {"rtd",
       objective_from("rtd"),
       &electra_family(),
       {"ElectraForPreTraining"},
       {"loss", "replaced_loss"}},
      {"plm", objective_from("plm"), &xlnet_family(), {"XLNetLMHeadModel"}, {"loss"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    ModelConfig c = config();
    c.family = each.family;
    if (c.family == &electra_family()) c.embedding_size = c.hidden_size;
    PretrainOptions o = options(std::string("straight_") + each.name);
    o.objective = each.objective;
    o.accumulate = 2;
    o.steps = 6;
    const Tokenizer tokenizer = tokenizer_of(*each.family);
    const PretrainResult straight = pretrain(c, tokenizer, &segmenter_, o, {});
    for (const std::string& metric : each.metrics) {
      const auto has = [&](const auto& m) { return m.first == metric; };
      EXPECT_TRUE(std::ranges::any_of(straight.training.last.metrics, has)) << metric;
    }
    const fs::path first = o.out;
    o.out = folder_ / "resumed";
    fs::remove_all(o.out);
    std::atomic<bool> stop = false;
    o.stop = &stop;
    pretrain(c, tokenizer, &segmenter_, o,
             {.progress = [&](const Progress& p) { stop = p.step == 3; }});
    o.stop = nullptr;
    o.resume = true;
    pretrain(c, tokenizer, &segmenter_, o, {});
    for (const char* file : {"model.safetensors", "generator/model.safetensors",
                             "best/model.safetensors", "config.json"}) {
      ASSERT_EQ(fs::exists(first / file), fs::exists(o.out / file)) << file;
      if (fs::exists(first / file)) {
        EXPECT_EQ(read_file(first / file, 1 << 24), read_file(o.out / file, 1 << 24)) << file;
      }
    }

    // It loads, goes on being pre-trained, and is a start for fine-tuning.
    EXPECT_EQ(load_model(first).config.architectures, each.architectures);
    load_model(first, {.heads = Heads{.tagging = true}, .new_heads = true});
    PretrainOptions on = options(std::string("on_") + each.name);
    on.objective = each.objective;
    on.start_from = first;
    on.learning_rate = 0;
    on.steps = 1;
    pretrain(c, tokenizer, &segmenter_, on, {});
    EXPECT_EQ(read_file(first / "model.safetensors", 1 << 24),
              read_file(on.out / "model.safetensors", 1 << 24));
    if (each.objective.task == TokenTask::rtd) {
      EXPECT_EQ(read_file(first / "generator/model.safetensors", 1 << 24),
                read_file(on.out / "generator/model.safetensors", 1 << 24));
    }
  }
}

TEST_F(PretrainTest, EveryLossFalls) {
  struct Case {
    const char *list, *loss;
    const Family* family;
    double by;
  };
  for (const Case& each : {Case{"perlm", "position_loss", &bert_family(), 0.2},
                           Case{"rtd", "replaced_loss", &electra_family(), 0.02},
                           Case{"plm", "mlm_loss", &xlnet_family(), 0.2}}) {
    ModelConfig c = config();
    c.family = each.family;
    if (c.family == &electra_family()) c.embedding_size = c.hidden_size;
    PretrainOptions o = options(each.list);
    o.objective = objective_from(each.list);
    o.objective.scale = 0;
    o.steps = 120;
    o.learning_rate = 3e-3;
    o.log_every = 20;
    pretrain(c, tokenizer_of(*each.family), &segmenter_, o, {});
    std::vector<double> losses;
    for (const Json& line : read_training_log(o.out / "training" / "log.jsonl"))
      if (!line.has("evaluation")) losses.push_back(line.real(each.loss));
    EXPECT_LT(losses.back(), losses.front() - each.by) << each.list;
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
  refused("objective.whole_words true, got false",
          [](auto& o) { o.objective.select.whole_words = false; });
  refused("objective.mask_fraction 0.15, got 0.3",
          [](auto& o) { o.objective.select.fraction = 0.3; });
  refused("data.batch_tokens 160, got 170", [](auto& o) { o.batch_tokens = 170; });
  refused("data.max_tokens 40, got 30", [](auto& o) { o.max_tokens = 30; });
  refused("data.held_out 0.1, got 0.2", [](auto& o) { o.held_out = 0.2; });
  write_toy_corpus(folder_ / "others", 90, 2, 7);  // its words are cut otherwise too
  refused("data.corpus_documents", [&](auto& o) { o.corpus = {folder_ / "others"}; });

  PretrainOptions o = first;
  o.resume = true;
  std::vector<std::string> tokens = tokenizer_.vocabulary().tokens();
  std::swap(tokens[20], tokens[21]);
  const Tokenizer shuffled{Vocabulary(tokens)};
  EXPECT_ERROR(pretrain(config(), shuffled, &segmenter_, o, {}), "data.tokenizer.vocabulary");
  std::ofstream(folder_ / "words.txt") << toy_character(1) << toy_character(2) << " 100 n\n";
  const Segmenter other = Segmenter::load({.dictionary = folder_ / "words.txt"});
  EXPECT_ERROR(pretrain(config(), tokenizer_, &other, o, {}), "data.dictionary");
  {  // as many words, of which the last is another
    std::string words;
    for (uint64_t k = 0; k < 60; ++k)
      words += toy_character(2 * k) + toy_character(2 * k + (k < 59 ? 1 : 2)) + " 100 n\n";
    write_file(folder_ / "words.txt", words);
    const Segmenter alike = Segmenter::load({.dictionary = folder_ / "words.txt"});
    EXPECT_ERROR(pretrain(config(), tokenizer_, &alike, o, {}), "data.dictionary");
  }
  ModelConfig c = config();
  c.hidden_dropout_prob = 0.3;
  EXPECT_ERROR(pretrain(c, tokenizer_, &segmenter_, o, {}), "architecture.hidden_dropout_prob");
  // one character for another: as many documents and bytes
  std::string text = read_file(folder_ / "texts" / "part0.txt", 1 << 20);
  text.replace(0, 3, text.starts_with(toy_character(7)) ? toy_character(8) : toy_character(7));
  write_file(folder_ / "texts" / "part0.txt", text);
  EXPECT_ERROR(run(o), "was made of another data.corpus");
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
  o.objective.pair_task = PairTask::next_sentence;
  const PretrainResult r = pretrain(c, tokenizer_, &segmenter_, o, {});
  PretrainData data({folder_ / "texts"}, tokenizer_, &segmenter_,
                    masked_language_model({.tokens = objective_tokens(tokenizer_)}),
                    {.max_tokens = o.max_tokens,
                     .batch_tokens = o.batch_tokens,
                     .pair_task = o.objective.pair_task,
                     .block_bytes = o.block_bytes,
                     .held_out = o.held_out,
                     .seed = pretrain_data_seed(o.seed)});
  std::vector<PretrainBatch> batches;
  for (int i = 0; i < 3; ++i) batches.push_back(data.next());
  const Evaluation e = evaluate_pretraining(PretrainModel(load_model(o.out)), batches);
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

TEST_F(PretrainTest, TheScaleOfPositionsStaysWithTheModel) {
  const auto scale_after = [&](const char* out, const char* from, std::optional<double> scale) {
    PretrainOptions o = options(out);
    o.objective = objective_from("perlm");
    o.objective.scale = scale;
    o.steps = 1;
    if (from) o.start_from = folder_ / from;
    run(o);
    const Model model = load_model(folder_ / out, {.heads = Heads{.position = true}});
    EXPECT_EQ(model.position->factor, model.config.position_scale);
    return model.config.position_scale;
  };
  EXPECT_EQ(scale_after("published", nullptr, {}), 1);
  EXPECT_EQ(scale_after("calm", nullptr, 0), 1 / std::sqrt(32));
  EXPECT_EQ(scale_after("goes on", "calm", {}), 1 / std::sqrt(32));
  EXPECT_EQ(scale_after("changed", "calm", 0.5), 0.5);
  EXPECT_EQ(scale_after("back", "calm", 1), 1);
}

TEST_F(PretrainTest, WhatDoesNotFitIsRefused) {
  ModelConfig c = config();
  c.type_vocab_size = 1;
  PretrainOptions pairs = options("pairs");
  pairs.objective.pair_task = PairTask::next_sentence;
  EXPECT_ERROR(pretrain(c, tokenizer_, &segmenter_, pairs, {}), "type_vocab_size is 1");
  c = config();
  c.vocab_size -= 1;
  EXPECT_ERROR(pretrain(c, tokenizer_, &segmenter_, options("bad"), {}), "its tokenizer has");
  c.vocab_size += 8;  // rows that no token uses
  EXPECT_NO_THROW(pretrain(c, tokenizer_, &segmenter_, options("padded"), {}));
  PretrainOptions o = options("bad");
  o.objective = objective_from("rtd");
  EXPECT_ERROR(run(o), "rtd needs a discriminator's head");
  o = options("bad");
  o.objective = objective_from("plm");
  o.recompute = true;
  c = config();
  c.family = &xlnet_family();
  EXPECT_ERROR(pretrain(c, tokenizer_, &segmenter_, o, {}), "leave out recompute");
  o = options("bad");
  o.max_tokens = 41;  // the model reads 40
  EXPECT_THROW(run(o), Error);
  o = options("bad");
  o.accumulate = int64_t{1} << 40;  // of which a step would hold all
  EXPECT_ERROR(run(o), "at most 33554432 tokens in a step, got accumulate 1099511627776");
  o = options("bad");
  o.batch_tokens = int64_t{1} << 24;
  o.block_bytes = 1 << 20;
  EXPECT_ERROR(run(o), "expected batch_tokens of at most the 1048576 bytes of a block");
  o = options("bad");
  o.corpus = {};
  EXPECT_THROW(run(o), Error);
  o.corpus = {folder_ / "missing"};
  EXPECT_THROW(run(o), Error);
}

TEST_F(PretrainTest, ATextWithoutWordsIsRefusedWhereWordsAreSelected) {
  write_file(folder_ / "flat.txt", "");
  std::string text;
  for (uint64_t i = 120; i < 200; ++i)  // no word of the dictionary has these
    for (int k = 0; k < 4; ++k) text += toy_character(120 + (i * 7 + 3) % 80) + "。\n\n";
  write_file(folder_ / "flat.txt", text);
  PretrainOptions o = options("flat");
  o.corpus = {folder_ / "flat.txt"};
  EXPECT_ERROR(run(o), "Chinese characters of the text stands in a word of the dictionary");
  o.objective = objective_from("mlm");
  EXPECT_NO_THROW(run(o));
}

TEST_F(PretrainTest, ATextSmallerThanABatchIsRefused) {
  write_toy_corpus(folder_ / "few", 4);
  PretrainOptions o = options("few");
  o.corpus = {folder_ / "few"};
  o.held_out = 0;
  o.batch_tokens = 4096;
  o.block_bytes = 1 << 20;
  EXPECT_ERROR(run(o), "tokens to train on, fewer than the 4096 of one batch");
  o.batch_tokens = 40;
  o.accumulate = 40;
  std::string said;
  run(o, {.notice = [&](const std::string& s) { said += s; }});
  EXPECT_NE(said.find("a step reads the text more than once"), std::string::npos) << said;
}

TEST_F(PretrainTest, ATextThatTheVocabularyDoesNotKnowIsRefused) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "砚墨纸笔" + toy_character(3) + toy_character(5) + "。\n\n";
  write_file(folder_ / "strange.txt", text);
  PretrainOptions o = options("strange");
  o.corpus = {folder_ / "strange.txt"};
  EXPECT_ERROR(run(o), "tokens are unknown; make one of it");
  for (uint64_t i = 0; i < 240; ++i)
    text += toy_character(i % 100) + toy_character(100 + i % 99) + "。\n\n";
  write_file(folder_ / "strange.txt", text);
  o.objective = objective_from("mlm");
  std::string said;
  run(o, {.notice = [&](const std::string& s) { said += s; }});
  EXPECT_NE(said.find("% of the first"), std::string::npos) << said;
  EXPECT_NE(said.find("are unknown to the vocabulary"), std::string::npos) << said;
}

TEST_F(PretrainTest, SaysHowManyWordsHaveASimilarOne) {
  const auto id = [&](uint64_t i) { return *tokenizer_.vocabulary().find(toy_character(i)); };
  auto similar = std::make_shared<SimilarWords>();
  similar->add(std::vector<int32_t>{id(0), id(1)}, std::vector<int32_t>{id(2), id(3)});
  PretrainOptions o = options("mac");
  o.objective = objective_from("mac");
  o.objective.similar = similar;
  std::string said;
  run(o, {.notice = [&](const std::string& s) {
        if (s.find("have a similar word") != std::string::npos) said = s;
      }});
  const PretrainData data({folder_ / "texts"}, tokenizer_, &segmenter_,
                          masked_language_model({.tokens = objective_tokens(tokenizer_)}),
                          {.max_tokens = 40, .batch_tokens = 160, .held_out = 0.1});
  int64_t words = 0, pairs = 0;
  for (const TokenDocument& document : data.sample(1 << 16)) {
    for (const TokenSentence& s : document) {
      for (size_t i = 0; i < s.ids.size(); ++i) {
        words += !s.continues[i];
        pairs += s.ids[i] == id(0) && i + 1 < s.ids.size() && s.continues[i + 1];
      }
    }
  }
  char expected[64];
  std::snprintf(expected, sizeof expected, "%.1f %% of the first %ld words",
                100 * static_cast<double>(pairs) / static_cast<double>(words),
                static_cast<long>(words));
  EXPECT_GT(pairs, 0);
  EXPECT_TRUE(said.starts_with(expected)) << said << '\n' << expected;
}

}  // namespace
}  // namespace ink
