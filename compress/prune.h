// Pruning a fine-tuned model: measure importance, choose what stays, cut; without any training,
// unless the config asks for recovery between the steps.
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
#include <optional>
#include <vector>

#include "compress/choose_masks.h"
#include "compress/pruning_speed.h"
#include "nn/model_folder.h"
#include "tasks/examples.h"

namespace ink {

struct PruneOptions {
  // Folders; `out` receives the model and pruning.json (compress/pruning_account.h).
  std::filesystem::path model, out;
  std::filesystem::path data = {};  // examples of the iterative method
  const Task* task = nullptr;       // null: classification
  ReadOptions read = {};
  int64_t max_length = 128;
  int64_t batch_size = 32;   // scores of batches depend on it a little (compress/importance.h)
  int64_t max_examples = 0;  // the first so many; 0: all
  uint64_t seed = 1;         // of drawn labels (compress/scoring.h)
  // Of a compatible config with use_logits: safetensors with the reference's logits, "0.0" those of
  // batch 0 (of spans "0.0" the starts, "0.1" the ends); empty: half_precision_logits.
  std::filesystem::path reference = {};
  // Of the method with given masks: {"head_mask": …, "ffn_mask": …}.
  std::filesystem::path masks = {};
  bool keep_shape = false;  // write zeros instead of cutting
  // Batch and length at which speed is measured, before and after; 0: those of a target in
  // milliseconds, and without one nothing is measured.
  int64_t speed_batch = 0, speed_length = 0;
  PruningConfig config = {};
};

struct PruneResult {
  std::vector<int64_t> heads_per_layer, ffn_per_layer;  // of the pruned model
  int64_t parameters_before = 0, parameters_after = 0;
  std::optional<PruningSpeed> speed = {};
};

// The parts of prune(), for jobs that cut more than heads and neurons: what can be refused before
// anything is measured, the masks that options and model come to, the model that they leave, and
// the account of them, which goes to options.out together with the cost table that was used; the
// speed that it says is returned. check_job raises Error for options that do not go together, masks
// that do not fit, and as check_pruning does.
void check_job(const PruneOptions& options, const ModelConfig& model);
Pruning plan_pruning(const PruneOptions& options, const Model& model, const Notice& notice = {});
Model model_after(const PruneOptions& options, const Model& model, const Pruning& pruning);
std::optional<PruningSpeed> write_account(const PruneOptions& options, const Model& model,
                                          const Model& smaller, const Pruning& pruning);

PruneResult prune(PruneOptions options, const Notice& notice = {});

}  // namespace ink
