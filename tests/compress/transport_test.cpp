// Optimal transport: known optima, all assignments tried, and the proof that prices give.
#include "compress/transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/philox.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

using Numbers = std::vector<double>;

double cost_of(const Numbers& flow, const Numbers& costs) {
  return std::inner_product(flow.begin(), flow.end(), costs.begin(), 0.0);
}

void expect_sums(const Numbers& flow, const Numbers& supplies, const Numbers& demands) {
  const size_t m = supplies.size(), n = demands.size();
  ASSERT_EQ(flow.size(), m * n);
  for (size_t i = 0; i < m; ++i)
    EXPECT_NEAR(std::reduce(&flow[i * n], &flow[i * n] + n), supplies[i], 1e-12) << "row " << i;
  for (size_t j = 0; j < n; ++j) {
    double sum = 0;
    for (size_t i = 0; i < m; ++i) sum += flow[i * n + j];
    EXPECT_NEAR(sum, demands[j], 1e-12) << "column " << j;
  }
  for (const double f : flow) EXPECT_GE(f, 0);
  EXPECT_LE(std::ranges::count_if(flow, [](double f) { return f > 0; }),
            static_cast<int64_t>(m + n - 1));
}

Numbers draws(size_t count, uint64_t seed) {
  Draws draws(Random(seed).split("transport"));
  Numbers all;
  for (size_t i = 0; i < count; ++i) all.push_back(draws.uniform());
  return all;
}

TEST(Transport, KnownOptimum) {
  const Numbers supplies = {20, 30, 25}, demands = {10, 28, 27, 10};
  const Numbers costs = {4, 5, 6, 8,   //
                         8, 7, 5, 9,   //
                         6, 9, 8, 3};  //
  const Numbers flow = optimal_flow(supplies, demands, costs);
  expect_sums(flow, supplies, demands);
  EXPECT_EQ(flow, (Numbers{0, 20, 0, 0,  //
                           0, 3, 27, 0,  //
                           10, 5, 0, 10}));
  EXPECT_EQ(cost_of(flow, costs), 391);  // scipy.optimize.linprog finds the same
}

TEST(Transport, EqualSidesAreAnAssignment) {
  for (const size_t n : {1, 2, 3, 5, 6})
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      const Numbers costs = draws(n * n, seed), ones(n, 1.0);
      const Numbers flow = optimal_flow(ones, ones, costs);
      expect_sums(flow, ones, ones);
      std::vector<size_t> order(n);
      std::iota(order.begin(), order.end(), 0);
      double least = 1e9;
      do {
        double cost = 0;
        for (size_t i = 0; i < n; ++i) cost += costs[i * n + order[i]];
        least = std::min(least, cost);
      } while (std::next_permutation(order.begin(), order.end()));
      EXPECT_NEAR(cost_of(flow, costs), least, 1e-12) << n << ' ' << seed;
    }
}

// Each side cut into units, so that any problem with whole numbers is an assignment again.
TEST(Transport, UnevenSidesCutIntoUnits) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Numbers supplies = {2, 1, 3}, demands = {1, 5}, costs = draws(6, seed);
    const Numbers flow = optimal_flow(supplies, demands, costs);
    expect_sums(flow, supplies, demands);
    std::vector<size_t> rows = {0, 0, 1, 2, 2, 2};
    double least = 1e9;
    do {
      double cost = costs[rows[0] * 2];  // the one unit of the first customer
      for (size_t k = 1; k < rows.size(); ++k) cost += costs[rows[k] * 2 + 1];
      least = std::min(least, cost);
    } while (std::next_permutation(rows.begin(), rows.end()));
    EXPECT_NEAR(cost_of(flow, costs), least, 1e-12);
  }
}

// Layers of real models. Moving any unit around any square of cells must not pay, and costs that
// are all the same, or 0, must not go round in circles.
TEST(Transport, LayersOfModels) {
  for (const auto& [m, n] :
       {std::pair<size_t, size_t>{4, 12}, {6, 12}, {12, 24}, {24, 12}, {3, 7}}) {
    const Numbers supplies(m, 1.0 / static_cast<double>(m)),
        demands(n, 1.0 / static_cast<double>(n));
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const Numbers costs = draws(m * n, seed);
      const Numbers flow = optimal_flow(supplies, demands, costs);
      expect_sums(flow, supplies, demands);
      for (size_t a = 0; a < m * n; ++a)
        for (size_t b = 0; b < m * n; ++b)
          if (flow[a] > 0 && flow[b] > 0) {
            EXPECT_LE(costs[a] + costs[b],
                      costs[a / n * n + b % n] + costs[b / n * n + a % n] + 1e-9);
          }
    }
    expect_sums(optimal_flow(supplies, demands, Numbers(m * n, 1.0)), supplies, demands);
    expect_sums(optimal_flow(supplies, demands, Numbers(m * n)), supplies, demands);
  }
}

TEST(Transport, DemandsAreScaledToTheSupplies) {
  EXPECT_EQ(optimal_flow(Numbers{1}, Numbers{3, 1}, Numbers{1, 2}), (Numbers{0.75, 0.25}));
  EXPECT_EQ(optimal_flow(Numbers{2, 0}, Numbers{1}, Numbers{1, 2}), (Numbers{2, 0}));
}

TEST(Transport, ErrorsSayWhatWasExpected) {
  EXPECT_ERROR(optimal_flow(Numbers{1, -1}, Numbers{1}, Numbers{1, 1}),
               "expected supplies of at least 0, got -1");
  EXPECT_ERROR(optimal_flow(Numbers{1}, Numbers{0}, Numbers{1}), "demands above 0 in all");
  EXPECT_ERROR(optimal_flow(Numbers{}, Numbers{1}, Numbers{}), "supplies above 0 in all, got 0");
  EXPECT_ERROR(optimal_flow(Numbers{1}, Numbers{1, 1}, Numbers{1}), "expected 2 costs, got 1");
  EXPECT_ERROR(optimal_flow(Numbers{1}, Numbers{1}, Numbers{INFINITY}), "finite costs, got inf");
}

}  // namespace
}  // namespace ink
