// Epochs of batches over the one training loop.
#include "tasks/fit.h"

#include <algorithm>
#include <vector>

#include "autograd/tape.h"
#include "nn/place.h"
#include "tasks/batch_stream.h"
#include "tasks/replay.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

constexpr int64_t kMostEpochs = 100'000;

// The batches of all epochs, one epoch after the other; only one epoch of them is in memory.
class Epochs {
 public:
  Epochs(const Features& train, const FitOptions& options)
      : options_(options), batches_(train, options, Random(options.seed).split("data")) {
    const int64_t wanted = options.steps * options.accumulate;  // batches; 0: all of the epochs
    for (int64_t epoch = 0; wanted > 0 ? count() < wanted : epoch < options.epochs; ++epoch) {
      check(epoch < kMostEpochs, "fit: expected at most ", kMostEpochs, " epochs, got ",
            options.steps, " steps of ", options.accumulate, " batches");
      ends_.push_back(batches_.end_of(epoch));
    }
  }
  int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }
  int64_t steps() const { return options_.steps > 0 ? options_.steps : steps_for(count()); }
  // Steps done when each epoch ends, of those that end within the training.
  std::vector<int64_t> step_ends() const {
    std::vector<int64_t> ends;
    for (const int64_t end : ends_)
      if (steps_for(end) <= steps()) ends.push_back(steps_for(end));
    return ends;
  }
  const std::vector<int64_t>& operator[](int64_t batch) { return batches_[batch]; }

 private:
  int64_t steps_for(int64_t batches) const {
    return (batches + options_.accumulate - 1) / options_.accumulate;
  }

  const FitOptions& options_;
  BatchStream batches_;
  std::vector<int64_t> ends_;  // of each epoch, in batches
};

std::vector<int64_t> milestones_of(const Epochs& epochs, const FitOptions& options) {
  return epoch_milestones(epochs.step_ends(), options.per_epoch, options.every_epochs);
}

// What decides the bits of a run, beside what the trainer compares itself.
Json fingerprint_of(const Features& train, const FitOptions& options, const FitHooks& hooks) {
  Json made_of = hooks.fingerprint;
  if (options.steps > 0)
    made_of.set("steps", options.steps);
  else
    made_of.set("epochs", options.epochs);
  made_of.set("batch_size", options.batch_size)
      .set("max_tokens", options.max_tokens)
      .set("train", train.digest());
  if (options.fill) made_of.set("fill", true);
  return made_of;
}

}  // namespace

EncoderOptions training_options(const FitOptions& options, const Random& random) {
  EncoderOptions encoder{.random = &random};
  if (options.recompute) encoder.run_layer = recompute;
  return encoder;
}

std::vector<int64_t> epoch_milestones(std::span<const int64_t> epoch_ends, int64_t per_epoch,
                                      int64_t every_epochs) {
  check(per_epoch > 0 && every_epochs > 0, "fit: expected per_epoch and every_epochs above 0, got ",
        per_epoch, " and ", every_epochs);
  std::vector<int64_t> steps;
  int64_t begin = 0;
  for (size_t e = 0; e < epoch_ends.size(); ++e) {
    const int64_t length = epoch_ends[e] - begin;
    const bool counts =
        (static_cast<int64_t>(e) + 1) % every_epochs == 0 || e + 1 == epoch_ends.size();
    for (int64_t i = 1; counts && i <= per_epoch; ++i) {
      const int64_t step = begin + length * i / per_epoch;
      if (step > (steps.empty() ? 0 : steps.back()) && step > begin) steps.push_back(step);
    }
    begin = epoch_ends[e];
  }
  return steps;
}

int64_t steps_of(const Features& train, const FitOptions& options) {
  return Epochs(train, options).steps();
}

std::vector<int64_t> evaluation_steps(const Features& train, const FitOptions& options) {
  const Epochs epochs(train, options);
  const int64_t last = epochs.steps(), period = options.evaluate_every;
  std::vector<int64_t> steps;
  if (period == 0) steps = milestones_of(epochs, options);
  for (int64_t step = period; period > 0 && step < last; step += period) steps.push_back(step);
  if (steps.empty() || steps.back() < last) steps.push_back(last);
  return steps;
}

