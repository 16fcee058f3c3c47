// Fine-tuning learns what can be learned, resumes exactly, and its result is used by what follows.
#include "tasks/finetune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <set>
#include <thread>

#include "nn/session.h"
#include "tasks/embed.h"
#include "tasks/latency.h"
#include "tensor/allocator.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/tasks/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

Features features(const std::filesystem::path& model, const std::filesystem::path& data) {
  return {read_examples(data), Tokenizer::load(model), 16};
}

TEST(Finetune, LearnsSavesAndTrainsOn) {
  const ToyTask task("finetune");
  std::vector<double> losses;
  const FinetuneResult result = finetune(
      task.options("out"), {.progress = [&](const Progress& p) { losses.push_back(p.loss); }});
  EXPECT_GT(result.dev.score, 0.95);
  EXPECT_EQ(result.labels.names(), (std::vector<std::string>{"c0", "c1", "c2"}));
  EXPECT_EQ(result.train_examples, 480);
  EXPECT_EQ(result.training.best.score, result.dev.score)
      << "the best model is the one that was saved";
  EXPECT_EQ(losses.size(), 180u);
  EXPECT_NEAR(losses.front(), std::log(3.0), 0.3);
  EXPECT_LT(losses.back(), 0.2);
  EXPECT_TRUE(std::filesystem::exists(task.folder / "out" / "training" / "log.jsonl"));

  // the result is a model folder like any other, whose labels stay what they are
  FinetuneOptions again = task.options("again");
  again.model = task.folder / "out";
  again.fit.epochs = 1;
  again.fit.learning_rate = 1e-4;
  EXPECT_GT(finetune(again).dev.score, 0.95);
  write_file(task.folder / "train.tsv", "c1\tx\nc9\ty\n");
  EXPECT_ERROR(finetune(again),
               "train.tsv:2: unknown label 'c9'; known labels: c0, c1, c2; to train this model for "
               "other labels, ask for new ones (--new-labels, new_labels)");
}

TEST(Finetune, BodyAndClassifierDropInEveryStep) {
  const ToyTask task("finetune_dropout");
  const auto losses = [&](double body, double classifier) {
    FinetuneOptions options = task.options("out");
    std::filesystem::remove_all(options.out);
    options.model = task.model_that_drops(body, classifier);
    options.fit.epochs = 1;
    options.fit.learning_rate = 0;  // so that steps differ by what they drop alone
    std::vector<double> all;
    finetune(options, {.progress = [&](const Progress& p) { all.push_back(p.loss); }});
    return all;
  };
  const std::vector<double> without = losses(0, 0);
  expect_all_differ(losses(0.5, 0), without);
  expect_all_differ(losses(0, 0.5), without);
}

TEST(Fit, EveryEpochHasEachExampleInAnotherOrder) {
  const ToyTask task("orders");
  const Features train = features(task.folder / "model", task.folder / "train.tsv");
  const auto orders_of = [&](uint64_t seed) {
    std::vector<std::vector<int64_t>> orders(3);
    int64_t seen = 0;
    Parameters parameters;
    parameters.add("x", zeros({1}));
    FitHooks hooks;
    hooks.loss = [&](const FeatureBatch& batch, const Random&, int64_t, int64_t) -> MicroLoss {
      std::vector<int64_t>& order = orders.at(static_cast<size_t>(seen / train.size()));
      order.insert(order.end(), batch.rows.begin(), batch.rows.end());
      seen += static_cast<int64_t>(batch.rows.size());
      return {.loss = sum(parameters.at("x").value)};
    };
    fit(parameters, train, {.epochs = 3, .batch_size = 16, .seed = seed}, hooks);
    return orders;
  };
  const auto one = orders_of(1), two = orders_of(2);
  const std::set<std::vector<int64_t>> distinct{one[0], one[1], one[2], two[0], two[1], two[2]};
  EXPECT_EQ(distinct.size(), 6u);
  std::vector<int64_t> all(static_cast<size_t>(train.size()));
  std::iota(all.begin(), all.end(), 0);
  for (std::vector<int64_t> order : distinct) {
    std::ranges::sort(order);
    EXPECT_EQ(order, all);
  }
}

