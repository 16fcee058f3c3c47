// The job of pruning, from folder to folder.
#include "compress/prune.h"

#include <algorithm>
#include <numeric>

#include "compress/pruning_account.h"
#include "tasks/classification.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/safetensors.h"

namespace ink {
namespace {

constexpr size_t kLongestMasks = size_t{256} << 20;

const Task& task_of(const PruneOptions& options) {
  return options.task ? *options.task : classification_task();
}

// The examples in the order of the file, batch_size at a time.
std::vector<FeatureBatch> batches_of(const Features& features, const PruneOptions& options) {
  const int64_t all = features.size(),
                count = options.max_examples > 0 ? std::min(all, options.max_examples) : all;
  std::vector<FeatureBatch> batches;
  for (int64_t first = 0; first < count; first += options.batch_size) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min(options.batch_size, count - first)));
    std::iota(rows.begin(), rows.end(), first);
    batches.push_back(features.batch(rows));
  }
  return batches;
}

std::vector<FeatureBatch> scoring_batches(const PruneOptions& options, const ModelConfig& config,
                                          const Notice& notice) {
  check(!options.data.empty(), "prune: the iterative method measures importance; expected ",
        options.config.use_logits ? "" : "labelled ", "examples in `data` (--data)");
  const Task& task = task_of(options);
  ReadOptions read = options.read;
  if (options.config.use_logits) read.labelled = false;
  const TaskSet set = task.read(options.data, read, task.labels_of(config),
                                {load_tokenizer(options.model, config), options.max_length});
  const std::string cut = truncation_notice(*set.features, "examples");
  if (notice && !cut.empty()) notice(cut);
  return batches_of(*set.features, options);
}

std::vector<std::vector<Tensor>> reference_of(const PruneOptions& options) {
  std::vector<std::vector<Tensor>> all;
  if (options.reference.empty()) return all;
  check(options.config.use_logits && options.config.compatible,
        "prune: `reference` (--reference) is read with \"use_logits\" and \"compatible\" alone");
  const SafeTensors file(options.reference);
  const auto name = [&](size_t list) {
    return std::to_string(all.size()) + '.' + std::to_string(list);
  };
  while (file.find(name(0))) {
    std::vector<Tensor> lists;
    for (size_t k = 0; file.find(name(k)); ++k) lists.push_back(clone(file.tensor(name(k))));
    all.push_back(std::move(lists));
  }
  check(!all.empty(), "", options.reference.string(), ": expected logits called 0.0, 1.0, …");
  return all;
}

Masks given_masks(const PruneOptions& options) {
  check(!options.masks.empty(),
        "prune: the method \"masks\" cuts what is given; expected a file in `masks` "
        "(--masks), or set \"pruning_method\": \"iterative\"");
  return masks_from_json(
      parse_json(read_file(options.masks, kLongestMasks), options.masks.string()));
}

Json measured_on(const PruneOptions& options) {
  return Json::make_object({{"task", task_of(options).name},
                            {"max_length", options.max_length},
                            {"batch_size", options.batch_size},
                            {"max_examples", options.max_examples},
                            {"seed", options.seed},
                            {"keep_shape", options.keep_shape}});
}

}  // namespace

Pruning plan_pruning(const PruneOptions& options, const Model& model, const Notice& notice) {
  check_length(model.config, options.max_length);
  if (options.config.pruning_method == PruningMethod::masks)
    return {.steps = {}, .masks = given_masks(options)};
  const ScoringOptions scoring{
      .task = &task_of(options), .seed = options.seed, .reference = reference_of(options)};
  return choose_masks(model, scoring_batches(options, model.config, notice), options.config,
                      scoring, notice);
}

Model model_after(const PruneOptions& options, const Model& model, const Pruning& pruning) {
  if (options.keep_shape) return masked_model(model, pruning.masks);
  return pruned_model(model, pruning.masks);
}

void write_account(const PruneOptions& options, const Model& model, const Pruning& pruning) {
  const Json account = pruning_account(model, pruning, options.config, measured_on(options));
  write_file(options.out / "pruning.json", account.to_string() + '\n');
}

PruneResult prune(const PruneOptions& options, const Notice& notice) {
  check_other_folder("prune", options.model, options.out);
  check_no_model("prune", options.out);
  const Model model = load_model(options.model, {.notice = notice});
  const Pruning pruning = plan_pruning(options, model, notice);
  const Model smaller = model_after(options, model, pruning);
  save_folder(smaller, options.out, options.model, Dtype::f32, notice);
  write_account(options, model, pruning);
  return {smaller.config.heads_per_layer, smaller.config.ffn_per_layer, model.parameters.elements(),
          smaller.parameters.elements()};
}

}  // namespace ink
