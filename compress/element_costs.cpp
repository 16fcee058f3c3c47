// Prices, choices of every layer, and masks for what is chosen.
#include "compress/element_costs.h"

#include <algorithm>
#include <cstdio>

#include "compress/allocate.h"
#include "compress/surgery.h"
#include "nn/parameter_count.h"
#include "tensor/error.h"

namespace ink {
namespace {

constexpr double kParametersOfMegabyte = 1e6 / 4;

// ── prices ──────────────────────────────────────────────────────────────────────────────────────

// All layers with so many heads and neurons.
double parameters_of(ModelConfig config, const Heads& kinds, int64_t heads, int64_t neurons) {
  std::ranges::fill(config.heads_per_layer, heads);
  std::ranges::fill(config.ffn_per_layer, neurons);
  return static_cast<double>(parameter_count(config, kinds));
}

// A parameter count is linear in both.
ElementCosts parameter_costs(const PruningTarget& target, ModelConfig left, const Model& whole) {
  if (target.vocabulary) left.vocab_size = target.vocabulary;
  const auto rows = static_cast<double>(prunable_sizes(left).heads.size());
  const auto with = [&](int64_t heads, int64_t neurons) {
    return parameters_of(left, whole.heads, heads, neurons);
  };
  const double least = with(1, 1), head = (with(2, 1) - least) / rows,
               neuron = (with(1, 2) - least) / rows;
  const auto all = static_cast<double>(whole.parameters.elements());
  const double asked = target.kind == PruningTarget::Kind::megabytes
                           ? target.value * kParametersOfMegabyte
                       : target.value <= 1 ? target.value * all
                                           : target.value;
  return {.fixed = least - rows * (head + neuron),
          .heads = [head](int64_t kept) { return head * static_cast<double>(kept); },
          .neurons = [neuron](int64_t kept) { return neuron * static_cast<double>(kept); },
          .budget = asked,
          .unit = "parameters"};
}

CostTable table_in(const PruningTarget& target) {
  check(std::filesystem::exists(target.table), "prune: target: table: there is no ",
        target.table.string(), "; leave \"table\" out to have one measured");
  return CostTable::read(target.table);
}

CostTable table_from(const PruningTarget& target, const ModelConfig& left) {
  CostTable table = target.costs ? *target.costs : table_in(target);
  table.check_fits(left, target.batch, target.length, target.table.string());
  return table;
}

// How long the whole model takes: by the same table where it fits.
double before(const CostTable& table, const ModelConfig& whole) {
  const bool fits = whole.hidden_size == table.hidden_size && table.reaches(whole);
  return fits ? table.of_model(whole)
              : CostTable::measure(whole, table.batch, table.length).of_model(whole);
}

ElementCosts latency_costs(const PruningTarget& target, const ModelConfig& left,
                           const ModelConfig& whole, std::optional<CostTable>& table) {
  table = target.table.empty() ? CostTable::measure(left, target.batch, target.length)
                               : table_from(target, left);
  const auto rows = static_cast<double>(prunable_sizes(left).heads.size());
  const auto runs =
      static_cast<double>(left.layers() * std::max<int64_t>(1, left.shared.inner)) / rows;
  return {.fixed = table->rest,
          .heads = [t = *table, runs](int64_t kept) { return runs * t.of_heads(kept); },
          .neurons = [t = *table, runs](int64_t kept) { return runs * t.of_neurons(kept); },
          .budget = target.kind == PruningTarget::Kind::speedup
                        ? before(*table, whole) / target.value
                        : target.value,
          .unit = "ms"};
}

// ── choices ─────────────────────────────────────────────────────────────────────────────────────

// Rows that are one choice: one for each layer, or with even masking all of them.
struct Kind {
  const Importance& importance;
  const Mask& before;
  const KeepOptions& rules;
  const std::function<double(int64_t)>& cost;

