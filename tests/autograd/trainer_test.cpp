// The training loop: weighting of micro-batches, exact resume, interruption,
// errors, log, evaluation.
#include "autograd/trainer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "autograd/training_log.h"
#include "tensor/file.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kIn = 4, kOut = 3;

// Linear regression with dropout: small, and it uses parameters, random numbers and data.
struct Problem {
  Parameters parameters;

  Problem() {
    parameters.add("weight", randn({kOut, kIn}, 1, Dtype::f32));
    parameters.add("bias", randn({kOut}, 2, Dtype::f32));
  }
  Tensor loss(const Tensor& x, const Tensor& y, const Random* random) const {
    const Tensor kept = random ? dropout(x, 0.2, *random) : x;
    return mse_loss(linear(kept, parameters.at("weight").value, parameters.at("bias").value), y);
  }
  TrainingHooks hooks(bool with_dropout = true) const {
    TrainingHooks h;
    h.loss = [this, with_dropout](int64_t micro_batch, const Random& random) -> MicroLoss {
      const auto seed = static_cast<uint64_t>(micro_batch);
      const int64_t rows = 2 + micro_batch % 3;
      const Tensor loss_of =
          loss(randn({rows, kIn}, 10 + seed, Dtype::f32),
               randn({rows, kOut}, 20 + seed, Dtype::f32), with_dropout ? &random : nullptr);
      return {.loss = loss_of,
              .weight = static_cast<double>(rows),
              .tokens = rows,
              .metrics = {{"rows", static_cast<double>(rows)}}};
    };
    return h;
  }
  TrainingResult train(const TrainerOptions& options, const TrainingHooks& h) {
    Optimizer optimizer(parameters);
    return ink::train(parameters, optimizer, schedule(), options, h);
  }
  // Made for 20 steps whatever the options say, so that a shorter run is the
  // beginning of a longer one.
  static Schedule schedule() { return {.peak = 0.05, .warmup = 3, .steps = 20}; }
  std::vector<float> values() const {
    std::vector<float> all;
    for (const Parameter& p : parameters) {
      for (const float v : to_vector<float>(p.value)) all.push_back(v);
    }
    return all;
  }
};

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() { fs::remove_all(folder_); }
  ~TrainerTest() override { fs::remove_all(folder_); }

  static std::vector<std::string> log_without_times(const fs::path& folder) {
    std::vector<std::string> lines;
    for (Json line : read_training_log(folder / "log.jsonl")) {
      line.erase("seconds");
      line.erase("tokens_per_second");
      lines.push_back(line.to_string());
    }
    return lines;
  }
  static std::string final_bytes(const fs::path& folder, int64_t step) {
    std::string name = std::to_string(step);
    name = "checkpoint-" + std::string(8 - name.size(), '0') + name;
    return read_file(folder / name / "model.safetensors", 1 << 20) +
           read_file(folder / name / "optimizer.safetensors", 1 << 20);
  }
  TrainerOptions options(const char* name) const {
    return {.steps = 12, .accumulate = 1, .folder = folder_ / name, .checkpoint_every = 1};
  }
  static std::string message_of(const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  }

  const fs::path folder_ = scratch_folder("ink_trainer");
};

TEST_F(TrainerTest, MicroBatchesGiveTheGradientOfOneBigBatch) {
  constexpr int64_t kRows = 8;
  const Tensor x = randn({kRows, kIn}, 5, Dtype::f32), y = randn({kRows, kOut}, 6, Dtype::f32);
  const std::vector<int64_t> bounds{0, 5, 7, 8};  // 5, 2 and 1 rows
  Problem whole, parts;
  TrainingHooks one, three;
  one.loss = [&](int64_t, const Random&) -> MicroLoss {
    return {.loss = whole.loss(x, y, nullptr)};
  };
  three.loss = [&](int64_t i, const Random&) -> MicroLoss {
    const int64_t begin = bounds[static_cast<size_t>(i % 3)],
                  end = bounds[static_cast<size_t>(i % 3) + 1];
    return {.loss = parts.loss(slice(x, 0, begin, end), slice(y, 0, begin, end), nullptr),
            .weight = static_cast<double>(end - begin)};
  };
  const TrainingResult a = whole.train({.steps = 5}, one);
  const TrainingResult b = parts.train({.steps = 5, .accumulate = 3}, three);
  EXPECT_NEAR(a.loss, b.loss, 1e-6);
  const auto left = whole.values(), right = parts.values();
  for (size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], 1e-5);
}

