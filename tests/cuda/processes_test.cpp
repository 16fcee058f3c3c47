// Processes with a GPU each: sums in order of rank, training equal to that of one process, and what
// becomes of the others when one fails.
#include "tests/cuda/processes.h"

#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <thread>

#include "autograd/training_log.h"
#include "tests/cuda/text_problem.h"
#include "tests/cuda/training_problem.h"
#include "tests/mpirun.h"

namespace ink {
namespace {

// ── what a process of a test does ───────────────────────────────────────────────────────────────

std::unique_ptr<Communicator> met() {
  if (std::getenv("INK_TEST_MPI")) return join_processes();
  const std::optional<Launch> launch = launched_by_mpi();
  return std::make_unique<InFolder>(share_folder(), launch->rank, launch->size);
}

std::unique_ptr<Communicator> joined() {
  take_own_device();
  return join_devices(met());
}

void say(const std::string& name, const Communicator& processes, const std::string& text) {
  write_file(share_folder() / (name + "-" + std::to_string(processes.rank())), text);
}

// The message of the Error that the work ends with, for the test to read.
void say_error(const std::function<void()>& work) {
  std::string message = "no error";
  try {
    work();
  } catch (const Error& error) {
    message = error.message();
  }
  write_file(share_folder() / ("error-" + std::to_string(launched_by_mpi()->rank)), message);
}

// Numbers of every size, whose sum depends on the order.
float value_of(int rank, int64_t i) {
  const auto word = static_cast<uint32_t>(i * 2654435761u + static_cast<uint32_t>(rank) * 40503u);
  return std::ldexp(static_cast<float>(static_cast<int32_t>(word)), static_cast<int>(word % 40));
}

void sums() {
  const auto processes = joined();
  const int W = processes->size();
  ASSERT_TRUE(processes->joins_devices());
  std::vector<int64_t> sizes = {4 * W, 12 * W, 40000 * W, 0};
  if (W == 2) sizes.push_back((int64_t{1} << 24) + 16);  // several blocks
  for (const int64_t n : sizes) {
    std::vector<float> mine;
    for (int64_t i = 0; i < n; ++i) mine.push_back(value_of(processes->rank(), i));
    Tensor values = to(from(mine), Device::cuda);
    processes->sum(values);
    const std::vector<float> got = to_vector<float>(values);
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; ++i) {
      float sum = value_of(0, i);
      for (int r = 1; r < W; ++r) sum += value_of(r, i);
      wrong += got[static_cast<size_t>(i)] != sum ? 1 : 0;
    }
    EXPECT_EQ(wrong, 0) << "of " << n;
  }
}

// Each on its own device, in every thread.
void devices() {
  const auto processes = joined();
  const int rank = processes->rank();
  EXPECT_EQ(cuda::properties().number, rank);
  std::thread([&] {
    full({3}, 1, Dtype::f32);
    cuda::stream();
    int device = -1;
    EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
    EXPECT_EQ(device, rank);
  }).join();
  cuda::choose_device(rank);
  EXPECT_THROW(cuda::choose_device(rank + 1), Error) << "it is too late";
}

TrainerOptions options_of(Communicator* processes) {
  return {.steps = 15,
          .accumulate = 4,
          .log_every = 5,
          .folder = share_folder() / "run",
          .checkpoint_every = 4,
          .processes = processes};
}

Where place() { return {Device::cuda, dtype_from(std::getenv("INK_TEST_TYPE"))}; }

void say_values(const SmallProblem& problem, const Communicator& processes) {
  std::string all;
  for (const Tensor& value : problem.values())
    all.append(static_cast<const char*>(value.storage()->data()), value.bytes());
  say("values", processes, all);
}

void train(const std::function<void(int64_t, MicroLoss&)>& change, bool resumes = false) {
  const auto processes = joined();
  SmallProblem problem(place());
  TrainingHooks h = problem.hooks();
  h.loss = [&](int64_t i, const Random& random) {
    MicroLoss micro = problem.loss(i, random);
    change(i, micro);
    return micro;
  };
  std::vector<uint64_t> waits;
  std::vector<uint64_t>* const seen = processes->is_first() ? &waits : nullptr;
  h.progress = [&](const Progress&) {
    if (seen) seen->push_back(cuda::waits());
  };
  TrainerOptions options = options_of(processes.get());
  options.resume = resumes;
  try {
    problem.train(options, h);
  } catch (const Error&) {
    say_values(problem, *processes);
    throw;
  }
  say_values(problem, *processes);
  if (!seen || resumes) return;
  EXPECT_EQ(waits[2], waits[0]) << "between lines of the log";
  EXPECT_GT(waits[4], waits[2]);
}

void trains() {
  train([](int64_t, MicroLoss&) {});
}
void resumes() {
  train([](int64_t, MicroLoss&) {}, true);
}
// Micro-batches 9 and 25 are computed by rank 1.
void overflows() {
  train([](int64_t i, MicroLoss& micro) {
    if (i == 9 || i == 25) micro.loss = scale(micro.loss, 1000);
  });
}
void loses() {
  say_error([] {
    train([](int64_t i, MicroLoss& micro) {
      if (i == 13) micro.loss = scale(micro.loss, std::numeric_limits<double>::infinity());
    });
  });
}

// Ends its process when the others count on it: they have what it said, and wait for its gradients.
struct Mortal final : Communicator {
  std::unique_ptr<Communicator> all = joined();
  int sums = 0;
  int rank() const override { return all->rank(); }
  int size() const override { return all->size(); }
  bool joins_devices() const override { return true; }
  std::vector<std::string> gather(const std::string& mine) override { return all->gather(mine); }
  void sum(Tensor& values) override {
    if (++sums == 7 && rank() == 1) std::raise(SIGKILL);
    all->sum(values);
  }
};

void dies() {
  say_error([] {
    Mortal processes;
    SmallProblem problem(place());
    TrainerOptions options = options_of(&processes);
    options.log_every = 1;
    problem.train(options, problem.hooks());
  });
}

// Of recorded steps, whose graphs end while the Error is on its way.
void dies_replaying() {
  say_error([] {
    Mortal processes;
    TextProblem problem;
    TrainingHooks h = problem.hooks();
    h.notice = [](const std::string& sentence) { ADD_FAILURE() << sentence; };
    TrainerOptions options = options_of(&processes);
    options.graphs = true;
    problem.train(options, h);
  });
}

void share_a_device() {
  say_error([] { joined(); });
}

// Nobody compares lengths here, as GradientSum does.
void counts_differ() {
  say_error([] {
    const auto processes = joined();
    Tensor values = zeros({processes->is_first() ? 16 : 24}, Dtype::f32, Device::cuda);
    processes->sum(values);
    to_vector<float>(values);
  });
}

const std::map<std::string, void (*)()> kShares = {{"sums", sums},
                                                   {"devices", devices},
                                                   {"trains", trains},
                                                   {"resumes", resumes},
                                                   {"overflows", overflows},
                                                   {"loses", loses},
                                                   {"dies", dies},
                                                   {"dies_replaying", dies_replaying},
                                                   {"share_a_device", share_a_device},
                                                   {"counts_differ", counts_differ}};

// Does nothing but in the processes that the tests below start.
TEST(Share, IsDone) {
  if (!share().empty()) kShares.at(share())();
}

// ── the tests ───────────────────────────────────────────────────────────────────────────────────

#define SKIP_WITHOUT_DEVICES(count) \
  SKIP_WITHOUT_DEVICE();            \
  if (!has_devices(count)) GTEST_SKIP() << "no usable CUDA device for each of " << (count)

TEST_F(Processes, AddInOrderOfRank) {
  SKIP_WITHOUT_DEVICES(4);
  for (const int W : {2, 3, 4}) expect_done(run(W, "sums"));
}

TEST_F(Processes, HaveADeviceEach) {
  SKIP_WITHOUT_DEVICES(3);
  expect_done(run(3, "devices"));
}

class TrainingByProcesses : public Processes {
 protected:
  struct Run {
    std::string values;  // bits of the parameters
    std::vector<Json> log;
  };
  // What every process ends with; they must agree.
  Run train(int processes, const std::string& what, const std::string& type) {
    fs::remove_all(folder_ / "run");
    expect_done(run(processes, what, "INK_TEST_TYPE=" + type));
    for (int r = 1; r < processes; ++r)
      EXPECT_EQ(found("values-" + std::to_string(r)), found("values-0")) << "rank " << r;
    return {found("values-0"), read_training_log(folder_ / "run" / "log.jsonl")};
  }
  std::string error(int rank) const { return found("error-" + std::to_string(rank)); }
  // Rank 1 was killed, and the others say so.
  void expect_gone(const std::vector<Ended>& all) const {
    EXPECT_NE(all[1].status, 0);
    for (size_t r = 0; r < all.size(); ++r) {
      if (r == 1) continue;
      EXPECT_EQ(all[r].status, 0) << all[r].output;
      const std::string said = error(static_cast<int>(r));
      for (const char* part : {"processes: exchanging gradients: NCCL says remote process exited",
                               "rank 1 has ended its process", "resume from the last checkpoint"})
        EXPECT_NE(said.find(part), std::string::npos) << said;
    }
  }
};

void expect_near(const std::vector<Json>& got, const std::vector<Json>& expected, double by) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    for (const char* name : {"loss", "half", "rows", "gradient_norm"})
      EXPECT_NEAR(got[i].real(name), expected[i].real(name), by) << name << ' ' << i;
    EXPECT_EQ(got[i].integer("tokens"), expected[i].integer("tokens"));
    EXPECT_EQ(got[i].real("loss_scale", 1), expected[i].real("loss_scale", 1));
  }
}

