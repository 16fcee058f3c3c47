// Pre-training in several processes by mpirun: equal to one process, stopped, killed and resumed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "autograd/training_log.h"
#include "tests/cli/program.h"
#include "tests/mpirun.h"

namespace ink {
namespace {

class Mpi : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    testing::prepare_mpirun();
  }
#ifndef INK_TEST_NO_MPIRUN
  // A pre-training by so many processes; 0 = without mpirun.
  Finished train(int processes, const std::string& out, const std::string& more = "") const {
    return shell(command(processes, "$INK", out, more));
  }
  static std::string command(int processes, const std::string& program, const std::string& out,
                             const std::string& more) {
    const std::string launch =
        processes ? "timeout 200 " INK_MPIRUN " -n " + std::to_string(processes) + " " : "";
    return launch + program +
           " pretrain --objective mlm --architecture small.json --vocab vocab.txt --text long.txt "
           "--accumulate 4 --batch-tokens 32 --max-length 32 --held-out 0.3 --threads 1 "
           "--learning-rate 3e-3 --log-every 1 --out " +
           out + " " + more + " </dev/null\n";
  }
  std::vector<double> losses(const std::string& out) const {
    std::vector<double> all;
    for (const Json& line : read_training_log(folder_ / out / "training" / "log.jsonl"))
      if (line.has("loss")) all.push_back(line.real("loss"));
    return all;
  }
  std::string model(const std::string& out) const {
    return read_file(folder_ / out / "model.safetensors", 1 << 24);
  }
  void expect_same_losses(const std::string& out, const std::string& expected) const {
    const std::vector<double> a = losses(out), b = losses(expected);
    ASSERT_EQ(a.size(), b.size());
    for (size_t step = 0; step < a.size(); ++step) ASSERT_NEAR(a[step], b[step], 1e-5) << step;
  }
#endif
};

#ifdef INK_TEST_NO_MPIRUN

TEST_F(Mpi, IsLeftOut) { GTEST_SKIP() << "no training in several processes: " INK_TEST_NO_MPIRUN; }

#ifndef INK_MPIRUN
TEST_F(Mpi, ABuildWithoutItDoesNotTrainTwice) {
  ::setenv("OMPI_COMM_WORLD_RANK", "0", 1);
  ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  const Finished f = pretrain();
  ::unsetenv("OMPI_COMM_WORLD_RANK");
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
  EXPECT_EQ(f.status, 1);
  EXPECT_NE(f.error.find("mpirun has started 2, but inkstone was built without MPI"),
            std::string::npos)
      << f.error;
  EXPECT_FALSE(fs::exists(folder_ / "base"));
}
#endif

#else

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_F(Mpi, TwoAndFourProcessesEqualOne) {
  const std::string options = "--steps 100 --evaluate-every 25 --save-at 50";
  ASSERT_EQ(train(0, "one", options).status, 0);
  const std::vector<double> one = losses("one");
  ASSERT_EQ(one.size(), 100u);
  EXPECT_LT(one.back(), one.front() - 0.3) << "nothing was learned";
  for (const int processes : {2, 3, 4}) {
    const std::string out = "by" + std::to_string(processes);
    const Finished f = train(processes, out, options + " --json");
    ASSERT_EQ(f.status, 0) << f.error;
    expect_same_losses(out, "one");
    EXPECT_EQ(count(f.out, "step 100"), 1u) << "the first process alone prints\n" << f.out;
    EXPECT_EQ(count(f.out, "\"status\""), 1u) << f.out;
    EXPECT_EQ(count(f.error, "processes, 1 thread each"), 1u) << f.error;
    EXPECT_EQ(read_training_log(folder_ / out / "training" / "log.jsonl").size(),
              read_training_log(folder_ / "one" / "training" / "log.jsonl").size());
    EXPECT_TRUE(fs::exists(folder_ / out / "step-50" / "model.safetensors"));
  }
  EXPECT_EQ(model("by4"), model("one")) << "a micro-batch each: the same order of sums";
}