TEST_F(TrainerTest, EqualMicroBatchesChangeNoBit) {
  Problem once, thrice;
  TrainingHooks h = once.hooks(false), g;
  const auto first = h.loss;
  h.loss = [&](int64_t i, const Random& r) { return first(3 * i, r); };
  g.loss = [&](int64_t i,
               const Random& r) {  // the second and third count nothing
    MicroLoss micro = thrice.hooks(false).loss(i - i % 3, r);
    if (i % 3 > 0) micro.weight = 0;
    return micro;
  };
  once.train({.steps = 4}, h);
  thrice.train({.steps = 4, .accumulate = 3}, g);
  EXPECT_EQ(once.values(), thrice.values());
}

TEST_F(TrainerTest, ResumingAtAnyStepEndsWithTheSameBits) {
  for (const int64_t accumulate : {1, 3}) {
    TrainerOptions straight = options("straight");
    straight.accumulate = accumulate;
    straight.log_every = 5;  // windows that a resume cuts through
    fs::remove_all(folder_);
    Problem reference;
    reference.train(straight, reference.hooks());
    for (int64_t cut = 1; cut < straight.steps; ++cut) {
      TrainerOptions cut_short = straight;
      cut_short.folder = folder_ / "resumed";
      fs::remove_all(cut_short.folder);
      std::atomic<bool> stop = false;
      cut_short.stop = &stop;
      Problem first;
      TrainingHooks h = first.hooks();
      h.progress = [&](const Progress& p) { stop = p.step == cut; };
      const TrainingResult interrupted = first.train(cut_short, h);
      ASSERT_EQ(interrupted.status, TrainingResult::Status::interrupted);
      ASSERT_EQ(interrupted.step, cut);

      Problem second;  // starts from its own parameters, which the checkpoint
                       // replaces
      copy_into(second.parameters.at("bias").value, full({kOut}, 99));
      cut_short.stop = nullptr;
      cut_short.resume = true;
      const TrainingResult finished = second.train(cut_short, second.hooks());
      ASSERT_EQ(finished.status, TrainingResult::Status::finished);
      ASSERT_EQ(second.values(), reference.values()) << "cut at " << cut;
      ASSERT_EQ(final_bytes(cut_short.folder, 12), final_bytes(straight.folder, 12));
      ASSERT_EQ(log_without_times(cut_short.folder), log_without_times(straight.folder));
    }
  }
}

TEST_F(TrainerTest, EveryMicroBatchOfEveryStepAndSeedDrawsItsOwn) {
  std::set<uint64_t> seeds;
  for (const uint64_t seed : {1, 2}) {
    Problem problem;
    TrainingHooks h = problem.hooks();
    h.loss = [&, loss = h.loss](int64_t micro_batch, const Random& random) {
      seeds.insert(random.seed());
      return loss(micro_batch, random);
    };
    problem.train({.steps = 4, .accumulate = 3, .seed = seed}, h);
  }
  EXPECT_EQ(seeds.size(), 2u * 4 * 3);
}

TEST_F(TrainerTest, DataStateTravelsWithTheCheckpoint) {
  const auto run = [&](const TrainerOptions& o) {
    Problem problem;
    int64_t position = 0;
    TrainingHooks h = problem.hooks();
    const auto loss = h.loss;
    h.loss = [&, loss](int64_t, const Random& r) { return loss(position++, r); };
    h.data_state = [&] { return Json::make_object({{"position", position}}); };
    h.restore_data = [&](const Json& state) { position = state.integer("position"); };
    problem.train(o, h);
    return problem.values();
  };
  const auto straight = run({.steps = 8});
  TrainerOptions o = options("half");
  o.steps = 4;
  const auto half = run(o);
  o.resume = true;
  EXPECT_EQ(run(o), half);  // nothing left to do
  o.steps = 8;
  EXPECT_EQ(run(o), straight);
}

