// One run of the training loop: what train() of autograd/trainer.h keeps while it goes on.
//
// trainer.cpp holds the loop itself, training_state.cpp all that resumes: settings, checkpoints,
// and the agreement of processes on both.
#pragma once
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/checkpoint.h"
#include "autograd/communicator.h"
#include "autograd/event_file.h"
#include "autograd/gradient_sum.h"
#include "autograd/micro_batches.h"
#include "autograd/step_graphs.h"
#include "autograd/trainer.h"
#include "autograd/training_log.h"

namespace ink {

class Training {
 public:
  Training(Parameters& parameters, Optimizer& optimizer, const Schedule& schedule,
           const TrainerOptions& options, const TrainingHooks& hooks);
  TrainingResult run();

 private:
  using Clock = std::chrono::steady_clock;

  // After every `period` steps, and after the last.
  bool is_due(int64_t period) const {
    return result_.step == options_.steps || (period > 0 && result_.step % period == 0);
  }
  bool is_milestone() const {
    return std::ranges::binary_search(options_.milestones, result_.step);
  }
  bool evaluates_now() const { return is_due(options_.evaluate_every) || is_milestone(); }
  bool saves_now() const {
    return saves() && (is_due(options_.checkpoint_every) || is_milestone());
  }
  bool asked_to_stop() const { return options_.stop && *options_.stop; }
  bool saves() const { return !options_.folder.empty(); }
  Json data_state() const { return saves() && hooks_.data_state ? hooks_.data_state() : Json(); }
  void notice(const std::string& sentence) const {
    if (hooks_.notice && processes_.is_first()) hooks_.notice(sentence);
  }
  // Whether the host reads losses and norms later than they are asked for.
  bool defers() const {
    return optimizer_.control() && (processes_.size() == 1 || processes_.joins_devices());
  }
  double seconds() const;  // of training, those before a resume included

  // ── trainer.cpp ──
  bool take_step();
  std::vector<Tensor> untrained_values() const;
  void put_back(const std::vector<Tensor>& untrained);
  bool gives_up();
  double norm_of_sum(int64_t step) const;
  void conclude(const DoneStep& done);
  void check_finite(const DoneStep& done) const;
  void settle();
  bool settles_now() const;
  std::optional<std::vector<MicroResult>> accumulate();
  void exchange(const std::vector<MicroResult>& all, double unit);
  void make_graphs();
  MicroResult compute(int64_t number, const Random& random, double& unit);
  MicroResult noted(int64_t number, const MicroLoss& micro);
  void add(std::vector<Tensor> gradients, double weight, double& unit);
  void report();
  void write_log_line();
  void evaluate();
  void keep_if_among_best();
  void drop_others();
  void append(const Json& line, const char* tags, const Json& values);

  // ── training_state.cpp ──
  void open_folder();
  std::optional<CheckpointFolder::Found> find_checkpoint();
  void check_same_everywhere() const;
  Json settings() const;
  void check_settings(const Json& state) const;
  void restore(const CheckpointFolder::Found& found);
  void restore_kept(const Json& state);
  void write_checkpoint();

  Parameters& parameters_;
  Optimizer& optimizer_;
  const Schedule& schedule_;
  const TrainerOptions& options_;
  const TrainingHooks& hooks_;
  Communicator& processes_;

  // The first process has these, where there is a folder.
  std::optional<CheckpointFolder> checkpoints_;
  std::unique_ptr<TrainingLog> log_;
  std::unique_ptr<EventFile> events_;

  TrainingResult result_;
  int64_t stale_ = 0;  // evaluations since the best
  struct Kept {
    int64_t step;
    double score;
  };
  std::vector<Kept> kept_;       // of the best evaluations, the best first
  std::vector<int64_t> unkept_;  // steps whose parameters go once a checkpoint knows it
  Json data_;  // where the data stood behind the last whole step, for a stop within one
  GradientSum sum_;
  std::unique_ptr<StepGraphs> graphs_;  // with options.graphs
  DeferredSteps deferred_;
  Means window_;  // of the steps since the last line of the log
  int64_t window_tokens_ = 0, tokens_ = 0, step_tokens_ = 0;
  double gradient_norm_ = 0, learning_rate_ = 0, loss_scale_ = 1;
  int64_t unsettled_ = 0;  // steps begun since
  Clock::time_point unsettled_since_;
  double earlier_seconds_ = 0, window_start_ = 0, smoothed_ = 0;  // seconds
  Clock::time_point start_ = Clock::now();
};

}  // namespace ink
