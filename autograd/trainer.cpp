// The loop: micro-batches → gradient sums → clip → optimizer → log, evaluation, checkpoint.
#include "autograd/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>

#include "autograd/checkpoint.h"
#include "autograd/gradient_sum.h"
#include "autograd/tape.h"
#include "autograd/training_log.h"
#include "tensor/error.h"
#include "tensor/safetensors.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char *kModelFile = "model.safetensors", *kOptimizerFile = "optimizer.safetensors",
                     *kLogFile = "log.jsonl";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

// Weighted means of named values.
class Means {
 public:
  void add(const Metrics& metrics, double weight) {
    for (const auto& [name, value] : metrics) add(name, value, weight);
  }
  void add(const std::string& name, double value, double weight) {
    auto at = std::ranges::find(sums_, name, &Sum::name);
    if (at == sums_.end()) at = sums_.insert(at, Sum{name});
    at->total += weight * value;
    at->weight += weight;
  }
  Metrics values() const {
    Metrics means;
    for (const Sum& s : sums_) means.emplace_back(s.name, s.total / s.weight);
    return means;
  }
  void clear() { sums_.clear(); }

  Json to_json() const {
    Json all = Json::make_array();
    for (const Sum& s : sums_) all.append(Json::make_array({s.name, number(s.total), s.weight}));
    return all;
  }
  void restore(const Json& all) {
    sums_.clear();
    for (const Json& s : all.items()) {
      sums_.push_back({s.string(0), s.real(1, std::nan("")), s.real(2)});
    }
  }

 private:
  struct Sum {
    std::string name;
    double total = 0, weight = 0;
  };
  std::vector<Sum> sums_;
};

Json to_json(const Metrics& metrics) {
  Json all = Json::make_object();
  for (const auto& [name, value] : metrics) all.set(name, number(value));
  return all;
}

Json to_json(const Evaluation& e) {
  return Json::make_object({{"score", number(e.score)}, {"metrics", to_json(e.metrics)}});
}

Evaluation evaluation_of(const Json& json) {
  Evaluation e{.score = json.real("score", std::nan(""))};
  for (const auto& [name, value] : json.object("metrics").members()) {
    e.metrics.emplace_back(name, value.is_null() ? std::nan("") : value.as_real(name));
  }
  return e;
}

class Training {
 public:
  Training(Parameters& parameters, Optimizer& optimizer, const Schedule& schedule,
           const TrainerOptions& options, const TrainingHooks& hooks)
      : parameters_(parameters),
        optimizer_(optimizer),
        schedule_(schedule),
        options_(options),
        hooks_(hooks),
        sum_(parameters) {
    check(static_cast<bool>(hooks_.loss), "training: expected a loss function");
    check(options_.steps >= 0 && options_.accumulate >= 1 && options_.log_every >= 1,
          "training: expected steps ≥ 0, accumulate ≥ 1 and log_every ≥ 1, got ", options_.steps,
          ", ", options_.accumulate, " and ", options_.log_every);
    check(options_.clip_norm >= 0, "training: expected a clip_norm of 0 or more, got ",
          options_.clip_norm);
    parameters_.own();
  }

  TrainingResult run() {
    open_folder();
    if (options_.accumulate > 1) data_ = data_state();
    bool stopped = false;
    while (result_.step < options_.steps && !stopped) {
      const Clock::time_point begin = Clock::now();
      if (!take_step()) {
        stopped = true;
        if (checkpoints_) write_checkpoint();
        break;
      }
      const double seconds = seconds_since(begin);
      smoothed_ = smoothed_ > 0 ? 0.95 * smoothed_ + 0.05 * seconds : seconds;
      report();
      if (is_due(options_.evaluate_every)) evaluate();
      stopped = asked_to_stop() && result_.step < options_.steps;
      const bool saves = checkpoints_ && (stopped || is_due(options_.checkpoint_every));
      if (saves || options_.accumulate > 1) data_ = data_state();
      if (saves) write_checkpoint();
    }
    result_.status =
        stopped ? TrainingResult::Status::interrupted : TrainingResult::Status::finished;
    result_.seconds = seconds_since(start_);
    return result_;
  }

 private:
  // After every `period` steps, and after the last.
  bool is_due(int64_t period) const {
    return result_.step == options_.steps || (period > 0 && result_.step % period == 0);
  }

  bool asked_to_stop() const { return options_.stop && *options_.stop; }
  Json data_state() const {
    return checkpoints_ && hooks_.data_state ? hooks_.data_state() : Json();
  }
  void open_folder();
  Json settings() const;
  void restore(const CheckpointFolder::Found& found);
  void write_checkpoint();
  bool take_step();
  bool accumulate(Means& means);
  void report();
  void evaluate();

  Parameters& parameters_;
  Optimizer& optimizer_;
  const Schedule& schedule_;
  const TrainerOptions& options_;
  const TrainingHooks& hooks_;