TEST_F(TrainerTest, AStopWithinAStepGoesBackToTheStepBefore) {
  std::atomic<bool> stop = false;
  int64_t stop_at = -1;
  const auto run = [&](const TrainerOptions& o, int64_t step) {
    Problem problem;
    int64_t position = 0;
    TrainingHooks h = problem.hooks();
    const auto loss = h.loss;
    h.loss = [&, loss](int64_t, const Random& r) {
      if (position == stop_at) stop = true;
      return loss(position++, r);
    };
    h.data_state = [&] { return Json::make_object({{"position", position}}); };
    h.restore_data = [&](const Json& state) { position = state.integer("position"); };
    EXPECT_EQ(problem.train(o, h).step, step);
    return problem.values();
  };
  const auto straight = run({.steps = 6, .accumulate = 3}, 6);
  TrainerOptions o = options("within");
  o.steps = 6;
  o.accumulate = 3;
  o.stop = &stop;
  stop_at = 7;  // the second micro-batch of step 3
  run(o, 2);
  stop = false;
  stop_at = -1;
  o.resume = true;
  EXPECT_EQ(run(o, 6), straight);
}

TEST_F(TrainerTest, ANonFiniteLossNamesTheStepAndLeavesTheLastCheckpoint) {
  Problem problem;
  TrainingHooks h = problem.hooks();
  const auto loss = h.loss;
  h.loss = [&](int64_t i, const Random& r) {
    MicroLoss micro = loss(i, r);
    if (i == 6) micro.loss = scale(micro.loss, std::numeric_limits<double>::quiet_NaN());
    return micro;
  };
  const std::string message = message_of([&] { problem.train(options("nan"), h); });
  EXPECT_NE(message.find("loss of step 7 is"), std::string::npos) << message;
  const auto before = problem.values();
  Problem again;
  TrainerOptions rest = options("nan");
  rest.resume = true;
  rest.steps = 6;
  again.train(rest, again.hooks());
  EXPECT_EQ(again.values(), before);
}

TEST_F(TrainerTest, ANonFiniteGradientNamesTheParameter) {
  Problem problem;
  TrainingHooks h;
  h.loss = [&](int64_t,
               const Random&) -> MicroLoss {  // √0 has a slope without end
    const Tensor& bias = problem.parameters.at("bias").value;
    return {.loss = sum(sqrt(subtract(bias, clone(bias))))};
  };
  const std::string message = message_of([&] { problem.train({.steps = 1}, h); });
  EXPECT_NE(message.find("step 1: the gradient of 'bias'"), std::string::npos) << message;
}

TEST_F(TrainerTest, AStepInWhichNothingCountsIsAnError) {
  Problem problem;
  TrainingHooks h = problem.hooks();
  const auto loss = h.loss;
  h.loss = [&](int64_t i, const Random& r) {
    MicroLoss micro = loss(i, r);
    micro.weight = 0;
    return micro;
  };
  EXPECT_NE(message_of([&] { problem.train({.steps = 1}, h); }).find("nothing in step 1 counts"),
            std::string::npos);
}

TEST_F(TrainerTest, AnEarlierRunIsNeitherOverwrittenNorMixedWithAnother) {
  Problem problem;
  problem.train(options("run"), problem.hooks());
  EXPECT_NE(
      message_of([&] { problem.train(options("run"), problem.hooks()); }).find("holds checkpoints"),
      std::string::npos);
  TrainerOptions other = options("run");
  other.resume = true;
  other.seed = 77;
  EXPECT_NE(message_of([&] { problem.train(other, problem.hooks()); }).find("has seed"),
            std::string::npos);
  other = options("run");
  other.resume = true;
  other.accumulate = 2;
  EXPECT_NE(
      message_of([&] { problem.train(other, problem.hooks()); }).find("has accumulate 1, got 2"),
      std::string::npos);
  Problem larger;
  larger.parameters.add("extra", zeros({2}));
  other = options("run");
  other.resume = true;
  EXPECT_NE(message_of([&] { larger.train(other, problem.hooks()); }).find("another model"),
            std::string::npos);
}

