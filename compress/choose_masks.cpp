// Iterations of measuring and masking.
#include "compress/choose_masks.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "compress/element_costs.h"
#include "compress/mask_rows.h"
#include "compress/scoring.h"
#include "compress/stream_surgery.h"
#include "compress/surgery.h"
#include "compress/values.h"
#include "tensor/error.h"

namespace ink {
namespace {

// One step's aims: totals to keep in all layers together; 0 leaves that kind alone.
struct Aim {
  int64_t heads = 0, ffn = 0;
};

int64_t sum(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
}

std::vector<int64_t> totals(const char* key, const std::vector<int64_t>& sizes, int64_t networks,
                            int64_t target, int64_t steps) {
  const int64_t layers = std::ssize(sizes), all = sum(sizes) / networks;
  check(target * layers <= all, "prune: ", key, ": expected at most ", layers ? all / layers : 0,
        " per layer (", all, " in all ", layers, " layers together), got ", target);
  return target ? schedule_totals(all, target * layers, steps)
                : std::vector<int64_t>(static_cast<size_t>(steps));
}

std::vector<Aim> aims(const PrunableSizes& sizes, const PruningConfig& config) {
  const std::vector<int64_t> heads =
      totals("target_num_of_heads", sizes.heads, 1, config.target_num_of_heads, config.n_iters);
  const std::vector<int64_t> ffn =
      totals("target_ffn_size", sizes.ffn, sizes.networks, config.target_ffn_size, config.n_iters);
  std::vector<Aim> all;
  for (size_t i = 0; i < heads.size(); ++i) {
    const Aim head_step{.heads = heads[i]}, ffn_step{.ffn = ffn[i]};
    switch (config.pruning_order) {
      case PruningOrder::together: all.push_back({heads[i], ffn[i]}); break;
      case PruningOrder::head_first: all.insert(all.end(), {head_step, ffn_step}); break;
      case PruningOrder::ffn_first: all.insert(all.end(), {ffn_step, head_step}); break;
    }
  }
  return all;
}

void check_shared(const ModelConfig& model, const PrunableSizes& sizes, const PruningConfig& c) {
  const bool uneven =
      (c.target_num_of_heads && !c.head_even_masking) || (c.target_ffn_size && !c.ffn_even_masking);
  check(model.shared.groups == 0 || sizes.heads.size() <= 1 || !uneven, "prune: the ",
        sizes.heads.size(), " layers of ", model.family->model_type,
        " that have weights of their own are of one size; set head_even_masking and "
        "ffn_even_masking");
}

LossOfBatch loss_for(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring) {
  if (!config.use_logits)
    return label_loss(scoring.task ? *scoring.task : classification_task(), batches);
  if (!config.compatible) return drawn_label_loss(batches, scoring.seed);
  return reference_loss(batches, scoring.reference.empty() ? half_precision_logits(model, batches)
                                                           : scoring.reference);
}

Term term_for(const PruningConfig& config) {
  if (config.use_logits && !config.compatible) return Term::square;
  return config.per_example ? Term::example : Term::batch;
}

// f of the model on the device that jobs work on.
template <class Result, class F>
Result on_working_place(const Model& model, const F& f) {
  if (working_place().device == model.body.words().value.device()) return f(model);
  Model moved(model.config, model.heads, values_of(model.parameters));
  moved.move(working_place());
  return f(moved);
}

ImportanceScores measured(const Model& model, std::span<const FeatureBatch> batches,
                          const ImportanceOptions& options, const LossOfBatch& loss) {
  return on_working_place<ImportanceScores>(model, [&](const Model& placed) {
    return measure_importance(placed, batches, options, loss);
  });
}

std::string left_after(const Masks& masks, const PrunableSizes& sizes, const ModelConfig& config) {
  std::string text =
      std::to_string(masks.heads.empty() ? sum(sizes.heads) : kept(masks.heads)) + " heads, " +
      std::to_string(masks.ffn.empty() ? sum(sizes.ffn) : kept(masks.ffn)) + " neurons";
  if (!masks.channels.empty()) text += ", " + std::to_string(config.hidden_size) + " channels";
  if (!masks.layers.empty()) text += ", " + std::to_string(config.layers()) + " layers";
  return text + " left";
}

std::vector<uint8_t> all_of(int64_t count) {
  return std::vector<uint8_t>(static_cast<size_t>(count), uint8_t{1});
}

// The `total` most important of a row.
std::vector<uint8_t> most_important(const std::vector<double>& scores,
                                    const std::vector<uint8_t>& before, int64_t total) {
  return choose_mask({scores}, {before}, total, {}).front();
}

// ── step by step ────────────────────────────────────────────────────────────────────────────────

class Chooser {
 public:
  Chooser(const Model& whole, std::span<const FeatureBatch> batches, const PruningConfig& config,
          const ScoringOptions& scoring, const Notice& notice, const Recover& recover)
      : whole_(whole),
        batches_(batches),
        config_(config),
        notice_(notice),
        recover_(recover),
        sizes_(prunable_sizes(whole.config)),
        shared_(whole.config.shared.groups > 0),
        loss_(config.measures() ? loss_for(whole, batches, config, scoring) : LossOfBatch()) {}

