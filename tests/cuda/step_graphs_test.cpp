// Training by replayed steps: the bits of steps done as usual, through checkpoints, overflows and
// errors; what cannot be replayed is done as usual, which a notice says.
#include "autograd/step_graphs.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "autograd/training_log.h"
#include "cuda/allocator.h"
#include "tensor/file.h"
#include "tests/cuda/device.h"
#include "tests/cuda/text_problem.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(equal_bits(got[i], expected[i])) << i;
}

class StepGraphsOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }

  // Lines of the log, but for times.
  std::vector<std::string> log_of(const std::string& run) const {
    std::vector<std::string> lines;
    for (Json line : read_training_log(folder_ / run / "log.jsonl")) {
      for (const char* time : {"seconds", "tokens_per_second"}) line.erase(time);
      lines.push_back(line.to_string());
    }
    return lines;
  }
  std::string file_of(const std::string& run, const char* file) const {
    return read_file(folder_ / run / "checkpoint-00000020" / file, 1 << 20);
  }
  void expect_same_files(const std::string& got, const std::string& expected) const {
    EXPECT_EQ(log_of(got), log_of(expected));
    for (const char* file : {"model.safetensors", "optimizer.safetensors"})
      EXPECT_EQ(file_of(got, file), file_of(expected, file)) << file;
  }

  const testing::TemporaryFolder folder_{};
};

// How often the loss is asked for what is recorded: twice for a shape, once to be computed.
struct Counts {
  int64_t usual = 0, recorded = 0;
};
TrainingHooks counted(TrainingHooks h, Counts& counts) {
  const auto loss = h.loss;
  const auto replayable = h.replayable.loss;
  h.loss = [loss, &counts](int64_t i, const Random& r) {
    ++counts.usual;
    return loss(i, r);
  };
  h.replayable.loss = [replayable, &counts](const MicroInputs& in, const Random& r) {
    ++counts.recorded;
    return replayable(in, r);
  };
  return h;
}

TEST_F(StepGraphsOnDevice, TrainTheSameBits) {
  struct Case {
    Dtype type;
    int64_t accumulate;
  };
  for (const auto& [type, accumulate] :
       {Case{Dtype::f32, 1}, Case{Dtype::f32, 2}, Case{Dtype::bf16, 2}, Case{Dtype::f16, 1}}) {
    SCOPED_TRACE(::testing::Message() << name_of(type) << ", accumulate " << accumulate);
    const std::string name = name_of(type) + std::to_string(accumulate);
    TrainerOptions options{.steps = 20, .accumulate = accumulate, .log_every = 3};
    options.folder = folder_ / ("usual" + name);
    TextProblem usual(type), replayed(type);
    usual.train(options, usual.hooks());
    options.folder = folder_ / ("replayed" + name);
    options.graphs = true;
    Counts counts;
    const TrainingResult result = replayed.train(options, counted(replayed.hooks(), counts));
    EXPECT_EQ(counts.usual, 2);     // each shape for the first time,
    EXPECT_EQ(counts.recorded, 4);  // and for the second
    EXPECT_EQ(result.replayed, 20 * accumulate - 4);
    expect_same_bits(replayed.values(), usual.values());
    expect_same_files("replayed" + name, "usual" + name);
  }
}

// Batches of one shape weigh differently where rows are filled up.
TEST_F(StepGraphsOnDevice, TakeWhatTheHostKnowsOfEachBatch) {
  const auto train = [&](const std::string& name, bool graphs, TextProblem& problem) {
    problem.changed = [](int64_t i, TextProblem::Batch& batch) {
      std::fill_n(batch.labels.data<int32_t>(), i % 3, kIgnore);
    };
    TrainerOptions options{.steps = 8, .accumulate = 2, .folder = folder_ / name};
    options.graphs = graphs;
    return problem.train(options, problem.hooks()).replayed;
  };
  TextProblem usual, replayed;
  train("usual", false, usual);
  EXPECT_EQ(train("replayed", true, replayed), 12);
  expect_same_bits(replayed.values(), usual.values());
  EXPECT_EQ(log_of("replayed"), log_of("usual"));
}

