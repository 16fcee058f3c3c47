// Pruning a classifier: measure importance, choose what stays, cut; without any training.
//
//   prune({.model = "teacher", .out = "pruned", .data = "train.tsv",
//          .config = {.target_ffn_size = 512, .target_num_of_heads = 2,
//                     .pruning_method = PruningMethod::iterative, .n_iters = 4}});
//
// The pruned model is an ordinary one: finetune() recovers what was lost, prune()
// makes it smaller still.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "compress/importance.h"
#include "compress/pruning_config.h"
#include "compress/surgery.h"
#include "nn/model_folder.h"
#include "tasks/examples.h"
#include "tasks/features.h"

namespace ink {

// What a step of pruning measured and decided; heads or FFNs are empty in steps that
// concern the other alone.
struct PruningStep {
  ImportanceScores importance = {};
  Masks masks = {};  // of everything kept so far
};

struct Pruning {
  std::vector<PruningStep> steps;
  Masks masks;  // the result; relative to the model before
};

// Chooses masks in config.n_iters steps. Each measures the importance of what is left (the rest set
// to zero) on `batches` by the mean cross-entropy of their labels, and masks down to the next total
// of the schedule (compress/masks.h). With an order there are twice as many steps, heads and FFNs
// in turns. `model` is not changed. Raises Error for targets above the present sizes.
Pruning choose_masks(const Model& model, const std::vector<FeatureBatch>& batches,
                     const PruningConfig& config,
                     const std::function<void(const std::string& sentence)>& notice = {});

// The model that masks leave, in memory of its own.
Model pruned_model(const Model& model, const Masks& masks);

struct PruneOptions {
  // Folders; `out` receives the model and pruning.json (masks, first importance, settings).
  std::filesystem::path model, out;
  std::filesystem::path data = {};  // labelled examples, of the iterative method
  ReadOptions read = {};
  int64_t max_length = 128;
  int64_t batch_size = 32;   // scores depend on it a little (compress/importance.h)
  int64_t max_examples = 0;  // the first so many; 0: all
  // Of the method with given masks: {"head_mask": …, "ffn_mask": …}.
  std::filesystem::path masks = {};
  PruningConfig config = {};
};

struct PruneResult {
  std::vector<int64_t> heads_per_layer, ffn_per_layer;  // of the pruned model
  int64_t parameters_before = 0, parameters_after = 0;
};

// The parts of prune(), for jobs that cut more than heads and neurons: the masks that options and
// model come to, and the account of them, which goes to options.out.
Pruning plan_pruning(const PruneOptions& options, const Model& model,
                     const std::function<void(const std::string& sentence)>& notice = {});
void write_account(const PruneOptions& options, const Pruning& pruning);

PruneResult prune(const PruneOptions& options,
                  const std::function<void(const std::string& sentence)>& notice = {});

}  // namespace ink