  Pruning run() && {
    check_targets();
    drop_listed_layers();
    choose_layers();
    choose_channels();
    if (config_.target)
      choose_by_target();
    else
      choose_elements();
    if (recover_) result_.recovered = std::move(current_);
    return std::move(result_);
  }

 private:
  const Model& model() const { return current_ ? *current_ : whole_; }

  // What can be known before anything is measured.
  void check_targets() const {
    check_shared(whole_.config, sizes_, config_);
    const int64_t layers = whole_.config.layers() - std::ssize(config_.drop_layers);
    for (const int64_t layer : config_.drop_layers)
      check(layer < whole_.config.layers(), "prune: drop_layers: expected layers below ",
            whole_.config.layers(), ", got ", layer);
    check(config_.target_num_of_layers <= layers, "prune: target_num_of_layers: expected at most ",
          layers, ", got ", config_.target_num_of_layers);
    if (layers < whole_.config.layers() || config_.target_num_of_layers)
      config_with_layers(whole_.config, layer_mask());
    if (config_.target_hidden_size) {
      check(config_.target_hidden_size <= whole_.config.hidden_size,
            "prune: target_hidden_size: expected at most ", whole_.config.hidden_size, ", got ",
            config_.target_hidden_size);
      std::vector<uint8_t> some = all_of(whole_.config.hidden_size);
      std::fill(some.begin() + config_.target_hidden_size, some.end(), uint8_t{0});
      config_with_channels(whole_.config, some);
    }
    if (!config_.target && config_.drop_layers.empty() && !config_.target_num_of_layers)
      aims(sizes_, config_);
  }

  std::vector<uint8_t> layer_mask() const {
    std::vector<uint8_t> mask = all_of(whole_.config.layers());
    for (const int64_t layer : config_.drop_layers) mask[static_cast<size_t>(layer)] = 0;
    return mask;
  }

  ImportanceOptions measure_elements() const {
    return {.term = term_for(config_),
            .input_gate = config_.ffn_even_masking && !config_.target &&
                          (!config_.use_logits || config_.compatible)};
  }

  // Scores of what is left, in terms of the whole model.
  ImportanceScores measured_elements() const {
    const ImportanceScores scores = measured(model(), batches_, measure_elements(), loss_);
    const Masks& masks = result_.masks;
    const std::vector<uint8_t> layers = shared_ ? std::vector<uint8_t>() : masks.layers;
    return {.heads = spread(scores.heads, masks.heads, layers, sizes_.heads),
            .ffn = spread(scores.ffn, masks.ffn, layers, sizes_.ffn)};
  }

