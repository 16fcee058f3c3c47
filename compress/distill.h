// Distillation: a small student learns a task from a fine-tuned teacher, from folder to folder.
//
//   distill({.teacher = "teacher", .out = "student",
//            .student = {.layers_from_teacher = {0, 2}},
//            .data = {.train = "train.tsv", .dev = "dev.tsv"},
//            .config = {.temperature = 8, .hard_label_weight = 0.5}});
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "tasks/finetune.h"

namespace ink {

// Where the student comes from; exactly one of the three. Labels and vocabulary are the teacher's.
struct StudentOptions {
  std::filesystem::path folder = {};             // a model, pre-trained or pruned
  std::optional<ModelConfig> architecture = {};  // new, with random weights
  // The teacher's embeddings, head, and these of its layers, from 0.
  std::vector<int64_t> layers_from_teacher = {};
};

struct DistillOptions {
  // Folders; `out` receives the best student, out/training its log and checkpoints.
  std::filesystem::path teacher, out;
  StudentOptions student = {};
  TaskData data = {};
  int64_t max_length = 128;
  DistillationConfig config = {};
  // Instead of config.intermediate_matches: every student layer with the teacher's at the same
  // share of the depth.
  std::optional<MatchLoss> match_evenly = {};
  FitOptions fit = {};  // fit.folder is set here
};

struct DistillResult {
  FinetuneResult student = {};
  double teacher_accuracy = 0;  // on the development examples
};

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks = {});

// A model of the same sizes with some of another's layers, in the order given;
// everything else is copied.
Model model_from_layers(const Model& teacher, const std::vector<int64_t>& layers);

// Options from a file as `inkstone distill --config` reads it:
//   {"teacher": "folder",
//    "student": "folder" or {"architecture": "config.json"} or {"layers_from_teacher": [0, 2]},
//    "train": "train.tsv", "dev": "dev.tsv", "columns": "label,text", "max_length": 128,
//    "match_evenly": "hidden_mse",
//    "TrainingConfig": {"output_dir": "student", "num_epochs": 10, "learning_rate": 1e-4,
//                       "batch_size": 32, "gradient_accumulation_steps": 1,
//                       "warmup_proportion": 0.1, "max_grad_norm": 1, "weight_decay": 0.01,
//                       "seed": 1, "device": "cpu"},
//    "DistillationConfig": {"temperature": 8, …}}
// Paths are relative to the working directory. Raises Error for unknown keys.
DistillOptions distill_options_from_json(const Json& json);

}  // namespace ink