TEST_F(TrainingByProcesses, EqualsThatOfOne) {
  SKIP_WITHOUT_DEVICES(4);
  for (const std::string type : {"f32", "bf16", "f16"}) {
    const Run one = train(1, "trains", type);
    ASSERT_EQ(one.log.size(), 3u);
    EXPECT_LT(one.log.back().real("loss"), 0.95 * one.log.front().real("loss"));
    const bool wide = type == "f32";
    for (const int W : wide ? std::vector{2, 3} : std::vector{4}) {
      SCOPED_TRACE(type + " by " + std::to_string(W));
      const Run several = train(W, "trains", type);
      expect_near(several.log, one.log, wide ? 1e-5 : 1e-2);
      if (W == 4) {
        EXPECT_EQ(several.values, one.values) << "a micro-batch each: the same order";
      }
    }
  }
}

// Gradients of one rank overflow f16: all skip the step, and halve the scale.
TEST_F(TrainingByProcesses, SkipTheSameSteps) {
  SKIP_WITHOUT_DEVICES(4);
  const Run one = train(1, "overflows", "f16");
  EXPECT_LT(one.log.back().real("loss_scale"), 65536);
  EXPECT_EQ(train(4, "overflows", "f16").values, one.values);
}

TEST_F(TrainingByProcesses, EndAtTheSameStepWhenALossIsNotFinite) {
  SKIP_WITHOUT_DEVICES(2);
  const Run got = train(2, "loses", "f32");
  for (const int rank : {0, 1}) {
    EXPECT_EQ(error(rank),
              "training: the loss of step 4 is inf (micro-batch 1); lower the learning rate or "
              "look at the data of this step");
  }
  EXPECT_FALSE(got.values.empty());
}