// One process is killed; mpirun ends the other, says so, and no step is lost or done twice.
TEST_F(Mpi, AKilledProcessEndsAllAndNothingIsLost) {
  const std::string options = "--steps 1500 --checkpoint-every 20";
  ASSERT_EQ(train(2, "straight", options).status, 0);
  write_file(folder_ / "victim",
             "if [ $OMPI_COMM_WORLD_RANK = 1 ]; then\n"
             "  (until [ -d killed/training/checkpoint-00000040 ]; do sleep 0.01; done\n"
             "   kill -9 $$) </dev/null >/dev/null 2>&1 &\n"
             "fi\nexec $INK \"$@\"\n");
  const Finished f = shell("export INK\n" + command(2, "sh victim", "killed", options));
  EXPECT_NE(f.status, 0);
  EXPECT_NE(f.error.find("rank 1"), std::string::npos) << f.error;
  EXPECT_NE(f.error.find("signal 9"), std::string::npos) << f.error;
  EXPECT_FALSE(fs::exists(folder_ / "killed" / "model.safetensors"));
  ASSERT_EQ(train(2, "killed", options + " --resume").status, 0);
  EXPECT_EQ(model("killed"), model("straight"));
  EXPECT_EQ(losses("killed"), losses("straight"));
}

// Four processes with a micro-batch each add in the order of one process, so bits can be compared.
TEST_F(Mpi, AllStopAtTheSameStepAndAnotherNumberOfProcessesGoesOn) {
  const std::string options = "--steps 4000 --checkpoint-every 20";
  ASSERT_EQ(train(0, "straight", options).status, 0);
  std::string start = command(4, "$INK", "stopped", options);
  start.insert(start.size() - 1, " &");
  start.erase(0, start.find(INK_MPIRUN));  // $! should be mpirun itself
  const Finished f =
      shell(start +
            "until [ -d stopped/training/checkpoint-00000020 ]; do sleep 0.01; done\n"
            "kill -USR1 $!\nwait $!\n");
  EXPECT_NE(f.status, 0);
  EXPECT_EQ(count(f.error, "stopped after a checkpoint"), 1u) << f.error;
  const Finished rest = train(0, "stopped", options + " --resume");
  ASSERT_EQ(rest.status, 0) << rest.error;
  EXPECT_EQ(count(rest.error, "resumed at step"), 1u) << rest.error;
  EXPECT_EQ(losses("stopped"), losses("straight"));
  EXPECT_EQ(model("stopped"), model("straight"));
}

TEST_F(Mpi, AnErrorOfOneProcessEndsAll) {
  write_file(folder_ / "other",
             "if [ $OMPI_COMM_WORLD_RANK = 1 ]; then set -- \"$@\" $OTHER; fi\nexec $INK \"$@\"\n");
  const auto fails = [&](const std::string& other, const std::string& message) {
    const Finished f =
        shell("export INK OTHER='" + other + "'\n" + command(2, "sh other", "out", "--steps 50"));
    EXPECT_NE(f.status, 0);
    EXPECT_EQ(count(f.error, message), 1u) << f.error;
    EXPECT_EQ(count(f.error, "inkstone: process"), 1u) << f.error;
    fs::remove_all(folder_ / "out");
  };
  fails("--seed 7", "process 0: pretrain: training: process 1 has seed \"7\", process 0 has \"1\"");
  fails("--clip 2", "process 1 has clip_norm 2.0, process 0 has 1.0");
  fails("--mask-fraction 0.3", "process 1 has data.made_of.objective.mask_fraction 0.3");
  fails("--dictionary none.txt --config none.json", "process 1: pretrain: ");
}

TEST_F(Mpi, AStepHasAMicroBatchForEachProcess) {
  const Finished f = train(5, "out", "--steps 5");
  EXPECT_NE(f.status, 0);
  EXPECT_EQ(count(f.error,
                  "5 processes share the micro-batches of a step; expected accumulate of 5 "
                  "or more, got 4"),
            1u)
      << f.error;
}

#endif

}  // namespace
}  // namespace ink