namespace {

void check_options(const FitOptions& options) {
  check(options.epochs > 0 && options.batch_size > 0 && options.accumulate > 0,
        "fit: expected epochs, batch_size and accumulate above 0, got ", options.epochs, ", ",
        options.batch_size, " and ", options.accumulate);
  check(options.steps >= 0 && options.evaluate_every >= 0,
        "fit: expected steps and evaluate_every of 0 or more, got ", options.steps, " and ",
        options.evaluate_every);
  check(options.epochs <= kMostEpochs, "fit: expected at most ", kMostEpochs, " epochs, got ",
        options.epochs);
  check(options.warm_up >= 0 && options.warm_up <= 1, "fit: expected a warm_up from 0 to 1, got ",
        options.warm_up);
}

TrainerOptions trainer_options(const Epochs& epochs, const FitOptions& options) {
  std::vector<int64_t> milestones;
  if (options.evaluate_every == 0) milestones = milestones_of(epochs, options);
  return {.steps = epochs.steps(),
          .accumulate = options.accumulate,
          .clip_norm = options.clip_norm,
          .seed = options.seed,
          .log_every = options.log_every,
          .evaluate_every = options.evaluate_every,
          .milestones = std::move(milestones),
          .early_stop = options.early_stop,
          .keep_best = options.keep_best,
          .folder = options.folder,
          .event_file = options.event_file,
          .event_folder = options.event_folder,
          .checkpoint_every = options.evaluate_every,
          .resume = options.resume,
          .graphs = options.graphs,
          .stop = options.stop};
}

}  // namespace

TrainingResult fit(Parameters& parameters, const Features& train, const FitOptions& options,
                   const FitHooks& hooks) {
  check_options(options);
  Epochs epochs(train, options);
  const int64_t count = epochs.count();
  const int64_t steps = epochs.steps();

  const bool fills = options.fill && hooks.filled && working_place().device == Device::cuda;
  if (options.fill && !fills && hooks.notice)
    hooks.notice(std::string("batches are not filled up: ") +
                 (hooks.filled ? "they are not computed on the CUDA device"
                               : "this task may ask something of every token"));
  // The last step is filled up with the first batches.
  const auto batch_at = [&](int64_t micro_batch) {
    const FeatureBatch batch = train.batch(epochs[micro_batch % count]);
    return fills ? hooks.filled(batch) : batch;
  };
  TrainingHooks training;
  training.loss = [&](int64_t micro_batch, const Random& random) {
    return hooks.loss(batch_at(micro_batch), random, micro_batch / options.accumulate, steps);
  };
  if (hooks.inputs) {
    training.replayable = {
        .inputs = [&](int64_t micro_batch) { return hooks.inputs(batch_at(micro_batch)); },
        .loss =
            [&](const MicroInputs& inputs, const Random& random) {
              return hooks.loss(batch_from(inputs), random, 0, steps);
            }};
  }
  const Json made_of = fingerprint_of(train, options, hooks);
  training.data_state = [&] { return Json(made_of); };
  training.restore_data = [&](const Json& before) {
    check_same_run(options.folder.string(), before, made_of);
  };
  training.evaluate = hooks.evaluate;
  training.keep_best = hooks.keep_best;
  training.keep = hooks.keep;
  training.drop = hooks.drop;
  training.progress = hooks.progress;
  training.notice = hooks.notice;

  Optimizer optimizer(parameters, {.weight_decay = options.weight_decay});
  const Place place = training_place("finetune");
  optimizer.place(parameters, place.device, place.dtype);
  const auto warm_up = static_cast<int64_t>(options.warm_up * static_cast<double>(steps));
  return ink::train(parameters, optimizer,
                    {.peak = options.learning_rate, .warmup = warm_up, .steps = steps},
                    trainer_options(epochs, options), training);
}

}  // namespace ink
