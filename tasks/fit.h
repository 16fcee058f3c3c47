// fit: AdamW over epochs of features, linear warm-up and decay, evaluations on the way.
//
// Fine-tuning and distillation differ in their loss only. Every epoch is a new random order
// of the examples, a function of (seed, epoch), so a resumed training goes on exactly where
// it was (autograd/trainer.h).
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "autograd/trainer.h"
#include "nn/encoder.h"
#include "tasks/features.h"

namespace ink {

struct FitOptions {
  int64_t epochs = 3;
  int64_t steps = 0;            // instead of epochs, which then begin anew until they are done
  int64_t batch_size = 32;      // examples in a micro-batch
  int64_t max_tokens = 16384;   // in a micro-batch
  int64_t accumulate = 1;       // micro-batches in a step
  double learning_rate = 5e-5;  // at its peak
  double warm_up = 0.1;         // share of the steps in which the rate rises from 0
  double weight_decay = 0.01;
  double clip_norm = 1;    // 0: never clipped
  bool recompute = false;  // layers are computed again in backward: less memory, a third more time
  bool graphs = false;     // steps of shapes that come again are replayed (TrainerOptions::graphs)
  // On the CUDA device, where FitHooks::filled is there: batches are filled up (nn/fill.h), so that
  // they have few shapes. It changes no result but by rounding.
  bool fill = false;
  uint64_t seed = 1;
  // When it is evaluated: per_epoch times in each every_epochs-th epoch and in the last (see
  // epoch_milestones), or else every evaluate_every steps; and after the last step.
  int64_t evaluate_every = 0, per_epoch = 1, every_epochs = 1;
  int64_t early_stop = 0;   // evaluations in a row without a better one that end it; 0: none do
  int64_t keep_best = 0;    // how many of the best models FitHooks::save keeps beside the best one
  int64_t log_every = 10;   // steps averaged in a line of the log
  bool event_file = false;  // for TensorBoard, beside the log,
  std::filesystem::path event_folder = {};  // or here
  std::filesystem::path folder = {};        // of log and checkpoints; empty: neither
  bool resume = false;
  const std::atomic<bool>* stop = nullptr;
};

// How the model runs on a batch that is trained on.
EncoderOptions training_options(const FitOptions& options, const Random& random);

struct FitHooks {
  // What the job is made of beside `train` and the options of fit: a run is resumed only when it
  // is the same (tensor/fingerprint.h).
  Json fingerprint = {};
  // The loss of a batch at step `step` of `steps`; recorded.
  std::function<MicroLoss(const FeatureBatch& batch, const Random& random, int64_t step,
                          int64_t steps)>
      loss;
  // For FitOptions::graphs, where the loss is the same at every step and follows from these inputs
  // (tasks/replay.h) by ops.
  std::function<MicroInputs(const FeatureBatch& batch)> inputs = {};
  // For FitOptions::fill.
  std::function<FeatureBatch(const FeatureBatch& batch)> filled = {};
  std::function<Evaluation(int64_t step)> evaluate = {};
  // After one better than all before.
  std::function<void(int64_t step, const Evaluation& best)> keep_best = {};
  // With FitOptions::keep_best, as TrainingHooks say.
  std::function<void(int64_t step, const Evaluation& evaluation)> keep = {};
  std::function<void(int64_t step)> drop = {};
  // fit_task: the latest counts as the best, for losses of which the task's score says nothing.
  bool latest_is_best = false;
  std::function<void(const Progress& progress)> progress = {};
  std::function<void(const std::string& sentence)> notice = {};
};

// TextBrewer's rule for checkpoints: an epoch of S steps has them behind the whole parts of S·i/n,
// i = 1 to n = per_epoch, if its number (from 1) is a multiple of every_epochs, or it is the last.
// epoch_ends: the number of steps done at the end of each. Ascending, each step once.
std::vector<int64_t> epoch_milestones(std::span<const int64_t> epoch_ends, int64_t per_epoch,
                                      int64_t every_epochs);

// How many steps that are.
int64_t steps_of(const Features& train, const FitOptions& options);
// After which of them the model is evaluated, in ascending order; the last of them always.
std::vector<int64_t> evaluation_steps(const Features& train, const FitOptions& options);

TrainingResult fit(Parameters& parameters, const Features& train, const FitOptions& options,
                   const FitHooks& hooks);

}  // namespace ink
