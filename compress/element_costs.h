// What heads and neurons cost, in parameters or milliseconds, and choosing them by importance and
// cost: they compete within one budget.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "compress/cost_table.h"
#include "compress/importance.h"
#include "compress/pruning_target.h"

namespace ink {

// What a model costs: fixed + Σ over rows of masks (heads(kept) + neurons(kept)).
struct ElementCosts {
  double fixed = 0;
  std::function<double(int64_t)> heads, neurons;  // neurons kept in each network of a layer
  double budget = 0;                              // what the target comes to
  std::string unit;                               // "parameters", "ms"
};

// Of a target for `left`, which is what layers and channels that go first leave of `whole`; of
// layers whose sizes differ they hold for whichever stay, where `left` has the widest. A table that
// had to be measured, or was read, goes to `table`. Raises Error as check_timed does.
ElementCosts costs_for(const PruningTarget& target, const ModelConfig& left, const Model& whole,
                       std::optional<CostTable>& table);

// Reads the table that a target in milliseconds names, so that it is not read again. Raises Error
// where there is none.
void read_costs(PruningTarget& target);

// Raises Error for a target in milliseconds whose table is not there or does not fit, and for a
// model that is not timed (CostTable::check_timed).
void check_timed(const PruningTarget& target, const ModelConfig& left);

double cost_of(const ElementCosts& costs, const std::vector<int64_t>& heads,
               const std::vector<int64_t>& neurons);

// What the rules of masking leave open.
struct CostRules {
  KeepOptions heads, ffn;  // `even`: one number for all layers
};

// Raises Error, which says the smallest cost that can be reached with `rows` rows of masks, for a
// lower budget. Nothing needs to be measured for it.
void check_reachable(const ElementCosts& costs, int64_t rows, const CostRules& rules);

std::string amount(double cost, const std::string& unit);  // "67000 parameters", "4.5 ms"

// The masks that lose the least importance at a cost of at most `budget` (compress/allocate.h):
// within a layer the most important stay; how many, a multiple of multiple_of, is allocated. Rows
// of zeros, of layers that went, stay so. Raises Error for a budget below the smallest cost.
Masks choose_by_cost(const ImportanceScores& importance, const Masks& before,
                     const ElementCosts& costs, double budget, const CostRules& rules);

}  // namespace ink
