// Distiller: any student learns from any teachers, which are functions of a batch.
//
//   Distiller distiller(config, student.parameters, {.seed = 1});
//   const Adaptors<Batch> adaptors{
//       .student = [&](const Batch& b, const Random& random) -> ModelOutputs { … },
//       .teachers = {[&](const Batch& b) -> ModelOutputs { … }},
//       .facts = [](const Batch& b) -> BatchFacts { return {.labels = b.labels}; }};
//   distiller.train<Batch>(adaptors, [&](int64_t micro_batch) { return loader(micro_batch); },
//                          {.peak = 1e-4, .steps = 1000}, {.steps = 1000, .accumulate = 2});
//
// Nothing is asked of models and batches: an adaptor says what there is to compare. Losses, their
// weights and schedules, matches and projections are those of a DistillationConfig; the loop is the
// one of autograd/trainer.h, with its accumulation, clipping, evaluations, checkpoints and exact
// resume. distill() (compress/distill.h) is a Distiller of model folders.
//
// Several teachers: their logits are averaged, by the weights, before the one loss between logits;
// a match is made with each of them, and its losses are averaged. A teacher of weight 0 is not
// asked. Where batches differ in who teaches them (each of a task with a teacher of its own, say)
// BatchFacts brings the weights.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "autograd/trainer.h"
#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"

namespace ink {

// What a batch brings beside what models say of it.
struct BatchFacts {
  Tensor labels = {};   // i32 (rows of the logits); undefined: there is no loss with true labels
  Tensor offsets = {};  // i32 (B + 1): where sequences begin among the rows of hidden states;
                        // undefined: every row is one by itself
  double weight = 1;    // of the micro-batch in a step: its rows
  int64_t tokens = 0;   // for tokens per second
  // Of this batch, instead of those of Adaptors and of the configuration.
  std::vector<double> teacher_weights = {};
  std::optional<KdLoss> kd_loss_type = {};
  std::string name = {};  // its losses are logged as name.kd_loss and so on; empty: as they are
};

template <class Batch>
struct Adaptors {
  // Recorded on a tape, with dropout and the like from `random`. Logits may be missing where
  // kd_loss_weight and hard_label_weight are 0; hidden states and attention where no match asks.
  std::function<ModelOutputs(const Batch& batch, const Random& random)> student;
  // Not recorded; of weight 0 not called.
  std::vector<std::function<ModelOutputs(const Batch& batch)>> teachers;
  std::vector<double> teacher_weights = {};  // as normalised_weights says
  std::function<BatchFacts(const Batch& batch)> facts = {};
};

// Weights of `count` teachers, of sum 1; all the same where none are given. Raises Error for
// another number of them, and for weights below 0 or all 0.
std::vector<double> normalised_weights(const std::vector<double>& weights, size_t count);

// Σ weight·logits of those with a weight above 0; of one its own. Raises Error where shapes differ.
Tensor mean_logits(std::span<const ModelOutputs> outputs, std::span<const double> weights);

struct DistillerOptions {
  uint64_t seed = 1;  // of the projections
  // The student's learning rate at its peak, for projections that have one of their own.
  std::optional<double> student_rate = {};
  int64_t teachers = 1;  // how many there are; with cost attention each has weights of its own
};

class Distiller {
 public:
  // Makes the projections in the student's store, as `projection.<match>.…`, so that they are
  // trained, clipped and kept in checkpoints with it; they are no part of the student.
  Distiller(DistillationConfig config, Parameters& student, const DistillerOptions& options = {});

  // The loss of a micro-batch at step `step` of `steps`. Raises Error where outputs lack what the
  // configuration compares, or have other sizes: so it does before the first step.
  template <class Batch>
  MicroLoss loss(const Adaptors<Batch>& adaptors, const Batch& batch, const Random& random,
                 int64_t step, int64_t steps) const {
    const BatchFacts facts = adaptors.facts ? adaptors.facts(batch) : BatchFacts();
    const std::vector<double>& weights =
        facts.teacher_weights.empty() ? adaptors.teacher_weights : facts.teacher_weights;
    const std::vector<double> shares = normalised_weights(weights, adaptors.teachers.size());
    std::vector<ModelOutputs> wanted(shares.size());
    {
      const Pause pause;
      for (size_t k = 0; k < shares.size(); ++k)
        if (shares[k] > 0) wanted[k] = adaptors.teachers[k](batch);
    }
    const ModelOutputs got = adaptors.student(batch, random);
    return loss_by_shares(got, std::move(wanted), shares, facts, step, steps);
  }
  // The same of outputs that are there; weights as normalised_weights says.
  MicroLoss loss(const ModelOutputs& student, std::vector<ModelOutputs> teachers,
                 const std::vector<double>& weights, const BatchFacts& facts, int64_t step,
                 int64_t steps) const;

  // batch_at: micro-batches, numbered through the whole training; the same ones again when it is
  // resumed. `hooks` needs no loss.
  template <class Batch>
  TrainingResult train(const Adaptors<Batch>& adaptors,
                       const std::function<Batch(int64_t micro_batch)>& batch_at,
                       const Schedule& schedule, const TrainerOptions& options,
                       TrainingHooks hooks = {}, const OptimizerOptions& optimizer = {}) {
    hooks.loss = [&](int64_t micro_batch, const Random& random) {
      return loss(adaptors, batch_at(micro_batch), random, micro_batch / options.accumulate,
                  options.steps);
    };
    return train(schedule, options, std::move(hooks), optimizer);
  }

  const DistillationConfig& config() const { return loss_.config(); }

 private:
  MicroLoss loss_by_shares(const ModelOutputs& student, std::vector<ModelOutputs> teachers,
                           const std::vector<double>& shares, const BatchFacts& facts, int64_t step,
                           int64_t steps) const;
  TrainingResult train(const Schedule& schedule, const TrainerOptions& options, TrainingHooks hooks,
                       const OptimizerOptions& optimizer);

  Parameters& parameters_;
  DistillationLoss loss_;
};

}  // namespace ink
