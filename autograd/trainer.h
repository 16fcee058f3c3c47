// The one training loop; a step is w ← optimizer(w, clip(Σᵢ wᵢ ∇Lᵢ / Σᵢ wᵢ)) over micro-batches i.
//
// Pre-training, fine-tuning and distillation all run it. It knows parameters and losses; models and
// texts stay with the caller, who computes the loss of one micro-batch:
//
//   Parameters parameters = …;
//   TrainingHooks hooks;
//   hooks.loss = [&](int64_t micro_batch, const Random& random) -> MicroLoss {
//     const Batch& batch = batches[micro_batch % batches.size()];
//     return {.loss = cross_entropy(model(batch.inputs, &random), batch.labels),
//             .weight = batch.size()};
//   };
//   Optimizer optimizer(parameters);
//   const TrainingResult result = train(parameters, optimizer, schedule, {.steps = 1000}, hooks);
//
// Exact resume. There is no generator state: micro-batch i of step s draws from
// Random(seed).split("steps").split(s).split(i), and the data of a step should likewise follow
// from (seed, position). With `folder` set, training writes a log (log.jsonl) and checkpoints
// there; with `resume` it continues from the newest valid checkpoint, and ends with the same bits
// as a run that was never interrupted. Without `resume`, a folder that already holds checkpoints is
// an Error.
//
// Several processes (`processes`, autograd/communicator.h) share the micro-batches of a step:
// number i is computed by process i mod W, with the random numbers it has in one process; gradients
// are added up, and every process takes the same step. The result is that of one process but for
// the order of sums, and a run may be resumed by another number of them. The first process alone
// writes, evaluates and calls the hooks evaluate, keep_best, progress and notice. All check that
// they hold the same settings, data and parameters at the start and before every checkpoint; they
// stop at the same step when one of them is asked to. The folder must be one that all can read.
//
// On the CUDA device (parameters moved there by Optimizer::place) no step waits for the device:
// losses and norms are read when a line of the log, an evaluation or a checkpoint needs them. Hooks
// should not wait either: they hand metrics over as `measures`. Progress shows the values of the
// last step that was read. f16 is trained with a loss scale, which the log shows; a step whose
// gradients overflow it changes nothing, and counts. Several processes whose devices are joined
// exchange gradients, losses and measures there, judge each step alike, and do not wait either;
// others exchange gradients through the host and do wait.
//
// With `graphs` steps are replayed there (autograd/step_graphs.h), with the same bits.
//
// Errors: a loss or gradient that is not finite raises Error naming the step (and the
// parameter), on the CUDA device when it is read; parameters are those before the step, checkpoints
// are untouched. Exceptions of hooks pass through.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/communicator.h"
#include "autograd/deferred_steps.h"
#include "autograd/metrics.h"
#include "autograd/optimizer.h"
#include "autograd/schedule.h"
#include "tensor/json.h"
#include "tensor/parameters.h"
#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace ink {

struct TrainerOptions {
  int64_t steps = 0;           // optimizer steps in all, those before a resume included
  int64_t accumulate = 1;      // micro-batches in a step, at least one for each process
  double clip_norm = 1.0;      // longest gradient (global norm); 0 = never clipped
  uint64_t seed = 1;           // of the random numbers handed to the loss
  int64_t log_every = 1;       // steps averaged in a line of the log
  int64_t evaluate_every = 0;  // steps; 0 = only after the last one
  // Further steps behind which it evaluates and writes a checkpoint, in ascending order.
  std::vector<int64_t> milestones = {};
  // So many evaluations in a row, none better than the best before, end the training; 0 = none do.
  int64_t early_stop = 0;
  int64_t keep_best = 0;  // how many evaluations' parameters the hooks keep and drop hold
  std::filesystem::path folder = {};  // of log and checkpoints; empty = neither
  bool event_file = false;            // TensorBoard's (autograd/event_file.h), beside the log,
  std::filesystem::path event_folder = {};  // or here
  int64_t checkpoint_every = 0;             // steps; 0 = only at the end and when stopped
  int64_t keep_checkpoints = 2;             // newest ones kept
  // Continue from the newest valid checkpoint in `folder`, if any. It must have been written with
  // the same seed, accumulation, clipping, optimizer and schedule; the Error says which differs.
  bool resume = false;
  // On the CUDA device: forward and backward of micro-batches whose shape comes again are recorded
  // and replayed (autograd/step_graphs.h), with the same bits and more memory.
  bool graphs = false;
  // Set by another thread or a signal handler: checkpoint, then return.
  const std::atomic<bool>* stop = nullptr;
  Communicator* processes = nullptr;  // that train together; null = this one alone
};

