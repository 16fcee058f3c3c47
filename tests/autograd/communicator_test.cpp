// Communicator: one process alone, what mpirun's environment says, and what steps tell each other.
#include "autograd/communicator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "autograd/gradient_sum.h"
#include "autograd/micro_batches.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

// The first of two processes; the other has said and summed what it is given here.
struct OfTwo final : Communicator {
  std::vector<std::string> texts;  // one for each gather
  std::vector<float> values;
  size_t next = 0;

  int size() const override { return 2; }
  std::vector<std::string> gather(const std::string& mine) override {
    return {mine, texts.at(next++)};
  }
  void sum(std::span<float> into) override {
    ASSERT_EQ(into.size(), values.size());
    for (size_t i = 0; i < values.size(); ++i) into[i] += values[i];
  }
};

TEST(Communicator, AloneIsTheFirstOfOne) {
  EXPECT_TRUE(alone().is_first());
  EXPECT_EQ(alone().size(), 1);
  EXPECT_TRUE(any(alone(), true));
  EXPECT_FALSE(any(alone(), false));
  EXPECT_EQ(from_first(alone(), "a"), "a");
  std::vector<float> values{1, 2};
  alone().sum(values);
  EXPECT_EQ(values, (std::vector<float>{1, 2}));
}

TEST(Communicator, AnyIsTrueWhereOneIs) {
  OfTwo processes;
  processes.texts = {"yes", "no"};
  EXPECT_TRUE(any(processes, false));
  EXPECT_FALSE(any(processes, false));
}

TEST(Communicator, TheEnvironmentTellsOfALaunch) {
  struct Names {
    const char *rank, *size, *local;
  };
  for (const auto& [rank, size, local] :
       {Names{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
        Names{"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"}}) {
    ::setenv(rank, "1", 1);
    EXPECT_FALSE(launched_by_mpi());
    ::setenv(size, "3", 1);
    const auto launch = launched_by_mpi();
    ASSERT_TRUE(launch);
    EXPECT_EQ(launch->rank, 1);
    EXPECT_EQ(launch->size, 3);
    EXPECT_EQ(launch->local, 1) << "as far as is known";
    ::setenv(local, "0", 1);
    EXPECT_EQ(launched_by_mpi()->local, 0);
    ::unsetenv(local);
    ::setenv(size, "3x", 1);
    EXPECT_FALSE(launched_by_mpi());
    ::unsetenv(rank);
    ::unsetenv(size);
  }
  EXPECT_EQ(join_processes()->size(), 1);
}

TEST(MicroBatches, AreInOrderWhoeverComputedThem) {
  OfTwo processes;
  const std::string measured = R"([1, 0.5, 2.0, 7, {"rows": 3.0}, [["b", 0.5], ["a", 2.0]]])",
                    plain = R"([3, 0.25, 1.0, 8, {"rows": null}, []])";
  processes.texts = {"[" + measured + ", " + plain + "]", "", "[]"};
  const std::vector<MicroResult> mine{{0, 1.0 / 3, 4, 5, {{"rows", 1.0}}}, {2, 0.1, 0, 6, {}}};
  const auto all = share_results(processes, mine, true);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 4u);
  EXPECT_EQ(all->at(0).loss, 1.0 / 3) << "every bit";
  EXPECT_EQ(all->at(1).metrics, (Metrics{{"rows", 3.0}}));
  EXPECT_EQ(all->at(1).measures, (Metrics{{"b", 0.5}, {"a", 2.0}})) << "in their order";
  EXPECT_EQ(all->at(2).tokens, 6);
  EXPECT_TRUE(std::isnan(all->at(3).metrics[0].second));
  EXPECT_FALSE(share_results(processes, mine, true)) << "the other was stopped";
  EXPECT_FALSE(share_results(processes, mine, false)) << "this one was";
  EXPECT_FALSE(share_results(alone(), mine, false));
}

TEST(GradientSum, OfTwoProcesses) {
  Parameters parameters;
  parameters.add("here", from(std::vector<float>{1, 2}));
  parameters.add("there", from(std::vector<float>{3}));
  parameters.add("nowhere", from(std::vector<float>{4}));
  GradientSum sum(parameters);
  {
    Tape tape;
    tape.watch(parameters);
    const Tensor here = parameters.at("here").value;
    Gradients gradients = tape.backward(ink::sum(multiply(here, here)));
    sum.add(parameters, gradients, 3);
  }
  OfTwo processes;
  processes.texts = {R"({"defined": "110", "weight": 4.0, "elements": 4})"};
  processes.values = {10, 20, 30};
  sum.sum_over(processes, parameters, 0.5);
  EXPECT_EQ(sum.weight(), 5.5);
  EXPECT_EQ(to_vector<float>(sum.gradients()[0]), (std::vector<float>{13, 26}));
  EXPECT_EQ(to_vector<float>(sum.gradients()[1]), (std::vector<float>{30}));
  EXPECT_FALSE(sum.gradients()[2]);
  processes.texts.emplace_back(R"({"defined": "11", "weight": 4.0, "elements": 4})");
  EXPECT_ERROR(sum.sum_over(processes, parameters), "another process has 2");
  processes.texts.emplace_back(R"({"defined": "111", "weight": 4.0, "elements": 5})");
  EXPECT_ERROR(sum.sum_over(processes, parameters),
               "the parameters have 4 elements, those of another process 5");
}

}  // namespace
}  // namespace ink
