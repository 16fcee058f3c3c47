// Fine-tuning a model folder for a task, and evaluating the result.
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

struct FinetuneOptions {
  // Folders; `out` receives the best model, out/training its log and checkpoints.
  std::filesystem::path model, out;
  TaskData data;
  const Task* task = &classification_task();
  int64_t max_length = 128;            // tokens of a sequence
  std::optional<double> dropout = {};  // of the head; absent: as config.json says
  double layer_decay = 1;   // of the learning rate from layer to layer, tasks/layer_rates.h
  bool new_labels = false;  // those of the data and a new head, also where the model has them
  FitOptions fit = {};      // fit.folder is set here
};

struct TaskHooks {
  std::function<void(const Progress& progress)> progress = {};
  // After each evaluation; nothing is recorded meanwhile, and nothing should be changed.
  std::function<void(const Model& model, int64_t step, const Evaluation& evaluation)> evaluated =
      {};
  Notice notice = {};
};

struct FinetuneResult {
  TrainingResult training = {};
  Scores dev = {};  // of the model in `out`
  Labels labels = {};
  int64_t train_examples = 0, dev_examples = 0;
};

// Trains, evaluates after each epoch (or as fit says), and keeps the best by the task's score in
// `out`; with fit.keep_best = k also the k best, each in out/gs<step>. A model that
// already does the task keeps its labels, so it can be trained further (after pruning, say), unless
// new_labels is set; otherwise a new head is made for the labels of the data.
FinetuneResult finetune(const FinetuneOptions& options, const TaskHooks& hooks = {});

// What fine-tuning and distillation share: fits `model` with the loss and the fingerprint of
// `fit_hooks`, evaluates it on dev, has it saved in folders by `save`, and measures what is in
// `out` at the end.
FinetuneResult fit_task(Model& model, const TaskSet& train, const TaskSet& dev,
                        const std::filesystem::path& out, FitOptions fit, FitHooks fit_hooks,
                        const std::function<void(const std::filesystem::path& folder)>& save,
                        const TaskHooks& hooks);

// The folder's body, and its pooler if it has one, under heads that know nothing yet.
Model with_new_heads(const std::filesystem::path& folder, LoadOptions load, const Heads& heads);

// What every job on a task states of itself in FitHooks::fingerprint.
Json fingerprint_of(const char* job, const ModelConfig& config, const Tokenizer& tokenizer,
                    int64_t max_length);

}  // namespace ink