  std::optional<CheckpointFolder> checkpoints_;
  std::unique_ptr<TrainingLog> log_;
  TrainingResult result_;
  Json data_;  // where the data stood behind the last whole step, for a stop within one
  GradientSum sum_;
  Means window_;  // of the steps since the last line of the log
  int64_t window_tokens_ = 0, tokens_ = 0, step_tokens_ = 0;
  double gradient_norm_ = 0, learning_rate_ = 0;
  double earlier_seconds_ = 0, window_start_ = 0, smoothed_ = 0;  // seconds
  Clock::time_point start_ = Clock::now();
};

// False when it was asked to stop before the step was whole: nothing has changed then.
bool Training::take_step() {
  const int64_t step = result_.step;
  Means means;
  if (!accumulate(means)) return false;
  try {
    gradient_norm_ = sum_.norm(parameters_);
  } catch (const Error& error) {
    fail("training: step ", step + 1, ": ", error.message());
  }
  learning_rate_ = schedule_.at(step);
  optimizer_.step(parameters_, sum_.gradients(), learning_rate_,
                  clip_factor(gradient_norm_, options_.clip_norm) / sum_.weight());
  sum_.clear();
  const Metrics values = means.values();
  result_.loss = values.front().second;
  window_.add(values, 1);
  ++result_.step;
  return true;
}

// Sums the gradients of the micro-batches. Weights are taken relative to the
// first, so that equal ones multiply by exactly 1. False: asked to stop on the way.
bool Training::accumulate(Means& means) {
  const int64_t step = result_.step;
  const Random random = Random(options_.seed).split("steps").split(static_cast<uint64_t>(step));
  double first_weight = 0;
  sum_.clear();
  step_tokens_ = 0;
  for (int64_t i = 0; i < options_.accumulate; ++i) {
    if (i > 0 && asked_to_stop()) return false;
    Tape tape;
    tape.watch(parameters_);
    const MicroLoss micro =
        hooks_.loss(step * options_.accumulate + i, random.split(static_cast<uint64_t>(i)));
    const double loss = micro.loss.item();
    check(std::isfinite(loss), "training: the loss of step ", step + 1, " is ", loss,
          " (micro-batch ", i, "); lower the learning rate or look at the data of this step");
    check(micro.weight >= 0 && std::isfinite(micro.weight), "training: expected a weight ≥ 0, got ",
          micro.weight, " in step ", step + 1);
    step_tokens_ += micro.tokens;
    if (micro.weight == 0) continue;
    if (first_weight == 0) first_weight = micro.weight;
    means.add("loss", loss, micro.weight);
    means.add(micro.metrics, micro.weight);
    Gradients gradients = tape.backward(micro.loss);
    sum_.add(parameters_, gradients, micro.weight / first_weight);
  }
  check(first_weight > 0, "training: nothing in step ", step + 1,
        " counts: the weights of all its micro-batches are 0");
  return true;
}

// Log and progress of the step just done.
void Training::report() {
  tokens_ += step_tokens_;
  window_tokens_ += step_tokens_;
  const double seconds = earlier_seconds_ + seconds_since(start_);
  const double rate = smoothed_ > 0 ? static_cast<double>(step_tokens_) / smoothed_ : 0;
  if (log_ && is_due(options_.log_every)) {
    const double window_seconds = std::max(seconds - window_start_, 1e-9);
    Json line = Json::make_object({{"step", result_.step}});
    for (const auto& [name, value] : window_.values()) line.set(name, number(value));
    line.set("learning_rate", learning_rate_);
    line.set("gradient_norm", number(gradient_norm_));
    line.set("tokens", tokens_);
    line.set("seconds", seconds);
    line.set("tokens_per_second", number(static_cast<double>(window_tokens_) / window_seconds));
    log_->append(line);
  }
  if (is_due(options_.log_every)) {
    window_.clear();
    window_tokens_ = 0;
    window_start_ = seconds;
  }
  if (hooks_.progress) {
    const auto left = static_cast<double>(options_.steps - result_.step);
    hooks_.progress({result_.step, options_.steps, result_.loss, learning_rate_, gradient_norm_,
                     rate, left * smoothed_});
  }
}

void Training::evaluate() {
  if (!hooks_.evaluate) return;
  {
    const Pause pause;
    result_.last = hooks_.evaluate(result_.step);
  }
  if (log_) {
    Json line = Json::make_object({{"step", result_.step}});
    line.set("evaluation", to_json(result_.last.metrics));
    line.set("score", number(result_.last.score));
    log_->append(line);
  }
  // A number beats NaN, which no comparison would.
  const bool beats_nan = std::isnan(result_.best.score) && !std::isnan(result_.last.score);
  const bool is_best =
      result_.best_step < 0 || beats_nan || result_.last.score > result_.best.score;
  if (!is_best) return;
  result_.best = result_.last;
  result_.best_step = result_.step;
  if (hooks_.keep_best) hooks_.keep_best(result_.step, result_.best);
}