TEST_F(StepGraphsOnDevice, ResumeInTheMiddle) {
  for (const Dtype type : {Dtype::f32, Dtype::f16}) {
    const std::string name = name_of(type);
    TrainerOptions options{.steps = 20, .log_every = 4, .folder = folder_ / ("straight" + name)};
    TextProblem straight(type);
    straight.train(options, straight.hooks());

    std::atomic<bool> stop = false;
    options.folder = folder_ / ("cut" + name);
    options.graphs = true;
    options.stop = &stop;
    TextProblem first(type), second(type);
    TrainingHooks h = first.hooks();
    h.progress = [&](const Progress& p) { stop = p.step == 9; };
    EXPECT_EQ(first.train(options, h).step, 9);
    options.stop = nullptr;
    options.resume = true;
    second.train(options, second.hooks());
    expect_same_bits(second.values(), straight.values());
    expect_same_files("cut" + name, "straight" + name);
  }
}

TEST_F(StepGraphsOnDevice, SkipStepsThatOverflowTheLossScale) {
  const auto train = [&](const std::string& name, bool graphs, TextProblem& problem) {
    problem.changed = [](int64_t i, TextProblem::Batch& batch) {
      if (i == 7 || i == 12) batch.factor = full({1}, 1e5);
    };
    problem.train({.steps = 20, .folder = folder_ / name, .graphs = graphs}, problem.hooks());
  };
  TextProblem usual(Dtype::f16), replayed(Dtype::f16);
  train("usual", false, usual);
  train("replayed", true, replayed);
  expect_same_bits(replayed.values(), usual.values());
  expect_same_files("replayed", "usual");
  const auto log = read_training_log(folder_ / "replayed" / "log.jsonl");
  EXPECT_LT(log[7].real("loss_scale"), log[6].real("loss_scale"));
  EXPECT_LT(log[12].real("loss_scale"), log[11].real("loss_scale"));
}

// The same message, and the parameters from before the step.
TEST_F(StepGraphsOnDevice, FailAsStepsDoneAsUsual) {
  const auto message = [&](TextProblem& problem, bool graphs, const auto& change) {
    problem.changed = change;
    try {
      problem.train({.steps = 20, .log_every = 5, .graphs = graphs}, problem.hooks());
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("no error");
  };
  const auto expect = [&](const char* text, const auto& change) {
    TextProblem usual, replayed;
    EXPECT_EQ(message(usual, false, change), text);
    EXPECT_EQ(message(replayed, true, change), text);
    expect_same_bits(replayed.values(), usual.values());
  };
  expect(
      "training: the loss of step 14 is inf (micro-batch 0); lower the learning rate or look at "
      "the data of this step",
      [](int64_t i, TextProblem::Batch& batch) {
        if (i == 13) batch.factor = full({1}, std::numeric_limits<double>::infinity());
      });
  expect("embedding: id 40 at position (3) is outside [0, 40)",
         [](int64_t i, TextProblem::Batch& batch) {
           if (i == 13) batch.inputs.ids.data<int32_t>()[3] = 40;
         });
  expect(
      "linear_cross_entropy: label 41 in row 2 should lie in [0, 40), or be -100 for a row that "
      "does not count",
      [](int64_t i, TextProblem::Batch& batch) {
        if (i == 13) batch.labels.data<int32_t>()[2] = 41;
      });
}

// What cannot be recorded is done as usual, and a notice says so once.
TEST_F(StepGraphsOnDevice, SayWhyStepsAreNotRecorded) {
  TextProblem usual;
  usual.train({.steps = 6}, usual.hooks());
  const auto expect_notice = [&](const std::string& text, const auto& change) {
    TextProblem problem;
    TrainingHooks h = problem.hooks();
    std::vector<std::string> notices;
    h.notice = [&](const std::string& sentence) { notices.push_back(sentence); };
    change(h);
    problem.train({.steps = 6, .graphs = true}, h);
    expect_same_bits(problem.values(), usual.values());
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_EQ(notices[0], "steps are not replayed as CUDA graphs" + text);
  };
  const auto with_loss = [](const auto& before) {
    return [before](TrainingHooks& h) {
      h.replayable.loss = [before, loss = h.replayable.loss](const MicroInputs& in,
                                                             const Random& random) {
        MicroLoss micro = loss(in, random);
        before(micro, random);
        return micro;
      };
    };
  };
  expect_notice(
      ": cuda: work that is recorded as a graph cannot wait for the device; read results after the "
      "replay, and keep index tensors on the host",
      with_loss([](const MicroLoss& micro, const Random&) { micro.loss.item(); }));
  expect_notice(
      ": random: work that is recorded cannot draw on the host, as no replay would draw "
      "again",
      with_loss([](const MicroLoss&, const Random& r) { r.split("host").bits(0); }));
  expect_notice(": this training knows no loss that can be replayed",
                [](TrainingHooks& h) { h.replayable = {}; });
  expect_notice(" where every text is read backwards", [](TrainingHooks& h) {
    h.replayable.inputs = [inputs = h.replayable.inputs](int64_t i) {
      MicroInputs in = inputs(i);
      in.obstacle = "every text is read backwards";
      return in;
    };
  });
}

TEST_F(StepGraphsOnDevice, GoOnWithoutMemoryToRecord) {
  TextProblem usual, problem;
  usual.train({.steps = 8}, usual.hooks());
  TrainingHooks h = problem.hooks();
  std::vector<std::string> notices;
  h.notice = [&](const std::string& sentence) {
    cuda::limit_device_memory(0);
    notices.push_back(sentence);
  };
  h.replayable.loss = [loss = h.replayable.loss](const MicroInputs& in, const Random& random) {
    if (cuda_backend().recording()) {
      cuda::limit_device_memory(1);
      const Tensor more({1 << 24}, Dtype::f32, Device::cuda);  // than was ever released
    }
    return loss(in, random);
  };
  problem.train({.steps = 8, .graphs = true}, h);
  expect_same_bits(problem.values(), usual.values());
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("out of memory"), std::string::npos);
}

