// Allocation: one choice for each row, so that least importance is lost within a budget.
//
//   minimise Σ_r lost(choice_r)   subject to   Σ_r cost(choice_r) ≤ budget
//
// the multiple-choice knapsack problem (Kellerer et al. 2004, chapter 11), by dynamic programming
// over the part of the budget that the cheapest choices leave. It is cut in 2,000 to 50,000 units,
// the fewer the more choices there are, and of partial sums within a unit the one that loses least
// goes on. So the budget is kept, and the result is the best where sums differ by a unit or more;
// else it is at least as good as the best within a budget smaller by a unit for each row. Among
// equals, which elements of importance 0 make, the one counts where Σ_r (dropped share of r)² is
// least: no more goes than has to, and equally much from rows that are alike.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ink {

struct Choice {
  int64_t kept = 0;  // what it stands for
  double cost = 0, lost = 0;
};
using Choices = std::vector<Choice>;

double smallest_cost(const std::vector<Choices>& rows);

// The number of the choice of each row. Raises Error for a row without choices and a budget below
// smallest_cost.
std::vector<size_t> allocate(const std::vector<Choices>& rows, double budget);

}  // namespace ink
