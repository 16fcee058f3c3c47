// The transportation simplex: a spanning tree of cells, prices that make its cells cost nothing, and
// exchanges along the one cycle that a cheaper cell closes.
#include "compress/transport.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace ink {
namespace {

constexpr double kRounding = 1e-12;  // of the largest cost: cheaper by less is not cheaper

class Table {
 public:
  Table(std::span<const double> supplies, std::span<const double> demands,
        std::span<const double> costs)
      : m_(supplies.size()),
        n_(demands.size()),
        costs_(costs),
        flow_(m_ * n_),
        basic_(m_ * n_),
        prices_(m_ + n_) {
    begin_in_the_corner(supplies, demands);
    for (const double c : costs) least_gain_ = std::max(least_gain_, kRounding * std::abs(c));
  }

  std::vector<double> solve() {
    for (;;) {
      set_prices();
      const size_t cell = first_cheaper_cell();
      if (cell == flow_.size()) return std::move(flow_);
      exchange(cell);
    }
  }

 private:
  // Row by row as much as goes: m + n − 1 cells, of which some may hold 0, that form a tree.
  void begin_in_the_corner(std::span<const double> supplies, std::span<const double> demands) {
    const double scale =
        std::reduce(supplies.begin(), supplies.end()) / std::reduce(demands.begin(), demands.end());
    double supply = supplies[0], demand = demands[0] * scale;
    for (size_t i = 0, j = 0;;) {
      const double moved = std::max(0.0, std::min(supply, demand));
      flow_[i * n_ + j] = moved;
      basic_[i * n_ + j] = true;
      supply -= moved, demand -= moved;
      if (i + 1 == m_ && j + 1 == n_) return;
      const bool down = j + 1 == n_ || (i + 1 < m_ && supply <= demand);
      if (down)
        supply = supplies[++i];
      else
        demand = demands[++j] * scale;
    }
  }

  // Nodes 0 … m − 1 are rows, m … m + n − 1 columns; a cell joins its row and its column.
  size_t cell_between(size_t a, size_t b) const {
    return a < m_ ? a * n_ + (b - m_) : b * n_ + (a - m_);
  }
  template <class Visit>  // of neighbours in the tree
  void neighbours(size_t node, const Visit& visit) const {
    const bool row = node < m_;
    for (size_t other = row ? m_ : 0; other < (row ? m_ + n_ : m_); ++other)
      if (basic_[cell_between(node, other)]) visit(other);
  }

  // Nodes of the tree, each with the one it was reached from; the root comes from itself.
  std::vector<size_t> reached_from(size_t root, std::vector<size_t>* order = nullptr) const {
    std::vector<size_t> from(m_ + n_, m_ + n_), open = {root};
    from[root] = root;
    for (size_t k = 0; k < open.size(); ++k)
      neighbours(open[k], [&](size_t other) {
        if (from[other] != m_ + n_) return;
        from[other] = open[k];
        open.push_back(other);
      });
    if (order) *order = std::move(open);
    return from;
  }

  // price(row) + price(column) = cost in every cell of the tree.
  void set_prices() {
    std::vector<size_t> order;
    const std::vector<size_t> from = reached_from(0, &order);
    prices_[0] = 0;
    for (size_t k = 1; k < order.size(); ++k)
      prices_[order[k]] = costs_[cell_between(order[k], from[order[k]])] - prices_[from[order[k]]];
  }

  size_t first_cheaper_cell() const {
    for (size_t cell = 0; cell < flow_.size(); ++cell)
      if (!basic_[cell] &&
          costs_[cell] < prices_[cell / n_] + prices_[m_ + cell % n_] - least_gain_)
        return cell;
    return flow_.size();
  }

  // Moves as much as possible into the cell around its cycle; the first cell that this empties
  // leaves the tree.
  void exchange(size_t cell) {
    const std::vector<size_t> from = reached_from(cell / n_);
    std::vector<size_t> cycle;  // from the column back to the row: less, more, less, …
    for (size_t node = m_ + cell % n_; node != cell / n_; node = from[node])
      cycle.push_back(cell_between(node, from[node]));
    size_t leaving = cycle[0];
    for (size_t k = 2; k < cycle.size(); k += 2)
      if (flow_[cycle[k]] < flow_[leaving] ||
          (flow_[cycle[k]] == flow_[leaving] && cycle[k] < leaving))
        leaving = cycle[k];
    const double moved = flow_[leaving];
    for (size_t k = 0; k < cycle.size(); ++k) flow_[cycle[k]] += k % 2 ? moved : -moved;
    flow_[cell] = moved;
    flow_[leaving] = 0;
    basic_[cell] = true;
    basic_[leaving] = false;
  }

  size_t m_, n_;
  std::span<const double> costs_;
  double least_gain_ = 0;
  std::vector<double> flow_;
  std::vector<bool> basic_;  // the cells of the tree
  std::vector<double> prices_;
};

void check_amounts(const char* what, std::span<const double> amounts) {
  double sum = 0;
  for (const double x : amounts) {
    check(std::isfinite(x) && x >= 0, "transport: expected ", what, " of at least 0, got ", x);
    sum += x;
  }
  check(sum > 0, "transport: expected ", what, " above 0 in all, got ", amounts.size(),
        " that hold nothing");
}

}  // namespace

std::vector<double> optimal_flow(std::span<const double> supplies, std::span<const double> demands,
                                 std::span<const double> costs) {
  check_amounts("supplies", supplies);
  check_amounts("demands", demands);
  check(costs.size() == supplies.size() * demands.size(), "transport: expected ",
        supplies.size() * demands.size(), " costs, got ", costs.size());
  for (const double c : costs) check(std::isfinite(c), "transport: expected finite costs, got ", c);
  return Table(supplies, demands, costs).solve();
}

}  // namespace ink
