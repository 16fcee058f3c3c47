// The training loop on the CUDA device: the CPU's curve, 16-bit training near it, exact resume,
// errors that name the step, and no wait between lines of the log.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "autograd/trainer.h"
#include "autograd/training_log.h"
#include "tensor/file.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/cuda/training_problem.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

class TrainingOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }

  std::vector<Json> log_of(const char* name) const {
    return read_training_log(folder_ / name / "log.jsonl");
  }
  std::vector<Json> train_with_log(Where place, const char* name, TrainerOptions options) {
    SmallProblem problem(place);
    options.folder = folder_ / name;
    problem.train(options, problem.hooks());
    return log_of(name);
  }
  static std::string message_of(const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  }

  const testing::TemporaryFolder folder_{};
};

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(equal_bits(got[i], expected[i])) << i;
}

TEST_F(TrainingOnDevice, FollowsTheCurveOfTheCpu) {
  const TrainerOptions options{.steps = 40, .accumulate = 2};
  const auto cpu = train_with_log({}, "cpu", options),
             cuda = train_with_log(kCuda, "cuda", options);
  ASSERT_EQ(cpu.size(), 40u);
  ASSERT_EQ(cuda.size(), 40u);
  for (size_t i = 0; i < cpu.size(); ++i) {
    const double loss = cpu[i].real("loss");
    EXPECT_NEAR(cuda[i].real("loss"), loss, 1e-4 * loss) << "step " << i + 1;
    EXPECT_NEAR(cuda[i].real("half"), loss / 2, 1e-4 * loss);
    EXPECT_NEAR(cuda[i].real("gradient_norm"), cpu[i].real("gradient_norm"), 1e-3);
    EXPECT_EQ(cuda[i].real("rows"), cpu[i].real("rows"));
    EXPECT_EQ(cuda[i].integer("tokens"), cpu[i].integer("tokens"));
  }
  EXPECT_LT(cpu.back().real("loss"), 0.8 * cpu.front().real("loss"));
}

TEST_F(TrainingOnDevice, StaysNearItIn16Bits) {
  const TrainerOptions options{.steps = 40, .log_every = 10};
  const auto cpu = train_with_log({}, "cpu", options);
  for (const Dtype type : {Dtype::bf16, Dtype::f16}) {
    const auto log = train_with_log({Device::cuda, type}, name_of(type), options);
    ASSERT_EQ(log.size(), cpu.size());
    for (size_t i = 0; i < cpu.size(); ++i)
      EXPECT_NEAR(log[i].real("loss"), cpu[i].real("loss"), 0.03) << name_of(type) << ' ' << i;
    EXPECT_EQ(log.back().has("loss_scale"), type == Dtype::f16);
  }
}

// Whatever the host reads and when.
TEST_F(TrainingOnDevice, LogsTheSameMeansHoweverRarely) {
  const auto often = train_with_log(kCuda, "often", {.steps = 12});
  const auto rarely = train_with_log(kCuda, "rarely", {.steps = 12, .log_every = 6});
  ASSERT_EQ(rarely.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    double sum = 0;
    for (size_t k = 6 * i; k < 6 * i + 6; ++k) sum += often[k].real("loss");
    EXPECT_NEAR(rarely[i].real("loss"), sum / 6, 1e-12);
    EXPECT_EQ(rarely[i].real("gradient_norm"), often[6 * i + 5].real("gradient_norm"));
  }
}

TEST_F(TrainingOnDevice, ResumingEndsWithTheSameBits) {
  for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::f16}) {
    const Where place{Device::cuda, type};
    const std::string name = name_of(type);
    TrainerOptions options{
        .steps = 8, .accumulate = 2, .log_every = 3, .folder = folder_ / ("straight-" + name)};
    SmallProblem straight(place);
    straight.train(options, straight.hooks());

    std::atomic<bool> stop = false;
    options.folder = folder_ / ("cut-" + name);
    options.stop = &stop;
    SmallProblem first(place);
    TrainingHooks h = first.hooks();
    h.progress = [&](const Progress& p) { stop = p.step == 4; };
    EXPECT_EQ(first.train(options, h).step, 4);

    options.stop = nullptr;
    options.resume = true;
    SmallProblem second(place);
    second.train(options, second.hooks());
    expect_same_bits(second.values(), straight.values());
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      const auto bytes = [&](const std::string& run) {
        return read_file(folder_ / (run + name) / "checkpoint-00000008" / file, 1 << 20);
      };
      EXPECT_EQ(bytes("cut-"), bytes("straight-")) << file;
    }
    const auto log = log_of(("cut-" + name).c_str()), whole = log_of(("straight-" + name).c_str());
    ASSERT_EQ(log.size(), whole.size());
    for (size_t i = 0; i < log.size(); ++i) EXPECT_EQ(log[i].real("loss"), whole[i].real("loss"));
  }
}