TEST_F(StepGraphsOnDevice, KeepAFewShapes) {
  std::vector<std::vector<int64_t>> eighteen;
  for (int64_t n = 3; n < 21; ++n) eighteen.push_back({n});
  TextProblem usual, replayed;
  usual.lengths = replayed.lengths = eighteen;
  usual.train({.steps = 40}, usual.hooks());
  Counts counts;
  replayed.train({.steps = 40, .graphs = true}, counted(replayed.hooks(), counts));
  EXPECT_EQ(counts.recorded, 2 * 16);  // sixteen shapes, in the second round,
  EXPECT_EQ(counts.usual, 18 + 2);     // where two found no room
  expect_same_bits(replayed.values(), usual.values());
}

TEST_F(StepGraphsOnDevice, LayersAreComputedAgain) {
  TextProblem usual, replayed;
  usual.recomputes = replayed.recomputes = true;
  usual.train({.steps = 10}, usual.hooks());
  replayed.train({.steps = 10, .graphs = true}, replayed.hooks());
  expect_same_bits(replayed.values(), usual.values());
}

// A parameter that is given another tensor is found there.
TEST_F(StepGraphsOnDevice, FindParametersThatHaveMoved) {
  TextProblem usual, replayed;
  usual.train({.steps = 12}, usual.hooks());
  Counts counts;
  TrainingHooks h = counted(replayed.hooks(), counts);
  h.progress = [&](const Progress& p) {
    Tensor& bias = replayed.model.parameters.begin()->value;
    if (p.step == 6) bias = clone(bias);
  };
  replayed.train({.steps = 12, .graphs = true}, h);
  EXPECT_EQ(counts.recorded, 8);
  expect_same_bits(replayed.values(), usual.values());
}

TEST_F(StepGraphsOnDevice, WaitForNothingBetweenLinesOfTheLog) {
  TextProblem problem(Dtype::f16);
  TrainingHooks h = problem.hooks();
  std::vector<uint64_t> waits;
  h.progress = [&](const Progress&) { waits.push_back(cuda::waits()); };
  problem.train({.steps = 12, .accumulate = 2, .log_every = 6, .graphs = true}, h);
  EXPECT_EQ(waits[4], waits[0]);
  EXPECT_EQ(waits[10], waits[5]);
}

}  // namespace
}  // namespace ink
