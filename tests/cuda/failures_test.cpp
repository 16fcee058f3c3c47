// Training when the device fails: what a run has done until then is not lost, and it can go on.
#include <functional>
#include <string>
#include <vector>

#include "cuda/allocator.h"
#include "tests/cuda/device.h"
#include "tests/cuda/text_problem.h"
#include "tests/cuda/training_problem.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#if INK_EMULATED
#include "cuda/emulated/control.h"
#endif

namespace ink {
namespace {

class FailuresOfTheDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }

  // A checkpoint behind every third step.
  TrainerOptions options(const char* run) const {
    return {.steps = 8, .log_every = 8, .folder = folder_ / run, .checkpoint_every = 3};
  }
  std::vector<Tensor> values_of_straight_run() const {
    SmallProblem problem(kCuda);
    problem.train(options("straight"), problem.hooks());
    return problem.values();
  }

  const testing::TemporaryFolder folder_{};
};

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(equal_bits(got[i], expected[i])) << i;
}

// No other allocation than those of tensors may go beyond it.
struct MemoryLimit {
  explicit MemoryLimit(size_t spare) {
    cuda::release_device_cache();
    cuda::limit_device_memory(cuda::device_statistics().in_use + spare);
  }
  ~MemoryLimit() { cuda::limit_device_memory(0); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
};

TEST_F(FailuresOfTheDevice, GoesOnWithSmallerBatchesAfterOneThatHadNoRoom) {
  const std::vector<Tensor> expected = values_of_straight_run();
  SmallProblem problem(kCuda);
  TrainingHooks h = problem.hooks();
  h.loss = [&](int64_t i, const Random& random) {
    problem.rows = i == 4 ? 1 << 15 : 16;
    return problem.loss(i, random);
  };
  const MemoryLimit limit(size_t{3} << 20);  // the step's first two tensors have 1.5 and 2 MiB
  TrainerOptions o = options("cut");
  EXPECT_ERROR(problem.train(o, h), "cuda: out of memory: 2");
  const size_t in_use = cuda::device_statistics().in_use;

  problem.rows = 16;
  o.resume = true;
  problem.train(o, problem.hooks());
  expect_same_bits(problem.values(), expected);
  EXPECT_LE(cuda::device_statistics().in_use, in_use) << "something was left behind";
}

#if INK_EMULATED

TEST_F(FailuresOfTheDevice, ALostDeviceLeavesTheLastCheckpoint) {
  const std::vector<Tensor> expected = values_of_straight_run();
  TrainerOptions o = options("cut");
  {
    SmallProblem problem(kCuda);
    TrainingHooks h = problem.hooks();
    h.loss = [&](int64_t i, const Random& random) {
      MicroLoss micro = problem.loss(i, random);
      if (i == 4) cuda::emulated::fail_device(cudaErrorIllegalAddress);
      return micro;
    };
    EXPECT_ERROR(problem.train(o, h), "an illegal memory access was encountered");
  }
  cuda::emulated::fail_device(cudaSuccess);  // as in a new process
  o.resume = true;
  SmallProblem rest(kCuda);
  TrainingHooks h = rest.hooks();
  std::vector<std::string> notices;
  h.notice = [&](const std::string& sentence) { notices.push_back(sentence); };
  rest.train(o, h);
  EXPECT_EQ(notices, std::vector<std::string>{"resumed at step 3"});
  expect_same_bits(rest.values(), expected);
}

// Recorded steps go while every call of the runtime fails.
TEST_F(FailuresOfTheDevice, ALostDeviceEndsRecordedStepsWithAnError) {
  TextProblem problem;
  problem.changed = [](int64_t i, TextProblem::Batch&) {
    if (i == 6) cuda::emulated::fail_device(cudaErrorLaunchFailure);
  };
  TrainerOptions o = options("cut");
  o.graphs = true;
  EXPECT_ERROR(problem.train(o, problem.hooks()), "unspecified launch failure");
  cuda::emulated::fail_device(cudaSuccess);
  problem.changed = [](int64_t, TextProblem::Batch&) {};
  o.resume = true;
  EXPECT_EQ(problem.train(o, problem.hooks()).step, 8);
}

#endif

}  // namespace
}  // namespace ink