TEST_F(Processes, DoNotShareADevice) {
  SKIP_WITHOUT_DEVICES(1);
  expect_done(run(2, "share_a_device", "INK_EMULATED_DEVICES=1 CUDA_VISIBLE_DEVICES=0"));
  for (const char* name : {"error-0", "error-1"})
    EXPECT_TRUE(found(name).starts_with("processes: 0 and 1 have the same GPU (0000:")) << name;
}

#ifdef INK_TEST_NO_MPIRUN

TEST_F(Processes, StartedByMpirunAreLeftOut) {
  GTEST_SKIP() << "no training in several processes: " INK_TEST_NO_MPIRUN;
}

#else

// Those of mpirun, the id of NCCL through MPI.
class TrainingByMpirun : public TrainingByProcesses {
 protected:
  void SetUp() override {
    Processes::SetUp();
    testing::prepare_mpirun();
    ::setenv("INK_TEST_MPI", "1", 1);
    ::setenv("INK_TEST_TYPE", "f32", 1);
    ::setenv("INK_TEST_FOLDER", folder_.c_str(), 1);
  }
  void TearDown() override {
    for (const char* name : {"INK_TEST_MPI", "INK_TEST_TYPE", "INK_TEST_FOLDER"}) ::unsetenv(name);
    Processes::TearDown();
  }
  Ended mpirun(int processes, const std::string& what) const {
    const std::string out = (folder_ / "output").string();
    const int status = std::system(("INK_TEST_SHARE=" + what + " timeout 150 " INK_MPIRUN " -n " +
                                    std::to_string(processes) + " " + program() + " >'" + out +
                                    "' 2>&1 </dev/null")
                                       .c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out, 1 << 20)};
  }
  std::vector<Json> log() const { return read_training_log(folder_ / "run" / "log.jsonl"); }
};

