// Iterations of measuring and masking, then one cut.
#include "compress/prune.h"

#include <algorithm>
#include <numeric>

#include "compress/values.h"
#include "tasks/classification.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {
namespace {

constexpr size_t kLongestMasks = size_t{256} << 20;

// One step's aims: totals to keep in all layers together; 0 leaves that kind alone.
struct Aim {
  int64_t heads = 0, ffn = 0;
};

int64_t sum(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
}

std::vector<int64_t> totals(const char* key, const std::vector<int64_t>& sizes, int64_t target,
                            int64_t steps) {
  const auto layers = static_cast<int64_t>(sizes.size());
  check(target * layers <= sum(sizes), "prune: ", key, ": expected at most ", sum(sizes) / layers,
        " per layer (", sum(sizes), " in all ", layers, " layers together), got ", target);
  return target ? schedule_totals(sum(sizes), target * layers, steps)
                : std::vector<int64_t>(static_cast<size_t>(steps));
}

std::vector<Aim> aims(const ModelConfig& model, const PruningConfig& config) {
  const std::vector<int64_t> heads = totals("target_num_of_heads", model.heads_per_layer,
                                            config.target_num_of_heads, config.n_iters);
  const std::vector<int64_t> ffn =
      totals("target_ffn_size", model.ffn_per_layer, config.target_ffn_size, config.n_iters);
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

std::vector<FeatureBatch> scoring_batches(
    const PruneOptions& options, const ModelConfig& config,
    const std::function<void(const std::string& sentence)>& notice) {
  check(!options.data.empty(),
        "prune: the iterative method measures importance; expected labelled examples in `data` "
        "(--data)");
  const Labels labels = labels_of(config);
  Examples examples = read_examples(options.data, options.read, &labels);
  if (options.max_examples > 0 && examples.items.size() > static_cast<size_t>(options.max_examples))
    examples.items.resize(static_cast<size_t>(options.max_examples));
  const Features features(examples, load_tokenizer(options.model, config), options.max_length);
  const std::string cut = truncation_notice(features, "examples");
  if (notice && !cut.empty()) notice(cut);
  std::vector<FeatureBatch> batches;
  for (const std::vector<int64_t>& rows :
       features.plan({.sequences = options.batch_size, .max_tokens = int64_t{1} << 40}))
    batches.push_back(features.batch(rows));
  return batches;
}

Json to_json(const Importance& importance) {
  Json rows = Json::make_array();
  for (const std::vector<double>& layer : importance)
    rows.append(Json::make_array({layer.begin(), layer.end()}));
  return rows;
}

}  // namespace

Pruning choose_masks(const Model& model, const std::vector<FeatureBatch>& batches,
                     const PruningConfig& config,
                     const std::function<void(const std::string& sentence)>& notice) {
  check(model.classification.has_value(),
        "prune: expected a model with a classification head; fine-tune it first");
  Model working(model.config, model.heads, copies_of(model.parameters));
  ImportanceOptions measure{.batches = static_cast<int64_t>(batches.size()),
                            .input_gate = config.ffn_even_masking};
  for (const FeatureBatch& batch : batches) measure.examples += batch.inputs.sequences();
  const auto loss = [&](int64_t i) {
    const FeatureBatch& batch = batches[static_cast<size_t>(i)];
    return working.classification->loss(classify(working, batch.inputs), batch.labels);
  };

  Pruning result;
  const std::vector<Aim> all = aims(model.config, config);
  for (const Aim& aim : all) {
    PruningStep step{.importance =
                         measure_importance(working.config, working.parameters, measure, loss)};
    Masks& masks = result.masks;
    if (aim.heads) {
      if (masks.heads.empty()) masks.heads = full_mask(step.importance.heads);
      masks.heads = choose_mask(step.importance.heads, masks.heads, aim.heads,
                                {.even = config.head_even_masking, .at_least = config.min_heads});
    } else {
      step.importance.heads.clear();
    }
    if (aim.ffn) {
      if (masks.ffn.empty()) masks.ffn = full_mask(step.importance.ffn);
      masks.ffn = choose_mask(step.importance.ffn, masks.ffn, aim.ffn,
                              {.even = config.ffn_even_masking, .multiple_of = config.multiple_of});
    } else {
      step.importance.ffn.clear();
    }
    zero_masked(working.config, working.parameters, masks);
    step.masks = masks;
    result.steps.push_back(std::move(step));
    if (notice)
      notice("step " + std::to_string(result.steps.size()) + " of " + std::to_string(all.size()) +
             ": " +
             std::to_string(masks.heads.empty() ? sum(model.config.heads_per_layer)
                                                : kept(masks.heads)) +
             " heads, " +
             std::to_string(masks.ffn.empty() ? sum(model.config.ffn_per_layer) : kept(masks.ffn)) +
             " neurons left");
  }
  return result;
}

Model pruned_model(const Model& model, const Masks& masks) {
  const PrunedModel pruned = prune_with_masks(model.config, model.parameters, masks);
  return Model(pruned.config, model.heads, values_of(pruned.parameters));
}

void write_account(const PruneOptions& options, const Pruning& pruning) {
  Json json = to_json(pruning.masks);
  json.set("config", options.config.to_json());
  json.set("measured", Json::make_object({{"max_length", options.max_length},
                                          {"batch_size", options.batch_size},
                                          {"max_examples", options.max_examples}}));
  for (const PruningStep& step : pruning.steps) {
    if (!step.importance.heads.empty() && !json.has("head_importance"))
      json.set("head_importance", to_json(step.importance.heads));
    if (!step.importance.ffn.empty() && !json.has("ffn_importance"))
      json.set("ffn_importance", to_json(step.importance.ffn));
  }
  write_file(options.out / "pruning.json", json.to_string() + '\n');
}

Pruning plan_pruning(const PruneOptions& options, const Model& model,
                     const std::function<void(const std::string& sentence)>& notice) {
  check_length(model.config, options.max_length);
  if (options.config.pruning_method == PruningMethod::iterative)
    return choose_masks(model, scoring_batches(options, model.config, notice), options.config,
                        notice);
  check(!options.masks.empty(),
        "prune: the method \"masks\" cuts what is given; expected a file in `masks` "
        "(--masks), or set \"pruning_method\": \"iterative\"");
  const std::string text = read_file(options.masks, kLongestMasks);
  return {.steps = {}, .masks = masks_from_json(parse_json(text, options.masks.string()))};
}

PruneResult prune(const PruneOptions& options,
                  const std::function<void(const std::string& sentence)>& notice) {
  check_other_folder("prune", options.model, options.out);
  check_no_model("prune", options.out);
  const Model model = load_model(options.model, {.notice = notice});
  const Pruning pruning = plan_pruning(options, model, notice);
  const Model smaller = pruned_model(model, pruning.masks);
  save_folder(smaller, options.out, options.model, Dtype::f32, notice);
  write_account(options, pruning);
  return {smaller.config.heads_per_layer, smaller.config.ffn_per_layer, model.parameters.elements(),
          smaller.parameters.elements()};
}

}  // namespace ink
