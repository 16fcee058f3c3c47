// Choosing the loss, and calling it on the working place.
#include "compress/pruning_measure.h"

#include <algorithm>

#include "compress/scoring.h"
#include "compress/values.h"
#include "tasks/classification.h"
#include "tensor/error.h"

namespace ink {
namespace {

LossOfBatch loss_for(const Model& model, std::span<const FeatureBatch> batches,
                     const PruningConfig& config, const ScoringOptions& scoring) {
  if (!config.measures()) return {};
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
template <class F>
auto on_working_place(const Model& model, const F& f) {
  const Place place = training_place("prune");
  if (place.device == model.body.words().value.device()) return f(model);
  Model moved(model.config, model.heads, values_of(model.parameters));
  moved.move(place);
  return f(moved);
}

bool has_influence(const ImportanceScores& scores) {
  const auto any = [](const std::vector<double>& row) {
    return std::ranges::any_of(row, [](double score) { return score != 0; });
  };
  return std::ranges::any_of(scores.heads, any) || std::ranges::any_of(scores.ffn, any) ||
         any(scores.layers) || any(scores.channels);
}

}  // namespace

PruningMeasure::PruningMeasure(const Model& whole, std::span<const FeatureBatch> batches,
                               const PruningConfig& config, const ScoringOptions& scoring)
    : batches_(batches), config_(config), loss_(loss_for(whole, batches, config, scoring)) {}

ImportanceScores PruningMeasure::measured(const Model& model, ImportanceOptions options) const {
  options.term = term_for(config_);
  ImportanceScores scores = on_working_place(model, [&](const Model& placed) {
    return measure_importance(placed, batches_, options, loss_);
  });
  check(has_influence(scores),
        "prune: nothing that could go has any influence on what the model says of these examples, "
        "so nothing tells what to keep; expected other examples, or a trained model");
  return scores;
}

// Layers that share their weights are as important as one another.
std::vector<double> PruningMeasure::layers(const Model& model) const {
  if (model.config.shared.groups > 0)
    return std::vector<double>(model.config.heads_per_layer.size(), 1.0);
  if (config_.layers_by_loss)
    return on_working_place(
        model, [&](const Model& placed) { return loss_without_layers(placed, batches_, loss_); });
  return measured(model, {.elements = false, .layers = true}).layers;
}

std::vector<double> PruningMeasure::channels(const Model& model) const {
  return measured(model, {.elements = false, .channels = true}).channels;
}

ImportanceScores PruningMeasure::elements(const Model& model) const {
  return measured(model, {.input_gate = config_.ffn_even_masking && !config_.target &&
                                        (!config_.use_logits || config_.compatible)});
}

}  // namespace ink