// Each of these changes the bits that follow, so a resume says which of them differs.
TEST_F(TrainerTest, OtherSettingsAreNotResumedSilently) {
  Problem problem;
  problem.train(options("run"), problem.hooks());
  const auto before = problem.values();
  TrainerOptions rest = options("run");
  rest.resume = true;
  rest.steps = 20;
  const auto resume = [&](const OptimizerOptions& how, const Schedule& schedule,
                          const TrainerOptions& o) {
    Optimizer optimizer(problem.parameters, how);
    return message_of(
        [&] { ink::train(problem.parameters, optimizer, schedule, o, problem.hooks()); });
  };
  const auto expect_refused = [&](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(problem.values(), before) << part;
  };
  const Schedule schedule = Problem::schedule();
  expect_refused(resume({.kind = OptimizerKind::lamb}, schedule, rest),
                 "has optimizer \"adamw\", got \"lamb\"; resume with the same settings");
  expect_refused(resume({.weight_decay = 0.5}, schedule, rest), "weight_decay 0.01, got 0.5");
  expect_refused(resume({.bias_correction = false}, schedule, rest), "bias_correction true, got f");
  Parameter& first = *problem.parameters.begin();
  first.rate = 0.5;
  expect_refused(resume({}, schedule, rest), "does not state its own_rates");
  first.rate = 1;
  Schedule other = schedule;
  other.peak = 0.5;
  expect_refused(resume({}, other, rest), "has learning_rate 0.05, got 0.5");
  other = schedule;
  other.decay = Decay::cosine;
  expect_refused(resume({}, other, rest), "has decay \"linear\", got \"cosine\"");
  other = schedule;
  other.steps = 40;
  expect_refused(resume({}, other, rest),
                 "of 12 steps, got 20, with which its schedule_steps would be 40 rather than 20");
  TrainerOptions clipped = rest;
  clipped.clip_norm = 7;
  expect_refused(resume({}, schedule, clipped), "has clip_norm ");
  EXPECT_EQ(resume({}, schedule, rest), "no error");
}

// A checkpoint of another model is found out before anything is overwritten.
TEST_F(TrainerTest, ARefusedCheckpointChangesNoParameter) {
  Problem problem;
  problem.train(options("run"), problem.hooks());
  Problem larger;
  larger.parameters.add("extra", zeros({2}));
  const auto before = larger.values();
  TrainerOptions rest = options("run");
  rest.resume = true;
  EXPECT_NE(message_of([&] { larger.train(rest, larger.hooks()); }).find("another model"),
            std::string::npos);
  EXPECT_EQ(larger.values(), before);
}

TEST_F(TrainerTest, TheLogHoldsMeansOfItsSteps) {
  Problem problem;
  std::vector<double> losses;
  TrainingHooks h = problem.hooks();
  h.progress = [&](const Progress& p) {
    losses.push_back(p.loss);
    EXPECT_EQ(p.step, static_cast<int64_t>(losses.size()));
    EXPECT_EQ(p.steps, 10);
    EXPECT_GT(p.gradient_norm, 0);
  };
  TrainerOptions o = options("log");
  o.steps = 10;
  o.log_every = 4;
  problem.train(o, h);
  ASSERT_EQ(losses.size(), 10u);
  const auto lines = read_training_log(o.folder / "log.jsonl");
  ASSERT_EQ(lines.size(), 3u);  // after 4, 8 and 10 steps
  EXPECT_EQ(lines[1].integer("step"), 8);
  EXPECT_DOUBLE_EQ(lines[1].real("loss"), (losses[4] + losses[5] + losses[6] + losses[7]) / 4);
  EXPECT_DOUBLE_EQ(lines[2].real("loss"), (losses[8] + losses[9]) / 2);
  EXPECT_DOUBLE_EQ(lines[2].real("rows"), (4 + 2) / 2.0);
  EXPECT_EQ(lines[2].integer("tokens"), 2 + 3 + 4 + 2 + 3 + 4 + 2 + 3 + 4 + 2);
}