  bool alive(size_t row) const { return kept(Mask{before[row]}) > 0; }
};

// Importance of what is left of a row by rank, the r-th of each of its networks together.
std::vector<double> by_rank(const Kind& kind, size_t row) {
  const size_t networks = static_cast<size_t>(kind.rules.networks),
               size = kind.before[row].size() / networks;
  std::vector<double> sums;
  for (size_t n = 0; n < networks; ++n) {
    std::vector<double> left;
    for (size_t i = n * size; i < (n + 1) * size; ++i)
      if (kind.before[row][i]) left.push_back(kind.importance[row][i]);
    std::ranges::sort(left, std::greater<>{});
    sums.resize(std::max(sums.size(), left.size()));
    for (size_t r = 0; r < left.size(); ++r) sums[r] += left[r];
  }
  return sums;
}

// Multiples of m from the fewest on.
std::vector<int64_t> counts_up_to(int64_t all, const KeepOptions& rules) {
  std::vector<int64_t> counts;
  for (int64_t k = fewest(rules); k <= all; k += rules.multiple_of) counts.push_back(k);
  check(!counts.empty(), "prune: target: expected layers of at least ", fewest(rules),
        " heads or neurons, which multiple_of and min_heads ask for, got one of ", all);
  return counts;
}

// Choices of rows that keep equally many.
Choices choices_of(const Kind& kind, const std::vector<size_t>& rows) {
  std::vector<std::vector<double>> ranks;
  size_t all = SIZE_MAX;
  for (const size_t row : rows) {
    ranks.push_back(by_rank(kind, row));
    all = std::min(all, ranks.back().size());
  }
  Choices choices;
  for (const int64_t k : counts_up_to(static_cast<int64_t>(all), kind.rules)) {
    Choice choice{.kept = k, .cost = static_cast<double>(rows.size()) * kind.cost(k)};
    for (const std::vector<double>& importance : ranks)
      for (size_t r = static_cast<size_t>(k); r < importance.size(); ++r)
        choice.lost += importance[r];
    choices.push_back(choice);
  }
  return choices;
}

// Which rows decide together.
std::vector<std::vector<size_t>> groups_of(const Kind& kind) {
  std::vector<std::vector<size_t>> groups;
  for (size_t row = 0; row < kind.before.size(); ++row) {
    if (!kind.alive(row)) continue;
    if (groups.empty() || !kind.rules.even) groups.emplace_back();
    groups.back().push_back(row);
  }
  return groups;
}

Mask keep_in(const Kind& kind, const std::vector<std::vector<size_t>>& groups,
             const std::vector<int64_t>& counts) {
  Mask mask = kind.before;
  for (size_t g = 0; g < groups.size(); ++g)
    for (const size_t row : groups[g])
      mask[row] = choose_mask({kind.importance[row]}, {kind.before[row]}, counts[g],
                              {.networks = kind.rules.networks})
                      .front();
  return mask;
}

// Heads and neurons that compete within one budget.
struct Rivals {
  Kind heads, ffn;
  std::vector<std::vector<size_t>> head_groups, ffn_groups;

  Rivals(const ImportanceScores& importance, const Masks& before, const ElementCosts& costs,
         const CostRules& rules)
      : heads{importance.heads, before.heads, rules.heads, costs.heads},
        ffn{importance.ffn, before.ffn, rules.ffn, costs.neurons},
        head_groups(groups_of(heads)),
        ffn_groups(groups_of(ffn)) {}

  std::vector<Choices> rows() const {
    std::vector<Choices> all;
    all.reserve(head_groups.size() + ffn_groups.size());
    for (const auto& group : head_groups) all.push_back(choices_of(heads, group));
    for (const auto& group : ffn_groups) all.push_back(choices_of(ffn, group));
    return all;
  }
};

void check_budget(double least, const ElementCosts& costs, double budget) {
  check(budget >= least * (1 - 1e-9), "prune: target: the smallest that can be reached is ",
        amount(least, costs.unit), ", with the fewest heads and neurons in every layer; got ",
        amount(budget, costs.unit), "; drop layers or hidden channels too, or expect less of it");
}

}  // namespace

void read_costs(PruningTarget& target) {
  if (target.timed() && !target.table.empty() && !target.costs)
    target.costs = std::make_shared<const CostTable>(table_in(target));
}

void check_timed(const PruningTarget& target, const ModelConfig& left) {
  if (!target.timed()) return;
  CostTable::check_timed(left);
  check(target.length <= left.longest(), "prune: target: length: expected at most ", left.longest(),
        ", which the model can read, got ", target.length);
  if (!target.table.empty()) table_from(target, left);
}

ElementCosts costs_for(const PruningTarget& target, const ModelConfig& left, const Model& whole,
                       std::optional<CostTable>& table) {
  check_timed(target, left);
  return target.timed() ? latency_costs(target, left, whole.config, table)
                        : parameter_costs(target, left, whole);
}

double cost_of(const ElementCosts& costs, const std::vector<int64_t>& heads,
               const std::vector<int64_t>& neurons) {
  double sum = costs.fixed;
  for (const int64_t kept : heads) sum += costs.heads(kept);
  for (const int64_t kept : neurons) sum += costs.neurons(kept);
  return sum;
}

void check_reachable(const ElementCosts& costs, int64_t rows, const CostRules& rules) {
  const double row = costs.heads(fewest(rules.heads)) + costs.neurons(fewest(rules.ffn));
  check_budget(costs.fixed + static_cast<double>(rows) * row, costs, costs.budget);
}

std::string amount(double cost, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text, unit == "ms" ? "%.4g %s" : "%.0f %s", cost, unit.c_str());
  return text;
}

Masks choose_by_cost(const ImportanceScores& importance, const Masks& before,
                     const ElementCosts& costs, double budget, const CostRules& rules) {
  const Rivals rivals(importance, before, costs, rules);
  const std::vector<Choices> rows = rivals.rows();
  check_budget(costs.fixed + smallest_cost(rows), costs, budget);
  const std::vector<size_t> chosen = allocate(rows, budget - costs.fixed);
  std::vector<int64_t> counts;
  counts.reserve(rows.size());
  for (size_t r = 0; r < rows.size(); ++r) counts.push_back(rows[r][chosen[r]].kept);
  const auto middle = counts.begin() + std::ssize(rivals.head_groups);
  Masks masks = before;
  masks.heads = keep_in(rivals.heads, rivals.head_groups, {counts.begin(), middle});
  masks.ffn = keep_in(rivals.ffn, rivals.ffn_groups, {middle, counts.end()});
  return masks;
}

}  // namespace ink
