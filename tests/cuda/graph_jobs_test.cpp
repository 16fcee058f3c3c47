// Pre-training and fine-tuning with --graphs on the CUDA device end with the files that they write
// without.
#include <fstream>
#include <string>
#include <vector>

#include "autograd/training_log.h"
#include "nn/place.h"
#include "tests/cuda/device.h"
#include "tests/objectives/toy_training.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

struct OnDevice {
  explicit OnDevice(Dtype dtype) { set_working_place({Device::cuda, dtype}); }
  ~OnDevice() { set_working_place({}); }
};

// Lines of a log, but for times.
std::vector<std::string> log_in(const fs::path& folder) {
  std::vector<std::string> lines;
  for (Json line : read_training_log(folder / "log.jsonl")) {
    for (const char* time : {"seconds", "tokens_per_second"}) line.erase(time);
    lines.push_back(line.to_string());
  }
  return lines;
}

// Documents of which each is one sentence: of 14 characters, or now and then of 6.
class PretrainWithGraphs : public ToyTraining {
 protected:
  PretrainWithGraphs() : ToyTraining("pretrain_with_graphs") {
    fs::remove_all(folder_ / "texts");
    fs::create_directories(folder_ / "texts");
    std::ofstream out(folder_ / "texts" / "even.txt");
    Draws draws{Random(3)};
    for (int document = 0; document < 200; ++document) {
      for (int i = 0; i < (document % 20 == 7 ? 6 : 14); ++i) out << toy_character(draws.below(60));
      out << "\n\n";
    }
  }
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }

  PretrainOptions options(const char* out, bool graphs) const {
    PretrainOptions o;
    o.corpus = {folder_ / "texts"};
    o.out = folder_ / out;
    o.objective = objective_from("mlm");
    o.max_tokens = 16;
    o.batch_tokens = 32;
    o.steps = 20;
    o.log_every = 3;
    o.evaluate_every = 10;
    o.graphs = graphs;
    return o;
  }
  void expect_same_run(const char* got, const char* expected) const {
    for (const char* file : {"model.safetensors", "best/model.safetensors",
                             "training/checkpoint-00000020/optimizer.safetensors"})
      if (fs::exists(folder_ / expected / file)) {
        EXPECT_EQ(bytes(fs::path(got) / file), bytes(fs::path(expected) / file)) << file;
      }
    EXPECT_EQ(log_in(folder_ / got / "training"), log_in(folder_ / expected / "training"));
  }
};

TEST_F(PretrainWithGraphs, WritesTheSameFiles) {
  for (const auto& [type, accumulate] : {std::pair{Dtype::f32, 1}, {Dtype::bf16, 2}}) {
    SCOPED_TRACE(::testing::Message() << name_of(type) << ", accumulate " << accumulate);
    const OnDevice place(type);
    PretrainOptions usual = options("usual", false), replayed = options("replayed", true);
    usual.accumulate = replayed.accumulate = accumulate;
    run(usual);
    const PretrainResult result = run(replayed);
    EXPECT_GE(result.training.replayed, 10 * accumulate);
    EXPECT_LT(result.training.replayed, 19 * accumulate);  // there are several shapes
    expect_same_run("replayed", "usual");
    for (const char* out : {"usual", "replayed"}) fs::remove_all(folder_ / out);
  }
}

// Texts of all lengths: filled up, they have few shapes, and the losses of batches as they are.
TEST_F(PretrainWithGraphs, FilledBatchesHaveFewShapes) {
  write_toy_corpus(folder_ / "others", 80);
  const OnDevice place(Dtype::f32);
  const auto train = [&](const char* out, bool graphs, bool fill) {
    PretrainOptions o = options(out, graphs);
    o.corpus = {folder_ / "others"};
    o.objective = objective_from("wwm,nsp");
    o.max_tokens = 30;
    o.batch_tokens = 100;
    o.fill = fill;
    return run(o).training;
  };
  const TrainingResult plain = train("plain", false, false), usual = train("usual", false, true),
                       replayed = train("replayed", true, true);
  EXPECT_GE(replayed.replayed, 12);
  expect_same_run("replayed", "usual");
  EXPECT_NEAR(usual.loss, plain.loss, 1e-5 * plain.loss);
  const auto tokens = [&](const char* out) {
    std::vector<int64_t> all;
    for (const Json& line : read_training_log(folder_ / out / "training" / "log.jsonl"))
      if (line.has("tokens")) all.push_back(line.integer("tokens"));
    return all;
  };
  EXPECT_EQ(tokens("usual"), tokens("plain"));
}

TEST_F(PretrainWithGraphs, ResumesWithThem) {
  const OnDevice place(Dtype::f32);
  run(options("usual", false));
  PretrainOptions o = options("cut", true);
  run_until(11, o);
  o.resume = true;
  run(o);
  expect_same_run("cut", "usual");
}

TEST_F(PretrainWithGraphs, SaysWhichObjectivesCannot) {
  const OnDevice place(Dtype::f32);
  for (const auto& [objective, why] :
       {std::pair{"perlm", "positions are predicted: how many there are differs from text to text"},
        {"rtd", "the host draws the tokens that replace others"}}) {
    PretrainOptions o = options(objective, true);
    o.objective = objective_from(objective);
    o.steps = 3;
    ModelConfig c = config();
    if (o.objective.task == TokenTask::rtd) {
      c.family = &electra_family();
      c.embedding_size = c.hidden_size;
    }
    std::vector<std::string> notices;
    pretrain(c, tokenizer_, &segmenter_, o,
             {.notice = [&](const std::string& sentence) { notices.push_back(sentence); }});
    EXPECT_EQ(std::ranges::count(notices,
                                 std::string("steps are not replayed as CUDA graphs where ") + why),
              1)
        << objective;
  }
}

TEST(FinetuneWithGraphs, WritesTheSameFiles) {
  SKIP_WITHOUT_DEVICE();
  const ToyTask task("finetune_with_graphs");
  const OnDevice place(Dtype::f32);
  const fs::path model = task.model_that_drops(0.1, 0.1);
  const auto beginning = [&](const char* file, size_t bytes) {
    const std::string text = read_file(task.folder / file, 1 << 20);
    write_file(task.folder / file, text.substr(0, text.find('\n', bytes) + 1));
  };
  beginning("dev.tsv", 300);
  const auto train = [&](const char* out, bool graphs, bool fill) {
    FinetuneOptions o = task.options(out);
    o.model = model;
    o.fit.steps = 12;
    o.fit.batch_size = 6;
    o.fit.log_every = 5;
    o.fit.graphs = graphs;
    o.fit.fill = fill;
    return finetune(o, {}).training;
  };
  const TrainingResult plain = train("plain", false, false), usual = train("usual", false, true),
                       replayed = train("replayed", true, true);
  EXPECT_GE(replayed.replayed, 6);
  const auto bytes = [&](const fs::path& file) { return read_file(task.folder / file, 1 << 24); };
  EXPECT_EQ(bytes("replayed/model.safetensors"), bytes("usual/model.safetensors"));
  EXPECT_EQ(log_in(task.folder / "replayed" / "training"),
            log_in(task.folder / "usual" / "training"));
  EXPECT_NEAR(usual.loss, plain.loss, 1e-4 * plain.loss);
}

}  // namespace
}  // namespace ink
