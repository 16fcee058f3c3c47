// The job of pruning, from folder to folder.
#include "compress/prune.h"

#include <algorithm>
#include <numeric>

#include "compress/check_pruning.h"
#include "compress/element_costs.h"
#include "compress/loss_of_task.h"
#include "compress/pruning_account.h"
#include "compress/recovery.h"
#include "compress/result_folder.h"
#include "compress/surgery.h"
#include "compress/values.h"
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

bool reads_labels(const PruningConfig& config) {
  const std::optional<RecoveryConfig>& recovery = config.recovery;
  return (config.measures() && !config.use_logits) ||
         (recovery && (!recovery->distil || recovery->hard_label_weight > 0));
}

// An answer that stands nowhere in its context is enough to judge a model by, but not for this.
void check_answered(const PruneOptions& options, const Features& features) {
  if (!task_of(options).heads.span || !reads_labels(options.config)) return;
  for (int64_t i = 0; i < features.size(); ++i)
    check(features.labelled(i), "", options.data.string(), ": question ", features.line(i),
          ": expected an answer that stands in the context");
}

// The examples that importance is measured on.
TaskSet read_examples(const PruneOptions& options, const ModelConfig& config,
                      const Notice& notice) {
  check(!options.data.empty(), "prune: the iterative method measures importance; expected ",
        options.config.use_logits ? "" : "labelled ", "examples in `data` (--data)");
  const Task& task = task_of(options);
  ReadOptions read = options.read;
  if (options.config.use_logits) read.labelled = false;
  TaskSet set = task.read(options.data, read, task.labels_of(config),
                          {load_tokenizer(options.model, config), options.max_length});
  check_answered(options, *set.features);
  const std::string cut = truncation_notice(*set.features, "examples");
  if (notice && !cut.empty()) notice(cut);
  return set;
}

std::vector<std::vector<Tensor>> reference_of(const PruneOptions& options) {
  std::vector<std::vector<Tensor>> all;
  if (options.reference.empty()) return all;
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
  const std::string file = options.masks.string();
  Masks masks = masks_from_json(parse_json(read_file(options.masks, kLongestMasks), file));
  check(!masks.heads.empty() || !masks.ffn.empty() || !masks.layers.empty() ||
            !masks.channels.empty(),
        "", file, ": expected head_mask, ffn_mask, layer_mask or channel_mask, got none of them");
  return masks;
}

// Options of one method beside the other.
void check_method(const PruneOptions& options) {
  const bool masks = options.config.pruning_method == PruningMethod::masks;
  check(!masks || !options.config.cuts(),
        "prune: the method \"masks\" cuts what --masks says and heeds no targets; set "
        "\"pruning_method\": \"iterative\" to prune by importance, or leave the targets out");
  check(masks || options.masks.empty(),
        "prune: `masks` (--masks) are for \"pruning_method\": \"masks\"; leave them out, or set "
        "that method and no targets");
  check(options.reference.empty() ||
            (!masks && options.config.use_logits && options.config.compatible),
        "prune: `reference` (--reference) is read with \"use_logits\" and \"compatible\" alone");
  check(masks || !options.config.use_logits || !options.config.compatible ||
            kd_loss_of(task_of(options)) == KdLoss::ce,
        "prune: without labels \"compatible\" compares distributions over classes, as TextPruner "
        "does, and the task ",
        task_of(options).name, " has none; expected \"compatible\" or \"use_logits\" false");
}

// Zeros in the place of what goes make nothing smaller or faster.
void check_kept_shape(const PruneOptions& options) {
  if (!options.keep_shape) return;
  const PruningConfig& c = options.config;
  check(!c.recovery,
        "prune: what recovery trains is smaller; expected no keep_shape (--keep-shape)");
  check(c.drop_layers.empty() && !c.target_num_of_layers && !c.target_hidden_size,
        "prune: layers and channels cannot be zeroed, as layer norms would still count them; "
        "expected no keep_shape (--keep-shape), or no target_num_of_layers, drop_layers and "
        "target_hidden_size");
  check(!c.target,
        "prune: a target is of the model that is cut, and with keep_shape (--keep-shape) it stays "
        "as large and slow as it is; expected target_num_of_heads or target_ffn_size instead, or "
        "no keep_shape");
  check(!options.speed_batch,
        "prune: zeros take as long as other numbers; expected no keep_shape (--keep-shape) where "
        "speed is measured (--speed)");
}