TEST_F(TrainingOnDevice, ErrorsNameTheStepAndLeaveTheParametersBeforeIt) {
  const auto train = [](int64_t steps, int64_t log_every, const TrainingHooks& h,
                        SmallProblem& problem) {
    problem.train({.steps = steps, .accumulate = 2, .log_every = log_every}, h);
  };
  SmallProblem good(kCuda);
  train(3, 1, good.hooks(), good);

  SmallProblem bad_loss(kCuda), bad_gradient(kCuda);
  TrainingHooks h = bad_loss.hooks();
  h.loss = [&](int64_t i, const Random& random) {
    MicroLoss micro = bad_loss.loss(i, random);
    if (i == 7) micro.loss = scale(micro.loss, std::numeric_limits<double>::infinity());
    return micro;
  };
  EXPECT_EQ(message_of([&] { train(9, 9, h, bad_loss); }),
            "training: the loss of step 4 is inf (micro-batch 1); lower the learning rate or look "
            "at the data of this step");
  expect_same_bits(bad_loss.values(), good.values());

  h.loss = [&](int64_t i, const Random& random) {
    MicroLoss micro = bad_gradient.loss(i, random);
    if (i == 6) {  // a loss of 0 whose derivative is infinite
      const Tensor w = sum(slice(bad_gradient.value("out.bias"), 0, 0, 1));
      micro.loss = add(micro.loss, sqrt(scale(w, 0)));
    }
    return micro;
  };
  EXPECT_EQ(message_of([&] { train(9, 9, h, bad_gradient); }),
            "training: step 4: the gradient of 'out.bias' is not finite; lower the learning rate, "
            "or look at the inputs of this step");
  expect_same_bits(bad_gradient.values(), good.values());
}

// Gradients that overflow f16 cost a step and half of the loss scale.
TEST_F(TrainingOnDevice, SkipsStepsThatOverflowTheLossScale) {
  SmallProblem problem({Device::cuda, Dtype::f16});
  TrainingHooks h = problem.hooks();
  h.loss = [&](int64_t i, const Random& random) {
    MicroLoss micro = problem.loss(i, random);
    if (i == 2 || i == 3) micro.loss = scale(micro.loss, 1000);
    return micro;
  };
  problem.train({.steps = 8, .folder = folder_ / "f16"}, h);
  const auto log = log_of("f16");
  EXPECT_EQ(log[1].real("loss_scale"), 65536);
  EXPECT_LT(log[7].real("loss_scale"), 65536);
}

TEST_F(TrainingOnDevice, WaitsForNothingBetweenLinesOfTheLog) {
  SmallProblem problem({Device::cuda, Dtype::f16});
  TrainingHooks h = problem.hooks();
  std::vector<double> shown;
  std::vector<uint64_t> waits;
  h.progress = [&](const Progress& p) {
    shown.push_back(p.loss);
    waits.push_back(cuda::waits());
  };
  const TrainingResult result = problem.train({.steps = 6, .accumulate = 2, .log_every = 3}, h);
  EXPECT_EQ(waits[1], waits[0]);
  EXPECT_GT(waits[2], waits[1]);
  EXPECT_EQ(waits[4], waits[2]);
  EXPECT_EQ(shown[0], 0);  // not known yet
  EXPECT_EQ(shown[1], 0);
  EXPECT_GT(shown[2], 0);
  EXPECT_EQ(shown[3], shown[2]);
  EXPECT_EQ(shown[5], result.loss);
}

}  // namespace
}  // namespace ink
