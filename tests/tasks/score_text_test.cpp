// Shares are shown as per cent, correlations as they are.
#include "tasks/score_text.h"

#include <gtest/gtest.h>

#include "tasks/task.h"

namespace ink {
namespace {

TEST(ScoreText, KnowsTheMetric) {
  EXPECT_EQ(score_text("accuracy", 0.912), "91.20 %");
  EXPECT_EQ(score_text("pearson", 0.13714), "0.1371");
  EXPECT_EQ(score_text(task_named("regression").judged_by, 0.13714), "0.1371");
  EXPECT_EQ(score_text(task_named("tagging").judged_by, 0.13714), "13.71 %");
}

}  // namespace
}  // namespace ink
