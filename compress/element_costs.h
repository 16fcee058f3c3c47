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

// Of a target for `model`, which is what layers and channels that went first have left of `whole`.
// A table that had to be measured, or was read, goes to `table`. Raises Error for a table that does
// not fit and a family that is not timed.
ElementCosts costs_for(const PruningTarget& target, const Model& model, const Model& whole,
                       std::optional<CostTable>& table);

double cost_of(const ElementCosts& costs, const std::vector<int64_t>& heads,
               const std::vector<int64_t>& neurons);

// What the rules of masking leave open.
struct CostRules {
  KeepOptions heads, ffn;  // `even`: one number for all layers
};

// Raises Error, which says the smallest cost that can be reached, for a lower budget.
void check_budget(const ImportanceScores& importance, const Masks& before,
                  const ElementCosts& costs, double budget, const CostRules& rules);

// The masks that lose the least importance at a cost of at most `budget` (compress/allocate.h):
// within a layer the most important stay; how many, in steps of multiple_of, is allocated. Rows of
// zeros, of layers that went, stay so. Raises Error as check_budget does.
Masks choose_by_cost(const ImportanceScores& importance, const Masks& before,
                     const ElementCosts& costs, double budget, const CostRules& rules);

}  // namespace ink
