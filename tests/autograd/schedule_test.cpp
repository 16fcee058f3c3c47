// Learning rates: transformers' numbers, Google's variant, edges.
#include "autograd/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tensor/file.h"
#include "tensor/json.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

TEST(Schedule, EqualsTransformers) {
  const auto path = std::filesystem::path(INK_SOURCE_DIR) / "tests/golden/optimizer.json";
  const Json golden = parse_json(read_file(path, 1 << 20), path.string());
  for (const auto& [name, decay] :
       {std::pair{"linear", Decay::linear}, {"cosine", Decay::cosine}}) {
    const Schedule schedule{.peak = 1, .warmup = 3, .steps = 12, .decay = decay};
    const Json::Items& rates = golden.array(name).items();
    for (int64_t step = 0; step <= schedule.steps; ++step) {  // beyond, their cosine rises again
      EXPECT_NEAR(schedule.at(step), rates[static_cast<size_t>(step)].as_real(), 1e-15)
          << name << " at step " << step;
    }
    EXPECT_EQ(schedule.at(13), 0);
  }
}

// init_lr·(1 − step/total) after the warm-up: a small drop at its end, and 0 in the first step.
TEST(Schedule, GooglesDecayCountsFromZero) {
  const Schedule schedule{.peak = 2, .warmup = 10, .steps = 100, .decay_from = DecayFrom::zero};
  EXPECT_EQ(schedule.at(0), 0);
  EXPECT_DOUBLE_EQ(schedule.at(9), 1.8);
  EXPECT_DOUBLE_EQ(schedule.at(10), 1.8);
  EXPECT_DOUBLE_EQ(schedule.at(50), 1);
  EXPECT_DOUBLE_EQ(schedule.at(100), 0);
}

// min(1, step/warmup)·(1 − step/total): no drop, and a rise that bends.
TEST(Schedule, ElectrasDecayMultipliesTheWarmup) {
  const Schedule schedule{
      .peak = 2, .warmup = 10, .steps = 100, .decay_from = DecayFrom::zero_throughout};
  EXPECT_EQ(schedule.at(0), 0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 2 * 0.5 * 0.95);
  EXPECT_DOUBLE_EQ(schedule.at(10), 1.8);
  EXPECT_DOUBLE_EQ(schedule.at(50), 1);
  EXPECT_EQ(schedule.to_json().string("decay_from"), "zero_throughout");
}

TEST(Schedule, ConstantStaysAfterItsWarmup) {
  const Schedule schedule{.peak = 3, .warmup = 2, .decay = Decay::constant};
  EXPECT_EQ(schedule.at(0), 0);
  EXPECT_EQ(schedule.at(1), 1.5);
  EXPECT_EQ(schedule.at(2), 3);
  EXPECT_EQ(schedule.at(1'000'000), 3);
}

TEST(Schedule, WithoutWarmupStartsAtThePeak) {
  EXPECT_EQ((Schedule{.peak = 1, .steps = 4}.at(0)), 1);
  EXPECT_EQ((Schedule{.peak = 1, .steps = 4}.at(4)), 0);
  EXPECT_EQ((Schedule{.peak = 1, .warmup = 4, .steps = 4}.at(3)), 0.75);  // all warm-up
  EXPECT_EQ((Schedule{.peak = 1, .warmup = 4, .steps = 4}.at(4)), 1);
  EXPECT_EQ((Schedule{.peak = 1, .warmup = 4, .steps = 4}.at(5)), 0);
}

TEST(Schedule, ErrorsSayWhatWasExpected) {
  EXPECT_ERROR((Schedule{.peak = -1, .steps = 4}.at(0)),
               "schedule: the peak should be a number from 0 on, got -1");
  EXPECT_ERROR((Schedule{.peak = NAN, .steps = 4}.at(0)),
               "schedule: the peak should be a number from 0 on");
  EXPECT_ERROR((Schedule{.warmup = 5, .steps = 4}.at(0)),
               "schedule: the warm-up should take 0 to 4 steps, got 5");
  EXPECT_ERROR((Schedule{.steps = 4}.at(-1)), "schedule: steps count from 0, got -1");
}

}  // namespace
}  // namespace ink