  // Cuts what the step's masks say out of the present model, and trains what is left.
  void finish(PruningStep step, const Masks& before, int64_t steps) {
    step.masks = result_.masks;
    result_.steps.push_back(std::move(step));
    current_ =
        std::make_shared<Model>(pruned_model(model(), relative(result_.masks, before, shared_)));
    if (notice_)
      notice_("step " + std::to_string(result_.steps.size()) + " of " + std::to_string(steps) +
              ": " + left_after(result_.masks, sizes_, current_->config));
    if (recover_) recover_(*current_, result_.steps.size() - 1);
  }

  int64_t all_steps() const {
    const bool turns = config_.pruning_order != PruningOrder::together;
    return (config_.drop_layers.empty() ? 0 : 1) +
           config_.n_iters *
               ((config_.target_num_of_layers ? 1 : 0) + (config_.target_hidden_size ? 1 : 0) +
                (config_.elements_go() ? turns ? 2 : 1 : 0));
  }

  void drop_listed_layers() {
    if (config_.drop_layers.empty()) return;
    result_.masks.layers = layer_mask();
    finish({}, {}, all_steps());
  }

  // Layers that share their weights are as important as one another.
  std::vector<double> layer_scores() const {
    if (shared_) return std::vector<double>(model().config.heads_per_layer.size(), 1.0);
    if (config_.layers_by_loss)
      return on_working_place<std::vector<double>>(model(), [&](const Model& placed) {
        return loss_without_layers(placed, batches_, loss_);
      });
    return measured(model(), batches_,
                    {.term = term_for(config_), .elements = false, .layers = true}, loss_)
        .layers;
  }

  void choose_layers() {
    if (!config_.target_num_of_layers) return;
    for (const int64_t total :
         schedule_totals(model().config.layers(), config_.target_num_of_layers, config_.n_iters)) {
      const Masks before = result_.masks;
      std::vector<uint8_t>& mask = result_.masks.layers;
      if (mask.empty()) mask = all_of(whole_.config.layers());
      PruningStep step;
      step.importance.layers = spread(layer_scores(), mask);
      mask = most_important(above_dropped(step.importance.layers, mask), mask, total);
      finish(std::move(step), before, all_steps());
    }
  }

  // A layer that is left comes before one that went, also where the loss would fall without it.
  static std::vector<double> above_dropped(std::vector<double> scores,
                                           const std::vector<uint8_t>& mask) {
    for (size_t i = 0; i < scores.size(); ++i)
      if (!mask[i]) scores[i] = -std::numeric_limits<double>::infinity();
    return scores;
  }

  void choose_channels() {
    if (!config_.target_hidden_size) return;
    for (int64_t total :
         schedule_totals(whole_.config.hidden_size, config_.target_hidden_size, config_.n_iters)) {
      total = total / config_.hidden_multiple_of * config_.hidden_multiple_of;
      const Masks before = result_.masks;
      std::vector<uint8_t>& mask = result_.masks.channels;
      if (mask.empty()) mask = all_of(whole_.config.hidden_size);
      PruningStep step;
      step.importance.channels =
          spread(measured(model(), batches_,
                          {.term = term_for(config_), .elements = false, .channels = true}, loss_)
                     .channels,
                 mask);
      mask = most_important(step.importance.channels, mask, total);
      finish(std::move(step), before, all_steps());
    }
  }

  Mask before_or_full(const Mask& mask, const Importance& like) const {
    if (!mask.empty()) return mask;
    Mask full = full_mask(like);
    if (!shared_ && !result_.masks.layers.empty())
      for (size_t l = 0; l < full.size(); ++l)
        if (!result_.masks.layers[l]) std::ranges::fill(full[l], uint8_t{0});
    return full;
  }