// What the loss function returns for one micro-batch. With weight = rows that count in the mean
// `loss`, k micro-batches give the gradient of one batch k times as large.
struct MicroLoss {
  Tensor loss = {};                    // scalar, recorded on the tape that the trainer has opened
  double weight = 1;                   // ≥ 0, and positive for one micro-batch of a step at least
  int64_t tokens = 0;                  // for tokens per second
  Metrics metrics = {};                // averaged by weight, logged under their names
  std::vector<Measure> measures = {};  // likewise, after them: those a device still computes
};

// A micro-batch as what a recorded step may be replayed for (TrainerOptions::graphs).
struct MicroInputs {
  // All numbers that its loss follows from, beside parameters: of the host, contiguous. Index
  // tensors (i32) are given to the loss there, others (f32) on the device.
  std::vector<Tensor> tensors = {};
  // What else the work on it depends on: lengths of sequences, which losses there are.
  std::vector<int64_t> structure = {};
  // What the host knows of it: MicroLoss without its tensors, with the factors of all measures.
  MicroLoss known = {};
  // Why no other's recording serves it; empty where one does. "… where <obstacle>"
  std::string obstacle = {};
};

// The loss as a function of such inputs: by ops alone, the bits of TrainingHooks::loss. What it
// does on the host beside them is done when it is recorded, and never again: it may not look into
// index tensors, nor draw from `random`, nor change anything.
struct ReplayableLoss {
  std::function<MicroInputs(int64_t micro_batch)> inputs;
  std::function<MicroLoss(const MicroInputs& inputs, const Random& random)> loss;
};

struct Evaluation {
  double score = 0;      // higher is better: an accuracy, a negative loss
  Metrics metrics = {};  // logged under their names
};

struct Progress {
  int64_t step = 0, steps = 0;                            // steps done, of how many
  double loss = 0, learning_rate = 0, gradient_norm = 0;  // of this step; the norm before clipping
  double tokens_per_second = 0, seconds_left = 0;         // smoothed
};

struct TrainingHooks {
  // Required: the loss of micro-batch step · accumulate + i. Values it replaces in parameters that
  // are not trained are put back where a stop cuts the step short.
  std::function<MicroLoss(int64_t micro_batch, const Random& random)> loss;
  ReplayableLoss replayable = {};  // for options.graphs
  // Where the data stands after the steps done so far, kept in checkpoints; and the way back there.
  // Both or neither: a loss that is a function of the micro-batch number needs none.
  std::function<Json()> data_state;
  std::function<void(const Json& state)> restore_data;
  // Measures the parameters; nothing is recorded meanwhile. `keep_best` runs after an evaluation
  // that is better than all before, to save the parameters.
  std::function<Evaluation(int64_t step)> evaluate;
  std::function<void(int64_t step, const Evaluation& best)> keep_best;
  // With options.keep_best = k: the parameters of an evaluation among the k best so far are to be
  // saved, and those of one that no longer is are to go (which may be asked twice). The earlier one
  // of equals is better.
  std::function<void(int64_t step, const Evaluation& evaluation)> keep;
  std::function<void(int64_t step)> drop;
  std::function<void(const Progress& progress)> progress;  // after every step
  // "resumed at step 120", "checkpoint … is damaged: …"
  std::function<void(const std::string& sentence)> notice;
};

struct TrainingResult {
  enum class Status : uint8_t { finished, interrupted };
  Status status = Status::finished;
  int64_t step = 0;                 // steps done
  double loss = 0;                  // of the last step
  Evaluation last = {}, best = {};  // evaluations, where there were any
  int64_t best_step = -1;
  bool stopped_early = false;  // finished before the last step (options.early_stop)
  double seconds = 0;          // in this call
  int64_t replayed = 0;        // micro-batches in this call, with options.graphs
};

TrainingResult train(Parameters& parameters, Optimizer& optimizer, const Schedule& schedule,
                     const TrainerOptions& options, const TrainingHooks& hooks);

}  // namespace ink
