// Layers, channels, then heads and neurons: measured, ranked and masked step by step.
#include "compress/choose_masks.h"

#include <algorithm>
#include <limits>

#include "compress/check_pruning.h"
#include "compress/element_costs.h"
#include "compress/mask_rows.h"
#include "compress/pruning_schedule.h"

namespace ink {
namespace {

// The `total` most important of a row.
std::vector<uint8_t> most_important(const std::vector<double>& scores,
                                    const std::vector<uint8_t>& before, int64_t total) {
  return choose_mask({scores}, {before}, total, {}).front();
}

// A layer that is left comes before one that went, also where the loss would fall without it.
std::vector<double> above_dropped(std::vector<double> scores, const std::vector<uint8_t>& mask) {
  for (size_t i = 0; i < scores.size(); ++i)
    if (!mask[i]) scores[i] = -std::numeric_limits<double>::infinity();
  return scores;
}

// The rules of masks for heads and for neurons.
CostRules rules_of(const ModelConfig& model, const PruningConfig& config) {
  const bool shared = model.shared.groups > 0 && config.target;
  return {.heads = {.even = config.head_even_masking || shared,
                    .multiple_of = config.head_multiple_of,
                    .at_least = config.min_heads,
                    .compatible = config.compatible},
          .ffn = {.even = config.ffn_even_masking || shared,
                  .multiple_of = config.multiple_of,
                  .networks = prunable_sizes(model).networks,
                  .compatible = config.compatible}};
}

// ── step by step ────────────────────────────────────────────────────────────────────────────────

class Chooser {
 public:
  Chooser(const Model& whole, std::span<const FeatureBatch> batches, const PruningConfig& config,
          const ScoringOptions& scoring, const Notice& notice, const Recover& recover)
      : whole_(whole),
        config_(config),
        notice_(notice),
        measure_(whole, batches, config, scoring),
        progress_(whole, number_of_steps(config), notice, recover),
        rules_(rules_of(whole.config, config)) {}

  Pruning run() && {
    std::optional<ElementCosts> costs;
    if (config_.target) costs = reachable_costs();
    drop_listed_layers();
    choose_layers();
    choose_channels();
    costs ? choose_by_target(*costs) : choose_elements();
    Pruning pruning = std::move(progress_).result();
    pruning.costs = std::move(table_);
    return pruning;
  }

 private:
  void drop_listed_layers() {
    if (config_.drop_layers.empty()) return;
    Masks masks;
    masks.layers = progress_.layers_left();
    for (const int64_t layer : config_.drop_layers) masks.layers[static_cast<size_t>(layer)] = 0;
    progress_.take({}, std::move(masks));
  }

  void choose_layers() {
    if (!config_.target_num_of_layers) return;
    for (const int64_t total : schedule_totals(progress_.model().config.layers(),
                                               config_.target_num_of_layers, config_.n_iters)) {
      ImportanceScores scores;
      scores.layers = progress_.whole_layers(measure_.layers(progress_.model()));
      Masks masks = progress_.masks();
      const std::vector<uint8_t> left = progress_.layers_left();
      masks.layers = most_important(above_dropped(scores.layers, left), left, total);
      progress_.take(scores, std::move(masks));
    }
  }

  void choose_channels() {
    if (!config_.target_hidden_size) return;
    for (const int64_t total : hidden_sizes(whole_.config, config_)) {
      ImportanceScores scores;
      scores.channels = progress_.whole_channels(measure_.channels(progress_.model()));
      Masks masks = progress_.masks();
      masks.channels = most_important(scores.channels, progress_.channels_left(), total);
      progress_.take(scores, std::move(masks));
    }
  }

  ImportanceScores measured_elements() const {
    return progress_.whole_elements(measure_.elements(progress_.model()));
  }

  void choose_elements() {
    if (!config_.elements_go()) return;
    for (const ElementAim& aim : element_aims(prunable_sizes(progress_.model().config), config_)) {
      ImportanceScores scores = measured_elements();
      Masks masks = progress_.masks();
      const Masks left = progress_.elements_left();
      if (aim.heads)
        masks.heads =
            choose_in_layers(scores.heads, left.heads, progress_.rows(), aim.heads, rules_.heads);
      else
        scores.heads.clear();
      if (aim.ffn)
        masks.ffn = choose_in_layers(scores.ffn, left.ffn, progress_.rows(), aim.ffn, rules_.ffn);
      else
        scores.ffn.clear();
      progress_.take(scores, std::move(masks));
    }
  }

  double present_cost(const ElementCosts& costs) const {
    const PrunableSizes present = prunable_sizes(progress_.model().config);
    std::vector<int64_t> neurons = present.ffn;
    for (int64_t& n : neurons) n /= present.networks;
    return cost_of(costs, present.heads, neurons);
  }

  ElementCosts reachable_costs() {
    const ModelConfig left = widest_left(whole_.config, config_);
    ElementCosts costs = costs_for(*config_.target, left, whole_, table_);
    check_reachable(costs, std::ssize(prunable_sizes(left).heads), rules_);
    return costs;
  }

  void choose_by_target(const ElementCosts& costs) {
    const double now = present_cost(costs);
    if (notice_ && now <= costs.budget)
      notice_("target: " + amount(now, costs.unit) + " is within " +
              amount(costs.budget, costs.unit) + " already; heads and neurons need not go");
    for (int64_t i = 1; i <= config_.n_iters; ++i) {
      const ImportanceScores scores = measured_elements();
      Masks masks = progress_.masks(), left = progress_.elements_left();
      masks.heads = std::move(left.heads);
      masks.ffn = std::move(left.ffn);
      const double share = static_cast<double>(i) / static_cast<double>(config_.n_iters),
                   budget = std::max(costs.budget, now + share * (costs.budget - now));
      progress_.take(scores, choose_by_cost(scores, masks, costs, budget, rules_));
    }
  }

  const Model& whole_;
  const PruningConfig& config_;
  const Notice& notice_;
  PruningMeasure measure_;
  PruningProgress progress_;
  CostRules rules_;
  std::optional<CostTable> table_;
};

}  // namespace

Pruning choose_masks(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring,
                     const Notice& notice, const Recover& recover) {
  check_pruning(model.config, config);
  return Chooser(model, batches, config, scoring, notice, recover).run();
}

}  // namespace ink