TEST(Finetune, NewLabelsGetANewHead) {
  const ToyTask task("new_labels");
  FinetuneOptions options = task.options("first");
  options.fit.epochs = 1;
  finetune(options);
  options.model = task.folder / "first";
  options.out = task.folder / "second";
  options.new_labels = true;
  options.fit.learning_rate = 0;                       // weights stay what they are at the start
  for (const char* name : {"train.tsv", "dev.tsv"}) {  // "c0" → "d0"
    std::string text = read_file(task.folder / name, 1 << 20);
    for (size_t at = 0; (at = text.find("\nc", at)) != std::string::npos;) text[at + 1] = 'd';
    write_file(task.folder / name, text);
  }
  EXPECT_EQ(finetune(options).labels.names(), (std::vector<std::string>{"d0", "d1", "d2"}));
  const Model first = load_model(task.folder / "first"), second = load_model(options.out);
  for (const Parameter& p : second.parameters)
    EXPECT_NE(equal_bits(p.value, first.parameters.at(p.name).value),
              p.name.starts_with("classifier."))
        << p.name;
}

// ELECTRA and DistilBERT have no pooler, XLNet and BiGRU have bodies of their own.
TEST(Finetune, FamiliesWithoutAPooler) {
  const ToyTask task("families");
  for (const Family* family :
       {&electra_family(), &distilbert_family(), &xlnet_family(), &bigru_family()}) {
    ModelConfig config = ModelConfig::read(task.folder / "model" / "config.json");
    config.family = family;
    config.other = Json::make_object();
    config.embedding_size = config.hidden_size;
    const auto from = task.folder / family->model_type;
    save_model(Model(config, {}, random_values(Random(5))), from, task.folder / "model");
    FinetuneOptions options = task.options(std::string(family->model_type) + "-tuned");
    options.model = from;
    options.fit.epochs = 1;
    EXPECT_EQ(finetune(options).labels.size(), 3) << family->model_type;
    options.model = options.out;
    options.out = task.folder / (std::string(family->model_type) + "-again");
    options.new_labels = true;
    EXPECT_EQ(finetune(options).labels.size(), 3) << family->model_type;
  }
}

TEST(Classification, OneLabelOfATextIsExpected) {
  ModelConfig c;
  c.architectures = {"BertForSequenceClassification"};
  c.labels = {"a", "b"};
  EXPECT_EQ(labels_of(c).size(), 2);
  c.problem_type = "single_label_classification";
  EXPECT_EQ(labels_of(c).size(), 2);
  for (const char* type : {"regression", "multi_label_classification"}) {
    c.problem_type = type;
    EXPECT_ERROR(labels_of(c), std::string("got problem_type ") + type);
  }
  c.problem_type = "";
  c.labels = {"score"};
  EXPECT_ERROR(labels_of(c), "got problem_type regression (one label)");
}

TEST(Finetune, StoppedAndResumedEndsWithTheSameBits) {
  const ToyTask task("resume");
  FinetuneOptions options = task.options("whole");
  options.fit.epochs = 2;
  finetune(options);
  options.out = task.folder / "parts";
  std::atomic<bool> stop = false;
  options.fit.stop = &stop;
  const FinetuneResult part =
      finetune(options, {.progress = [&](const Progress& p) { stop = p.step == 41; }});
  EXPECT_EQ(part.training.status, TrainingResult::Status::interrupted);
  stop = false;
  options.fit.resume = true;
  finetune(options);
  const Model whole = load_model(task.folder / "whole"), parts = load_model(task.folder / "parts");
  for (const Parameter& p : whole.parameters)
    EXPECT_TRUE(equal_bits(p.value, parts.parameters.at(p.name).value)) << p.name;
}

TEST(Finetune, RecomputedLayersGiveTheSameBitsInLessMemory) {
  const ToyTask task("recompute");
  FinetuneOptions options = task.options("plain");
  options.fit.epochs = 1;
  options.fit.batch_size = 120;
  reset_peak();
  finetune(options);
  const size_t plain = pool_statistics().peak;
  options.out = task.folder / "recomputed";
  options.fit.recompute = true;
  reset_peak();
  finetune(options);
  EXPECT_LT(pool_statistics().peak, plain * 4 / 5);
  const auto weights = [&](const char* out) {
    return read_file(task.folder / out / "model.safetensors", 1 << 26);
  };
  EXPECT_EQ(weights("plain"), weights("recomputed"));
}

