// Dynamic programming over units of the budget.
#include "compress/allocate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "tensor/error.h"

namespace ink {
namespace {

constexpr double kWork = 1e9;       // choices times units
constexpr double kRounding = 1e-9;  // of a budget that is a sum of costs itself
constexpr double kFewestUnits = 2'000, kMostUnits = 50'000;
constexpr double kNever = std::numeric_limits<double>::infinity();

double cheapest(const Choices& row) {
  check(!row.empty(), "allocate: expected a choice in every row");
  return std::ranges::min_element(row, {}, &Choice::cost)->cost;
}

// What rows so far cost beyond the cheapest and lose; and Σ (dropped share of a row)², which is
// least where little goes and equally much in every row.
struct Sum {
  double cost = 0, lost = kNever, unevenness = 0;
};
// How it came about.
struct Origin {
  uint32_t choice = 0, sum = 0;  // number of the choice, and of the sum that it was added to
};

bool better(const Sum& a, const Sum& b) {
  return std::tie(a.lost, a.unevenness, a.cost) < std::tie(b.lost, b.unevenness, b.cost);
}

double squared_share_dropped(const Choice& choice, int64_t most) {
  const double share =
      most > 0 ? 1 - static_cast<double>(choice.kept) / static_cast<double>(most) : 0;
  return share * share;
}

}  // namespace

double smallest_cost(const std::vector<Choices>& rows) {
  double sum = 0;
  for (const Choices& row : rows) sum += cheapest(row);
  return sum;
}

std::vector<size_t> allocate(const std::vector<Choices>& rows, double budget) {
  const double spare = budget - smallest_cost(rows);
  check(spare >= -kRounding * std::abs(budget), "allocate: expected a budget of at least ",
        budget - spare, ", got ", budget);
  double choices = 0;
  for (const Choices& row : rows) choices += static_cast<double>(row.size());
  const auto units = static_cast<size_t>(std::clamp(kWork / choices, kFewestUnits, kMostUnits));
  const double most = std::max(spare, 0.0) + kRounding * std::abs(budget);
  const double per_unit = most > 0 ? static_cast<double>(units) / most : 0;

  std::vector<Sum> sums(units + 1);  // the best in each unit
  sums[0] = {0, 0, 0};
  std::vector<std::vector<Origin>> origins;
  for (const Choices& row : rows) {
    const double base = cheapest(row);
    const int64_t most_kept = std::ranges::max_element(row, {}, &Choice::kept)->kept;
    std::vector<Sum> next(units + 1);
    std::vector<Origin>& by = origins.emplace_back(units + 1);
    for (size_t from = 0; from <= units; ++from) {
      if (sums[from].lost == kNever) continue;
      for (size_t k = 0; k < row.size(); ++k) {
        const Sum sum{sums[from].cost + row[k].cost - base, sums[from].lost + row[k].lost,
                      sums[from].unevenness + squared_share_dropped(row[k], most_kept)};
        if (sum.cost > most) continue;
        const auto to = static_cast<size_t>(sum.cost * per_unit);
        if (!better(sum, next[to])) continue;
        next[to] = sum;
        by[to] = {static_cast<uint32_t>(k), static_cast<uint32_t>(from)};
      }
    }
    sums = std::move(next);
  }
  auto at = static_cast<size_t>(std::ranges::min_element(sums, better) - sums.begin());
  std::vector<size_t> chosen(rows.size());
  for (size_t r = rows.size(); r-- > 0;) {
    chosen[r] = origins[r][at].choice;
    at = origins[r][at].sum;
  }
  return chosen;
}

}  // namespace ink
