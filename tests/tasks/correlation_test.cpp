// Correlations against values computed by SciPy.
#include "tasks/correlation.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/tasks/helpers.h"

namespace ink {
namespace {

TEST(Correlation, AsScipyHasThem) {
  const std::vector<double> x = {1, 2, 3, 4, 5}, y = {5, 6, 7, 8, 7};
  EXPECT_NEAR(pearson(x, y), 0.83205029433784372, 1e-15);
  EXPECT_NEAR(spearman(x, y), 0.82078268166812329, 1e-15);
}

TEST(Correlation, OrderAloneCountsForSpearman) {
  const std::vector<double> x = {-2, 0, 1, 7}, grown = {-8, 0, 1, 343}, turned = {4, 3, 2, -9};
  EXPECT_LT(pearson(x, grown), 0.99);
  EXPECT_DOUBLE_EQ(spearman(x, grown), 1);
  EXPECT_DOUBLE_EQ(spearman(x, turned), -1);
}

TEST(Correlation, IsNoneOfWhatDoesNotVary) {
  const std::vector<double> x = {1, 2, 3}, same = {4, 4, 4}, none, two = {1, 2};
  EXPECT_EQ(pearson(x, same), 0);
  EXPECT_EQ(spearman(same, x), 0);
  EXPECT_EQ(pearson(none, none), 0);
  EXPECT_ERROR(pearson(x, two), "expected as many numbers in both rows, got 3 and 2");
}

}  // namespace
}  // namespace ink
