// When a training is evaluated, what it keeps, and when it ends.
#include "tasks/fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "autograd/training_log.h"
#include "nn/model_folder.h"
#include "tests/tasks/helpers.h"
#include "tests/tasks/toy_task.h"

namespace ink {
namespace {

using Steps = std::vector<int64_t>;

Steps every(int64_t length, int64_t epochs, int64_t per_epoch, int64_t every_epochs) {
  Steps ends;
  for (int64_t e = 1; e <= epochs; ++e) ends.push_back(e * length);
  return epoch_milestones(ends, per_epoch, every_epochs);
}

// The steps at which TextBrewer itself writes checkpoints.
TEST(Milestones, AreThoseOfTextBrewer) {
  EXPECT_EQ(every(100, 2, 2, 1), (Steps{50, 100, 150, 200}));
  EXPECT_EQ(every(100, 2, 3, 1), (Steps{33, 66, 100, 133, 166, 200}));
  EXPECT_EQ(every(100, 3, 1, 2), (Steps{200, 300}));
  EXPECT_EQ(every(7, 1, 3, 1), (Steps{2, 4, 7}));
}

TEST(Milestones, OfShortAndUnevenEpochs) {
  EXPECT_EQ(every(2, 2, 5, 1), (Steps{1, 2, 3, 4})) << "each step once";
  EXPECT_EQ(epoch_milestones(Steps{3, 3, 8}, 1, 1), (Steps{3, 8})) << "an epoch within a step";
  EXPECT_EQ(epoch_milestones(Steps{}, 1, 1), Steps{});
  EXPECT_ERROR(epoch_milestones(Steps{3}, 0, 1), "expected per_epoch and every_epochs above 0");
}

class Fitting : public testing::Test {
 protected:
  const ToyTask task{"fit"};
  struct Seen {
    Steps evaluated;
    FinetuneResult result;
  };
  Seen run(const FinetuneOptions& options, int64_t stop_at = -1) const {
    Seen seen;
    FinetuneOptions o = options;
    std::atomic<bool> stop = false;
    o.fit.stop = &stop;
    TaskHooks hooks;
    hooks.progress = [&](const Progress& p) { stop = p.step == stop_at; };
    hooks.evaluated = [&](const Model& model, int64_t step, const Evaluation& e) {
      EXPECT_EQ(model.config.layers(), 2);
      EXPECT_GE(e.score, 0);
      seen.evaluated.push_back(step);
    };
    seen.result = finetune(o, hooks);
    return seen;
  }
  // Folders gs<step> of a run, in order of step.
  static Steps kept(const std::filesystem::path& out) {
    Steps steps;
    for (const auto& entry : std::filesystem::directory_iterator(out)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("gs")) steps.push_back(std::stoll(name.substr(2)));
    }
    std::ranges::sort(steps);
    return steps;
  }
};

// 480 examples in batches of 16 are 30 steps.
TEST_F(Fitting, EvaluatesWhereItIsToldTo) {
  FinetuneOptions o = task.options("epochs");
  o.fit.epochs = 2;
  EXPECT_EQ(run(o).evaluated, (Steps{30, 60}));
  o = task.options("parts");
  o.fit.epochs = 3;
  o.fit.per_epoch = 2;
  o.fit.every_epochs = 2;
  EXPECT_EQ(run(o).evaluated, (Steps{45, 60, 75, 90}));
  o = task.options("period");
  o.fit.epochs = 1;
  o.fit.evaluate_every = 12;
  EXPECT_EQ(run(o).evaluated, (Steps{12, 24, 30}));
  o = task.options("accumulated");
  o.fit.epochs = 2;
  o.fit.accumulate = 4;
  const Seen seen = run(o);
  EXPECT_EQ(seen.evaluated, (Steps{8, 15})) << "60 batches, 4 to a step: the tail is not lost";
  EXPECT_EQ(seen.result.training.step, 15);
}

TEST_F(Fitting, CountsStepsInsteadOfEpochs) {
  FinetuneOptions o = task.options("steps");
  o.fit.steps = 70;
  const Seen seen = run(o);
  EXPECT_EQ(seen.result.training.step, 70);
  EXPECT_EQ(seen.evaluated, (Steps{30, 60, 70})) << "epochs go on from one to the next";
  o.fit.resume = true;
  o.fit.steps = 0;
  o.fit.epochs = 3;
  EXPECT_ERROR(finetune(o), "resume with the same settings");
}

TEST_F(Fitting, EndsWhenNothingGetsBetter) {
  FinetuneOptions o = task.options("early");
  o.fit.learning_rate = 0;  // so that all evaluations are equal
  o.fit.evaluate_every = 10;
  o.fit.early_stop = 2;
  const Seen seen = run(o);
  EXPECT_EQ(seen.evaluated, (Steps{10, 20, 30})) << "the best one, and two that are not better";
  EXPECT_EQ(seen.result.training.status, TrainingResult::Status::finished);
  EXPECT_TRUE(seen.result.training.stopped_early);
  EXPECT_EQ(seen.result.training.best_step, 10);
  o.fit.resume = true;
  EXPECT_EQ(run(o).evaluated, Steps{}) << "it has finished";
  // Interrupted between the evaluations, it remembers how many there were.
  o.fit.resume = false;
  o.out = task.folder / "early_parts";
  EXPECT_EQ(run(o, 23).evaluated, (Steps{10, 20}));
  o.fit.resume = true;
  EXPECT_EQ(run(o).evaluated, Steps{30});
}

TEST_F(Fitting, KeepsTheBestModels) {
  FinetuneOptions o = task.options("best");
  o.fit.epochs = 3;
  o.fit.evaluate_every = 10;
  o.fit.keep_best = 3;
  run(o);
  std::vector<std::pair<double, int64_t>> scores;  // the best first, of equals the earlier
  for (const Json& line : read_training_log(o.out / "training" / "log.jsonl"))
    if (line.has("score")) scores.emplace_back(-line.real("score"), line.integer("step"));
  ASSERT_EQ(scores.size(), 9u);
  std::ranges::sort(scores);
  Steps best;
  for (size_t i = 0; i < 3; ++i) best.push_back(scores[i].second);
  std::ranges::sort(best);
  EXPECT_EQ(kept(o.out), best);
  const auto weights = [](const std::filesystem::path& model) {
    return read_file(model / "model.safetensors", 1 << 26);
  };
  EXPECT_EQ(weights(o.out), weights(o.out / ("gs" + std::to_string(scores[0].second))));

  const std::filesystem::path whole = o.out;
  o.out = task.folder / "best_parts";
  run(o, 47);
  o.fit.resume = true;
  run(o);
  EXPECT_EQ(kept(o.out), best);
  for (const int64_t step : best)
    EXPECT_EQ(weights(o.out / ("gs" + std::to_string(step))),
              weights(whole / ("gs" + std::to_string(step))));
}

TEST_F(Fitting, WritesAnEventFileWhereItIsAsked) {
  FinetuneOptions o = task.options("events");
  o.fit.epochs = 1;
  o.fit.event_file = true;
  o.fit.event_folder = task.folder / "somewhere" / "else";
  run(o);
  const auto files = std::filesystem::directory_iterator(o.fit.event_folder);
  ASSERT_NE(begin(files), end(files));
  const std::string events = read_file(files->path(), 1 << 20);
  for (const char* tag : {"training/loss", "evaluation/accuracy"})
    EXPECT_NE(events.find(tag), std::string::npos) << tag;
}

}  // namespace
}  // namespace ink