// ── checkpoints ─────────────────────────────────────────────────────────────────────────────────

void Training::open_folder() {
  if (options_.folder.empty()) return;
  checkpoints_.emplace(options_.folder, options_.keep_checkpoints, hooks_.notice);
  check(options_.resume || checkpoints_->empty(), "training: ", options_.folder.string(),
        " holds checkpoints of an earlier run; resume it or choose another "
        "folder");
  const auto found = checkpoints_->newest();
  uint64_t log_length = 0;
  if (found) {
    restore(*found);
    log_length = static_cast<uint64_t>(found->state.integer_between("log_length", 0, INT64_MAX));
    if (hooks_.notice) hooks_.notice("resumed at step " + std::to_string(found->step));
  } else if (options_.resume && hooks_.notice) {
    hooks_.notice("nothing to resume in " + options_.folder.string() + "; starting anew");
  }
  log_ = std::make_unique<TrainingLog>(options_.folder / kLogFile, log_length);
}

// What a resumed run must have in common with the run before, for the same bits.
Json Training::settings() const {
  Json all = Json::make_object({{"seed", std::to_string(options_.seed)},
                                {"accumulate", options_.accumulate},
                                {"clip_norm", number(options_.clip_norm)}});
  const Json optimizer = optimizer_.options().to_json(), schedule = schedule_.to_json();
  for (const Json* part : {&optimizer, &schedule}) {
    for (const auto& [name, value] : part->members()) all.set(name, value);
  }
  return all;
}

void Training::write_checkpoint() {
  log_->sync();
  Json state = Json::make_object({{"step", result_.step},
                                  {"settings", settings()},
                                  {"tokens", tokens_},
                                  {"seconds", earlier_seconds_ + seconds_since(start_)},
                                  {"log_length", log_->length()},
                                  {"loss", result_.loss},
                                  {"window", window_.to_json()},
                                  {"window_tokens", window_tokens_},
                                  {"window_start", window_start_}});
  if (result_.best_step >= 0) {
    state.set("last", to_json(result_.last));
    state.set("best", to_json(result_.best));
    state.set("best_step", result_.best_step);
  }
  if (hooks_.data_state) state.set("data", data_);
  checkpoints_->write(result_.step, state, [&](const fs::path& folder) {
    std::vector<NamedTensor> values;
    for (const Parameter& p : parameters_) values.push_back({p.name, p.value});
    write_safetensors(folder / kModelFile, values);
    optimizer_.save(folder / kOptimizerFile);
  });
}

void Training::restore(const CheckpointFolder::Found& found) {
  const Json& state = found.state;
  // First: what made the data also makes the settings, and is what the user knows by name.
  if (hooks_.restore_data) hooks_.restore_data(state["data"]);
  const Json &was = state.object("settings"), expected = settings();
  for (const auto& [name, now] : expected.members()) {
    check(was.has(name), "training: the run in ", options_.folder.string(), " does not state its ",
          name);
    const std::string before = was[name].to_string();
    check(before == now.to_string(), "training: the run in ", options_.folder.string(), " has ",
          name, ' ', before, ", got ", now.to_string(),
          "; resume with the same settings or choose another folder");
  }
  const SafeTensors model(found.folder / kModelFile);
  for (const Parameter& p : parameters_) {  // all checks before the first write
    const SafeTensors::Entry* entry = model.find(p.name);
    check(entry && entry->shape == p.value.shape() && entry->dtype == p.value.dtype(),
          "training: ", found.folder.string(), " is of another model: expected ", p.name, ' ',
          p.value.shape());
  }
  check(model.entries().size() == parameters_.size(), "training: ", found.folder.string(),
        " is of another model: expected ", parameters_.size(), " parameters, found ",
        model.entries().size());
  optimizer_.load(found.folder / kOptimizerFile);
  for (Parameter& p : parameters_) copy_into(p.value, model.tensor(p.name));

  result_.step = found.step;
  result_.loss = state.real("loss");
  tokens_ = state.integer("tokens");
  earlier_seconds_ = state.real("seconds");
  window_.restore(state.array("window"));
  window_tokens_ = state.integer("window_tokens");
  window_start_ = state.real("window_start");
  if (state.has("best_step")) {
    result_.last = evaluation_of(state.object("last"));
    result_.best = evaluation_of(state.object("best"));
    result_.best_step = state.integer("best_step");
  }
}

}  // namespace

TrainingResult train(Parameters& parameters, Optimizer& optimizer, const Schedule& schedule,
                     const TrainerOptions& options, const TrainingHooks& hooks) {
  return Training(parameters, optimizer, schedule, options, hooks).run();
}

}  // namespace ink