TEST(Finetune, AnotherJobIsNotResumed) {
  const ToyTask task("resume_other");
  FinetuneOptions first = task.options("out");
  first.fit.epochs = 1;
  finetune(first);
  first.fit.resume = true;
  finetune(first);  // the same job: it has finished
  const auto refused = [&](const char* message, const auto& change) {
    FinetuneOptions o = first;
    change(o);
    EXPECT_ERROR(finetune(o), message);
  };
  refused("max_length 16, got 15", [](auto& o) { o.max_length = 15; });
  // these change the schedule too, whichever is named first
  refused("resume with the same settings", [](auto& o) { o.fit.epochs = 2; });
  refused("resume with the same settings", [](auto& o) { o.fit.batch_size = 8; });
  refused("architecture.classifier_dropout", [](auto& o) { o.dropout = 0.4; });

  std::string text = read_file(task.folder / "train.tsv", 1 << 20), reversed;
  while (!text.empty()) {
    const size_t line = text.rfind('\n', text.size() - 2) + 1;  // 0 at the first
    if (line == 0) break;
    reversed += text.substr(line);
    text.resize(line);
  }
  write_file(task.folder / "train.tsv", text + reversed);
  refused("was made of another train", [](auto&) {});
}

TEST(Finetune, ErrorsBeforeAnythingIsTrained) {
  const ToyTask task("finetune_errors");
  FinetuneOptions options = task.options("out");
  options.max_length = 17;
  EXPECT_ERROR(finetune(options),
               "expected a max_length of at most 16, the positions of this model, got 17");
  options = task.options("out");
  options.data.train = task.folder / "missing.tsv";
  EXPECT_ERROR(finetune(options), "missing.tsv");
  options = task.options("out");
  options.model = task.folder / "nowhere";
  EXPECT_ERROR(finetune(options), "nowhere");
  options = task.options("out");
  options.dropout = 1.5;
  EXPECT_ERROR(finetune(options), "expected a dropout from 0 to below 1, got 1.5");
  EXPECT_ERROR(evaluate(load_model(task.folder / "model"),
                        features(task.folder / "model", task.folder / "dev.tsv")),
               "no classification head; fine-tune it first");
}

TEST(Finetune, AVocabularyOfAnotherModelIsRefused) {
  const ToyTask task("vocabulary");
  const std::filesystem::path model = task.folder / "model";
  const ModelConfig config = ModelConfig::read(model / "config.json");
  std::filesystem::remove(model / "tokenizer.json");
  write_file(model / "vocab.txt", read_file(model / "vocab.txt", 1 << 20) + "more\n");
  EXPECT_ERROR(finetune(task.options("out")),
               "its tokenizer has 33 tokens, config.json says 32; expected both of one model");
  EXPECT_FALSE(std::filesystem::exists(task.folder / "out"));

  std::vector<std::string> tokens = Tokenizer::load(model).vocabulary().tokens();
  const auto with = [&](int64_t rows) {
    ModelConfig other = config;
    other.vocab_size = rows;
    other.check_vocabulary(static_cast<int64_t>(tokens.size()), model.string());
  };
  with(33);
  with(34);  // padded
  with(4096);
  EXPECT_ERROR(with(32), "its tokenizer has 33 tokens, config.json says 32");
}

