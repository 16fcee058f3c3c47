// Fine-tuning a model folder for classification, and evaluating the result.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "nn/model_folder.h"
#include "tasks/classification.h"
#include "tasks/examples.h"
#include "tasks/fit.h"

namespace ink {

// Training and development examples of a task.
struct TaskData {
  std::filesystem::path train, dev;  // dev empty: a part of train, see dev_fraction
  ReadOptions read = {};
  double dev_fraction = 0.1;  // of train, in whole groups (tasks/split.h)
};
struct TaskExamples {
  Examples train, dev;
};
// With `labels` where the model already has them, else those of the training examples.
TaskExamples read_task(const TaskData& data, const Labels* labels, uint64_t seed);

struct FinetuneOptions {
  // Folders; `out` receives the best model, out/training its log and checkpoints.
  std::filesystem::path model, out;
  TaskData data;
  int64_t max_length = 128;            // tokens of a sequence
  std::optional<double> dropout = {};  // of the classifier; absent: as config.json says
  bool new_labels = false;  // those of the data and a new head, also where the model classifies
  FitOptions fit = {};      // fit.folder is set here
};

struct TaskHooks {
  std::function<void(const Progress& progress)> progress = {};
  std::function<void(const std::string& sentence)> notice = {};
};

struct FinetuneResult {
  TrainingResult training = {};
  Evaluated dev = {};  // of the model in `out`
  Labels labels = {};
  int64_t train_examples = 0, dev_examples = 0;
};

// Trains, evaluates after each epoch by accuracy, and keeps the best in `out`. A model that already
// classifies keeps its labels, so it can be trained further (after pruning, say), unless new_labels
// is set; otherwise a new head is made for the labels of the data.
FinetuneResult finetune(const FinetuneOptions& options, const TaskHooks& hooks = {});

// What fine-tuning and distillation share: fits `model` with the loss, fingerprint
// and keep_best of `fit_hooks`, evaluates it on dev after each epoch by accuracy,
// and evaluates what is in `out` at the end.
FinetuneResult fit_task(Model& model, const Features& train, const Features& dev,
                        const Labels& labels, const std::filesystem::path& out, FitOptions fit,
                        FitHooks fit_hooks, const TaskHooks& hooks);

// What every job on a task states of itself in FitHooks::fingerprint.
Json fingerprint_of(const char* job, const ModelConfig& config, const Tokenizer& tokenizer,
                    int64_t max_length);

// What the trainer compares and logs: accuracy as the score, and macro F1 and loss.
Evaluation evaluation_of(const Evaluated& evaluated);

}  // namespace ink