TEST_F(TrainerTest, TheBestEvaluationIsKeptAlsoOverAResume) {
  const std::vector<double> scores{0.1, 0.7, 0.3, 0.7, 0.5, 0.6};  // after steps 2, 4, … 12
  const auto run = [&](const TrainerOptions& o, std::vector<int64_t>& kept) {
    Problem problem;
    TrainingHooks h = problem.hooks();
    h.evaluate = [&](int64_t step) -> Evaluation {
      return {.score = scores[static_cast<size_t>(step / 2 - 1)],
              .metrics = {{"x", static_cast<double>(step)}}};
    };
    h.keep_best = [&](int64_t step, const Evaluation&) { kept.push_back(step); };
    return problem.train(o, h);
  };
  TrainerOptions o = options("best");
  o.evaluate_every = 2;
  std::vector<int64_t> kept;
  o.steps = 6;
  run(o, kept);
  EXPECT_EQ(kept, (std::vector<int64_t>{2, 4}));
  o.steps = 12;
  o.resume = true;
  kept.clear();
  const TrainingResult result = run(o, kept);
  EXPECT_TRUE(kept.empty());
  EXPECT_EQ(result.best_step, 4);
  EXPECT_EQ(result.best.score, 0.7);
  EXPECT_EQ(result.last.score, 0.6);
  EXPECT_EQ(read_training_log(o.folder / "log.jsonl").back().object("evaluation").real("x"), 12);
}

TEST_F(TrainerTest, AnEvaluationThatIsNoNumberIsBeatenByAnyThatIs) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> scores{kNan, kNan, -3, kNan, -2};
  Problem problem;
  TrainingHooks h = problem.hooks();
  h.evaluate = [&](int64_t step) -> Evaluation {
    return {.score = scores[static_cast<size_t>(step - 1)]};
  };
  std::vector<int64_t> kept;
  h.keep_best = [&](int64_t step, const Evaluation&) { kept.push_back(step); };
  const TrainingResult result = problem.train({.steps = 5, .evaluate_every = 1}, h);
  EXPECT_EQ(kept, (std::vector<int64_t>{1, 3, 5}));
  EXPECT_EQ(result.best_step, 5);
}

TEST_F(TrainerTest, FrozenParametersStayAndOthersLearn) {
  Problem problem;
  problem.parameters.at("weight").trainable = false;
  const auto weight = to_vector<float>(problem.parameters.at("weight").value);
  const auto bias = to_vector<float>(problem.parameters.at("bias").value);
  problem.train({.steps = 3}, problem.hooks());
  EXPECT_EQ(to_vector<float>(problem.parameters.at("weight").value), weight);
  EXPECT_NE(to_vector<float>(problem.parameters.at("bias").value), bias);
}

TEST_F(TrainerTest, ADamagedNewestCheckpointFallsBackToTheSameEnd) {
  Problem reference;
  reference.train(options("straight"), reference.hooks());
  TrainerOptions o = options("damaged");
  o.steps = 7;
  Problem first;
  first.train(o, first.hooks());
  fs::resize_file(o.folder / "checkpoint-00000007" / "model.safetensors", 50);
  o.steps = 12;
  o.resume = true;
  Problem second;
  TrainingHooks h = second.hooks();
  std::vector<std::string> notices;
  h.notice = [&](const std::string& s) { notices.push_back(s); };
  second.train(o, h);
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_NE(notices[0].find("checkpoint-00000007 is damaged"), std::string::npos);
  EXPECT_EQ(notices[1], "resumed at step 6");
  EXPECT_EQ(second.values(), reference.values());
}

TEST_F(TrainerTest, AFullDiskIsOneErrorAndTheRunGoesOnFromTheLastCheckpoint) {
  Problem reference;
  reference.train(options("straight"), reference.hooks());
  Problem problem;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  TrainingHooks h = problem.hooks();
  h.progress = [&](const Progress& p) {
    rlimit limit = old_limit;
    if (p.step == 8) limit.rlim_cur = 300;
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  const std::string message = message_of([&] { problem.train(options("full"), h); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(message.find("cannot write"), std::string::npos) << message;

  TrainerOptions rest = options("full");
  rest.resume = true;
  Problem second;
  second.train(rest, second.hooks());
  EXPECT_EQ(second.values(), reference.values());
}

}  // namespace
}  // namespace ink