TEST(Predict, SameBitsInAnyBatchAndThread) {
  const ToyTask task("predict");
  FinetuneOptions options = task.options("out");
  options.fit.epochs = 1;
  finetune(options);
  const Session session(task.folder / "out");
  const Features dev = features(task.folder / "out", task.folder / "dev.tsv");
  const Predictions all = predict(session.model(), dev);
  EXPECT_EQ(predict(session.model(), dev, {.sequences = 1}).probabilities, all.probabilities);
  std::vector<Predictions> results(3);
  std::vector<std::thread> threads;
  for (Predictions& result : results)
    threads.emplace_back([&] { result = predict(session.model(), dev); });
  for (std::thread& thread : threads) thread.join();
  for (const Predictions& result : results) EXPECT_EQ(result.probabilities, all.probabilities);
  for (int64_t i = 0; i < dev.size(); ++i) {
    double sum = 0;
    for (const float p : all.of(i)) sum += p;
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Embed, PoolsNormalizesAndKeepsTheOrder) {
  const ToyTask task("embed");
  const Session session(task.folder / "model", {.heads = Heads{}});
  const Features dev = features(task.folder / "model", task.folder / "dev.tsv");
  const Embeddings tokens = embed(session, dev, Pooling::tokens),
                   mean = embed(session, dev, Pooling::mean),
                   cls = embed(session, dev, Pooling::cls),
                   unit = embed(session, dev, Pooling::mean, true);
  ASSERT_EQ(tokens.vectors.dim(0), dev.tokens());
  for (int64_t i = 0; i < dev.size(); ++i) {
    const int64_t begin = tokens.offsets.data<int64_t>()[i],
                  end = tokens.offsets.data<int64_t>()[i + 1];
    ASSERT_EQ(end - begin, dev.length(i));
    double squares = 0;
    for (int64_t c = 0; c < 32; ++c) {
      double sum = 0;
      for (int64_t row = begin; row < end; ++row) sum += tokens.vectors.data<float>()[row * 32 + c];
      EXPECT_NEAR(mean.vectors.data<float>()[i * 32 + c], sum / static_cast<double>(end - begin),
                  1e-5);
      EXPECT_EQ(cls.vectors.data<float>()[i * 32 + c],
                tokens.vectors.data<float>()[begin * 32 + c]);
      squares += std::pow(unit.vectors.data<float>()[i * 32 + c], 2);
    }
    EXPECT_NEAR(squares, 1, 1e-5);
  }
  save_embeddings(tokens, task.folder / "e.safetensors");
  const SafeTensors file(task.folder / "e.safetensors");
  EXPECT_TRUE(equal_bits(file.tensor("embeddings"), tokens.vectors));
  EXPECT_TRUE(equal_bits(file.tensor("offsets"), tokens.offsets));
}

TEST(Features, PairsTruncationAndPlans) {
  const ToyTask task("features");
  const std::string a = ToyTask::character(1), b = ToyTask::character(2);
  const Examples pairs = parse_examples(a + a + a + '\t' + b + b + "\tx\n" + a + "\t" + b + "\ty\n",
                                        "pairs.tsv", false);
  const Features f(pairs, Tokenizer::load(task.folder / "model"), 7);
  EXPECT_EQ(f.truncated(), 1);
  EXPECT_EQ(truncation_notice(f, "pairs"),
            "1 of 2 pairs are longer than 7 tokens (max_length); their ends are not read");
  const std::vector<int64_t> both = {0, 1};
  const FeatureBatch batch = f.batch(both);
  // [CLS] a a [SEP] b b [SEP], the longer text cut; [CLS] a [SEP] b [SEP]
  EXPECT_EQ(to_vector<int32_t>(batch.inputs.ids),
            (std::vector<int32_t>{2, 6, 6, 3, 7, 7, 3, 2, 6, 3, 7, 3}));
  EXPECT_EQ(to_vector<int32_t>(batch.inputs.segments),
            (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1}));
  EXPECT_EQ(to_vector<int32_t>(batch.labels), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(f.plan({.sequences = 2, .max_tokens = 11}).size(), 2u)
      << "12 tokens do not fit in one batch";
  EXPECT_ERROR(Features({}, Tokenizer::load(task.folder / "model"), 7),
               "expected examples, found none");
}

TEST(Latency, MedianOfCallsInTurns) {
  std::vector<std::string> order;
  const std::vector<std::function<void(int64_t)>> calls = {
      [&](int64_t r) { order.push_back("a" + std::to_string(r)); },
      [&](int64_t r) { order.push_back("b" + std::to_string(r)); }};
  EXPECT_EQ(median_milliseconds(calls, 2, 1).size(), 2u);
  EXPECT_EQ(order, (std::vector<std::string>{"a0", "b0", "a0", "b0", "a1", "b1"}));
}

}  // namespace
}  // namespace ink
