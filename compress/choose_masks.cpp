// Iterations of measuring and masking.
#include "compress/choose_masks.h"

#include <algorithm>
#include <numeric>

#include "compress/scoring.h"
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

// On the device that jobs work on.
ImportanceScores measured(const Model& model, std::span<const FeatureBatch> batches,
                          const ImportanceOptions& options, const LossOfBatch& loss) {
  if (working_place().device == model.body.words().value.device())
    return measure_importance(model, batches, options, loss);
  Model moved(model.config, model.heads, values_of(model.parameters));
  moved.move(working_place());
  return measure_importance(moved, batches, options, loss);
}

// Scores of a model that `mask` has cut, in terms of the model before.
Importance spread(const Importance& scores, const Mask& mask) {
  if (mask.empty()) return scores;
  Importance all;
  for (size_t l = 0; l < mask.size(); ++l) {
    all.emplace_back(mask[l].size());
    size_t next = 0;
    for (size_t j = 0; j < mask[l].size(); ++j)
      if (mask[l][j]) all[l][j] = scores[l][next++];
  }
  return all;
}

Mask masked_further(const Importance& importance, const Mask& before, int64_t total,
                    const KeepOptions& options) {
  return choose_mask(importance, before.empty() ? full_mask(importance) : before, total, options);
}

std::string left_after(const Masks& masks, const PrunableSizes& sizes) {
  return std::to_string(masks.heads.empty() ? sum(sizes.heads) : kept(masks.heads)) + " heads, " +
         std::to_string(masks.ffn.empty() ? sum(sizes.ffn) : kept(masks.ffn)) + " neurons left";
}

}  // namespace

Pruning choose_masks(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring,
                     const Notice& notice) {
  const PrunableSizes sizes = prunable_sizes(model.config);
  check_shared(model.config, sizes, config);
  const std::vector<Aim> all = aims(sizes, config);
  const LossOfBatch loss = loss_for(model, batches, config, scoring);
  const ImportanceOptions measure{
      .term = term_for(config),
      .input_gate = config.ffn_even_masking && (!config.use_logits || config.compatible)};
  const KeepOptions of_heads{.even = config.head_even_masking,
                             .multiple_of = config.head_multiple_of,
                             .at_least = config.min_heads,
                             .compatible = config.compatible};
  const KeepOptions of_ffn{.even = config.ffn_even_masking,
                           .multiple_of = config.multiple_of,
                           .networks = sizes.networks,
                           .compatible = config.compatible};
  Pruning result;
  Masks& masks = result.masks;
  for (const Aim& aim : all) {
    ImportanceScores scores = result.steps.empty()
                                  ? measured(model, batches, measure, loss)
                                  : measured(pruned_model(model, masks), batches, measure, loss);
    PruningStep step;
    if (aim.heads) {
      step.importance.heads = spread(scores.heads, masks.heads);
      masks.heads = masked_further(step.importance.heads, masks.heads, aim.heads, of_heads);
    }
    if (aim.ffn) {
      step.importance.ffn = spread(scores.ffn, masks.ffn);
      masks.ffn = masked_further(step.importance.ffn, masks.ffn, aim.ffn, of_ffn);
    }
    step.masks = masks;
    result.steps.push_back(std::move(step));
    if (notice)
      notice("step " + std::to_string(result.steps.size()) + " of " + std::to_string(all.size()) +
             ": " + left_after(masks, sizes));
  }
  return result;
}

Model pruned_model(const Model& model, const Masks& masks) {
  const PrunedModel pruned = prune_with_masks(model.config, model.parameters, masks);
  return Model(pruned.config, model.heads, values_of(pruned.parameters));
}

Model masked_model(const Model& model, const Masks& masks) {
  Model masked(model.config, model.heads, copies_of(model.parameters));
  zero_masked(masked.config, masked.parameters, masks);
  return masked;
}

}  // namespace ink