void check_lengths(const PruneOptions& options, const ModelConfig& model) {
  check_length(model, options.max_length);
  check(options.speed_length <= model.longest(), "prune: speed: expected a length of at most ",
        model.longest(), ", got ", options.speed_length);
}

void check_masks_fit(const PruneOptions& options, const ModelConfig& model) {
  const Masks masks = given_masks(options);
  try {
    pruned_config(model, masks);
  } catch (const Error& error) {
    fail("", options.masks.string(), ": ", error.message());
  }
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

void check_job(const PruneOptions& options, const ModelConfig& model) {
  check_lengths(options, model);
  check_method(options);
  check_kept_shape(options);
  if (options.config.pruning_method == PruningMethod::masks)
    check_masks_fit(options, model);
  else
    check_pruning(model, options.config);
}

Pruning plan_pruning(const PruneOptions& options, const Model& model, const Notice& notice) {
  check_job(options, model.config);
  const PruningConfig& config = options.config;
  const bool reads = config.measures() || config.recovery;
  if (notice && !reads && !options.data.empty())
    notice("nothing is measured and nothing trained, so `data` (--data) is not read");
  if (config.pruning_method == PruningMethod::masks) {
    Masks masks = given_masks(options);
    if (notice && keeps_everything(masks)) notice("the masks keep everything, so nothing goes");
    return {.steps = {}, .masks = std::move(masks)};
  }
  if (!reads) return choose_masks(model, {}, config, {}, notice);
  const ScoringOptions scoring{
      .task = &task_of(options), .seed = options.seed, .reference = reference_of(options)};
  const TaskSet examples = read_examples(options, model.config, notice);
  const Recover recover =
      config.recovery
          ? recovery_by(*config.recovery,
                        {task_of(options), *examples.features, model, options.seed}, notice)
          : Recover();
  return choose_masks(model, batches_of(*examples.features, options), config, scoring, notice,
                      recover);
}

Model model_after(const PruneOptions& options, const Model& model, const Pruning& pruning) {
  if (pruning.recovered)
    return Model(pruning.recovered->config, pruning.recovered->heads,
                 values_of(pruning.recovered->parameters));
  if (options.keep_shape) return masked_model(model, pruning.masks);
  return pruned_model(model, pruning.masks);
}

std::optional<PruningSpeed> write_account(const PruneOptions& options, const Model& model,
                                          const Model& smaller, const Pruning& pruning) {
  const std::optional<PruningTarget>& target = options.config.target;
  const bool timed = target && target->timed();
  std::optional<CostTable> table = pruning.costs;
  std::optional<PruningSpeed> speed;
  if (options.speed_batch || timed)
    speed = options.speed_batch
                ? measure_speed(model, smaller, options.speed_batch, options.speed_length, table)
                : measure_speed(model, smaller, target->batch, target->length, table);
  Json account = pruning_account(model, pruning, options.config, measured_on(options));
  account.set("after", sizes_of(smaller.config, smaller.heads));  // with keep_shape those of before
  if (speed) account.set("speed", to_json(*speed));
  write_file(options.out / "pruning.json", account.to_string() + '\n');
  if (pruning.costs) table = pruning.costs;
  if (table) write_file(options.out / "cost_table.json", table->to_json().to_string(2) + '\n');
  return speed;
}

PruneResult prune(PruneOptions options, const Notice& notice) {
  check_result_folder(options.model, options.out);
  if (options.config.target) read_costs(*options.config.target);
  const Model model = load_model(options.model, {.notice = notice});
  const Pruning pruning = plan_pruning(options, model, notice);
  const Model smaller = model_after(options, model, pruning);
  save_folder(smaller, options.out, options.model, Dtype::f32, notice);
  const std::optional<PruningSpeed> speed = write_account(options, model, smaller, pruning);
  return {smaller.config.heads_per_layer, smaller.config.ffn_per_layer, model.parameters.elements(),
          smaller.parameters.elements(), speed};
}

}  // namespace ink