  void choose_elements() {
    if (!config_.elements_go()) return;
    const KeepOptions of_heads{.even = config_.head_even_masking,
                               .multiple_of = config_.head_multiple_of,
                               .at_least = config_.min_heads,
                               .compatible = config_.compatible};
    const KeepOptions of_ffn{.even = config_.ffn_even_masking,
                             .multiple_of = config_.multiple_of,
                             .networks = sizes_.networks,
                             .compatible = config_.compatible};
    const std::vector<uint8_t> rows = shared_ ? std::vector<uint8_t>() : result_.masks.layers;
    for (const Aim& aim : aims(prunable_sizes(model().config), config_)) {
      const Masks before = result_.masks;
      ImportanceScores scores = measured_elements();
      PruningStep step;
      if (aim.heads) {
        step.importance.heads = std::move(scores.heads);
        result_.masks.heads = choose_in_layers(step.importance.heads,
                                               before_or_full(before.heads, step.importance.heads),
                                               rows, aim.heads, of_heads);
      }
      if (aim.ffn) {
        step.importance.ffn = std::move(scores.ffn);
        result_.masks.ffn =
            choose_in_layers(step.importance.ffn, before_or_full(before.ffn, step.importance.ffn),
                             rows, aim.ffn, of_ffn);
      }
      finish(std::move(step), before, all_steps());
    }
  }

  void choose_by_target() {
    const ElementCosts costs = costs_for(*config_.target, model(), whole_, result_.costs);
    const CostRules rules{.heads = {.even = config_.head_even_masking || shared_,
                                    .multiple_of = config_.head_multiple_of,
                                    .at_least = config_.min_heads},
                          .ffn = {.even = config_.ffn_even_masking || shared_,
                                  .multiple_of = config_.multiple_of,
                                  .networks = sizes_.networks}};
    const PrunableSizes present = prunable_sizes(model().config);
    std::vector<int64_t> neurons = present.ffn;
    for (int64_t& n : neurons) n /= present.networks;
    const double now = cost_of(costs, present.heads, neurons);
    for (int64_t i = 1; i <= config_.n_iters; ++i) {
      const Masks before = result_.masks;
      PruningStep step{.importance = measured_elements()};
      Masks full = before;
      full.heads = before_or_full(before.heads, step.importance.heads);
      full.ffn = before_or_full(before.ffn, step.importance.ffn);
      // One that cannot be reached is refused before any step is taken.
      if (i == 1) check_budget(step.importance, full, costs, costs.budget, rules);
      const double share = static_cast<double>(i) / static_cast<double>(config_.n_iters),
                   budget = std::max(costs.budget, now + share * (costs.budget - now));
      result_.masks = choose_by_cost(step.importance, full, costs, budget, rules);
      finish(std::move(step), before, all_steps());
    }
  }

  const Model& whole_;
  std::span<const FeatureBatch> batches_;
  const PruningConfig& config_;
  const Notice& notice_;
  const Recover& recover_;
  PrunableSizes sizes_;
  bool shared_;
  LossOfBatch loss_;
  Pruning result_;
  std::shared_ptr<Model> current_;  // null: nothing has gone yet
};

}  // namespace

Pruning choose_masks(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring,
                     const Notice& notice, const Recover& recover) {
  return Chooser(model, batches, config, scoring, notice, recover).run();
}

Model pruned_model(const Model& model, const Masks& masks) {
  if (!masks.layers.empty())
    return pruned_model(with_layers(model, masks.layers),
                        rows_left(masks, model.config.shared.groups > 0));
  if (!masks.channels.empty())
    return with_channels(pruned_model(model, {masks.heads, masks.ffn}), masks.channels);
  const PrunedModel pruned = prune_with_masks(model.config, model.parameters, masks);
  return Model(pruned.config, model.heads, values_of(pruned.parameters));
}

Model masked_model(const Model& model, const Masks& masks) {
  Model masked(model.config, model.heads, copies_of(model.parameters));
  zero_masked(masked.config, masked.parameters, masks);
  return masked;
}

}  // namespace ink