TEST_F(TrainingByMpirun, EqualsThatOfOne) {
  SKIP_WITHOUT_DEVICES(4);
  ::unsetenv("INK_TEST_MPI");
  const Run one = train(1, "trains", "f32");
  ::setenv("INK_TEST_MPI", "1", 1);
  for (const int W : {2, 4}) {
    fs::remove_all(folder_ / "run");
    const Ended ended = mpirun(W, "trains");
    ASSERT_EQ(ended.status, 0) << ended.output;
    expect_near(log(), one.log, 1e-5);
    for (int r = 1; r < W; ++r)
      EXPECT_EQ(found("values-" + std::to_string(r)), found("values-0")) << "rank " << r;
  }
  EXPECT_EQ(found("values-0"), one.values);
}

TEST_F(TrainingByMpirun, OneThatIsKilledEndsAllAndNothingIsLost) {
  SKIP_WITHOUT_DEVICES(2);
  ASSERT_EQ(mpirun(2, "trains").status, 0);
  const std::string straight = found("values-0");
  fs::remove_all(folder_ / "run");
  const Ended killed = mpirun(2, "dies");
  EXPECT_NE(killed.status, 0);
  EXPECT_NE(killed.status, 124) << "it hung";
  EXPECT_TRUE(fs::exists(folder_ / "run" / "checkpoint-00000004"));
  const Ended rest = mpirun(2, "resumes");
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_EQ(found("values-0"), straight);
}
#endif

#if INK_EMULATED
// NCCL itself may hang then, or leave it to others to notice.

TEST_F(TrainingByProcesses, OneThatIsGoneEndsTheOthersAndNothingIsLost) {
  const Run straight = train(2, "trains", "f32");
  for (const int W : {4, 2}) {
    fs::remove_all(folder_ / "run");
    const auto all = run(W, "dies", "INK_TEST_TYPE=f32");
    expect_gone(all);
    EXPECT_TRUE(fs::exists(folder_ / "run" / "checkpoint-00000004"));
  }
  expect_done(run(2, "resumes", "INK_TEST_TYPE=f32"));
  EXPECT_EQ(found("values-0"), straight.values);
}

TEST_F(TrainingByProcesses, OneThatIsGoneEndsTheOthersThatReplay) {
  expect_gone(run(2, "dies_replaying"));
  EXPECT_TRUE(fs::exists(folder_ / "run" / "checkpoint-00000004"));
}

TEST_F(Processes, OfDifferentLengthsFail) {
  expect_done(run(2, "counts_differ"));
  EXPECT_NE(found("error-0").find("rank 1 sends 48 bytes, rank 0 expects 32 bytes"),
            std::string::npos)
      << found("error-0");
  EXPECT_NE(found("error-1").find("NCCL says"), std::string::npos) << found("error-1");
}
#endif

}  // namespace
}  // namespace ink
